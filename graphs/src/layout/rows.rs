//! Figures in rows, one row a server, several columns side by side: nothing needs a legend, and any number of servers fits.

use plotters::coord::ranged1d::Ranged;
use plotters::style::RGBColor;
use tickbench_stats::Estimate;

use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, Drawn, Stroke, Type};
use crate::palette::Look;
use crate::quartiles::Spread;
use crate::style::{AXIS, GRID, INK, MARGIN, TEXT_SIZE, UNITS_PER_PIXEL, WIDTH, text_width};
use crate::units::Unit;

/// Groups of rows over shared columns.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) groups: Vec<Group>,
}

/// What one column shows.
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) unit: Unit,
}

/// Rows that can be compared.
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

/// One server.
pub(crate) struct Row {
    pub(crate) server: String,
    pub(crate) look: Look,
    /// One a column.
    pub(crate) figures: Vec<Figure>,
}

/// What a row shows in a column.
pub(crate) enum Figure {
    /// A bar from zero, with its interval.
    Bar(Estimate),
    /// A bar that is no verdict on its server: pale, with an asterisk.
    CaveatBar(Estimate),
    /// A bar with its interval, divided in proportion to some parts, in shades of one colour.
    Stack(Vec<f64>, Estimate),
    /// A box over iterations.
    Box(Spread),
    /// What two clients saw: the instrument a filled point, the other a ring.
    Pair(Estimate, Estimate),
    /// The study asked, but there is no figure.
    Absent,
    /// The study did not ask.
    NotAsked,
}

/// How strong the shade of each part of a stack is; there are no more parts.
pub(crate) const PART_OPACITY: [f64; 4] = [0.95, 0.62, 0.34, 0.1];

const ROW: f64 = 23.0;
const GROUP_TITLE: f64 = 24.0;
const GROUP_GAP: f64 = 6.0;
const HEAD: f64 = 24.0;
const TICKS: f64 = 28.0;
const GAP: f64 = 34.0;
const LABEL_GAP: f64 = 8.0;
const WHISKER_CAP: f64 = 3.5;

/// Draws a table from `top` down; returns where it ends.
pub(crate) fn draw(canvas: &Canvas, top: f64, table: &Table) -> Drawn<f64> {
    let server_width = table
        .groups
        .iter()
        .flat_map(|group| &group.rows)
        .map(|row| text_width(&row.server, TEXT_SIZE))
        .fold(0.0, f64::max);
    let left = MARGIN + server_width + 10.0;
    let count = table.columns.len().max(1) as f64;
    let width = (WIDTH - MARGIN - 6.0 - left - GAP * (count - 1.0)) / count;
    let height = table.height();
    let bottom = top + HEAD + height;

    for (index, column) in table.columns.iter().enumerate() {
        let from = left + index as f64 * (width + GAP);
        canvas.text(&column.title, (from, top + 8.0), Anchor::Start, Type::Strong)?;
        let lane = Lane::new(table, index, column.unit, from, width);
        for tick in &lane.axis.ticks {
            let x = lane.place(tick.value);
            table.beside_rows(top + HEAD, |from, to| {
                canvas.line(&[(x, from), (x, to)], Stroke::solid(GRID, 1.0))
            })?;
            canvas.text(&tick.label, (x, bottom + 14.0), Anchor::Middle, Type::Muted)?;
        }
        table.each_row(top + HEAD, |row, y| lane.figure(canvas, row, &row.figures[index], y))?;
        if lane.stands_on_zero {
            let axis = Stroke::solid(AXIS, 1.2);
            table.beside_rows(top + HEAD, |top, bottom| canvas.line(&[(from, top), (from, bottom)], axis))?;
        }
    }
    let mut y = top + HEAD;
    for group in &table.groups {
        canvas.text(&group.title, (MARGIN, y + GROUP_TITLE / 2.0), Anchor::Start, Type::Strong)?;
        y += group.height();
    }
    table.each_row(top + HEAD, |row, y| {
        canvas.text(&row.server, (left - 10.0, y), Anchor::End, Type::Plain)
    })?;
    Ok(bottom + TICKS)
}

impl Table {
    fn height(&self) -> f64 {
        self.groups.iter().map(Group::height).sum()
    }

    /// Visits each row with the height of its middle.
    fn each_row(&self, top: f64, mut visit: impl FnMut(&Row, f64) -> Drawn) -> Drawn {
        let mut y = top;
        for group in &self.groups {
            for (index, row) in group.rows.iter().enumerate() {
                visit(row, y + GROUP_TITLE + ROW * (index as f64 + 0.5))?;
            }
            y += group.height();
        }
        Ok(())
    }

    /// Visits each group with the heights between which its rows lie: no grid line runs through a title.
    fn beside_rows(&self, top: f64, mut visit: impl FnMut(f64, f64) -> Drawn) -> Drawn {
        let mut y = top;
        for group in &self.groups {
            visit(y + GROUP_TITLE, y + group.height() - GROUP_GAP)?;
            y += group.height();
        }
        Ok(())
    }

    fn figures(&self, column: usize) -> impl Iterator<Item = &Figure> + Clone {
        self.groups.iter().flat_map(|group| &group.rows).map(move |row| &row.figures[column])
    }

    /// Whether there is anything to draw.
    pub(crate) fn is_empty(&self) -> bool {
        (0..self.columns.len()).all(|column| self.figures(column).all(|figure| figure.values().is_empty()))
    }
}

impl Group {
    fn height(&self) -> f64 {
        GROUP_TITLE + ROW * self.rows.len() as f64 + GROUP_GAP
    }
}

impl Figure {
    fn values(&self) -> Vec<f64> {
        match self {
            Figure::Bar(bar) | Figure::CaveatBar(bar) => vec![bar.estimate, bar.low, bar.high],
            Figure::Stack(_, whole) => vec![whole.estimate, whole.low, whole.high],
            Figure::Box(spread) => vec![spread.lowest, spread.highest],
            Figure::Pair(one, other) => vec![one.low, one.high, other.low, other.high],
            Figure::Absent | Figure::NotAsked => Vec::new(),
        }
    }

    fn label(&self, unit: Unit) -> String {
        match self {
            Figure::Bar(bar) | Figure::Stack(_, bar) => unit.value(bar.estimate),
            Figure::CaveatBar(bar) => format!("{} *", unit.value(bar.estimate)),
            Figure::Pair(one, other) if one.estimate > 0.0 => {
                format!("×{:.2}", other.estimate / one.estimate)
            }
            Figure::Pair(..) | Figure::Box(_) | Figure::NotAsked => String::new(),
            Figure::Absent => "no data".into(),
        }
    }
}

/// One column on the canvas.
struct Lane {
    axis: Axis,
    unit: Unit,
    left: f64,
    /// Where the axis ends.
    right: f64,
    stands_on_zero: bool,
}

impl Lane {
    fn new(table: &Table, column: usize, unit: Unit, left: f64, width: f64) -> Lane {
        let figures = table.figures(column);
        let stands_on_zero = figures
            .clone()
            .any(|figure| matches!(figure, Figure::Bar(_) | Figure::CaveatBar(_) | Figure::Stack(..)));
        let room =
            figures.clone().map(|figure| text_width(&figure.label(unit), TEXT_SIZE)).fold(0.0, f64::max)
                + LABEL_GAP
                + 2.0;
        let values: Vec<f64> = figures.flat_map(Figure::values).collect();
        if stands_on_zero {
            let largest = values.iter().copied().fold(0.0, f64::max);
            let share = (width - room) / width;
            let axis = Axis::fitting(width, |about| Axis::bars(largest, share, unit, about));
            Lane { axis, unit, left, right: left + width, stands_on_zero }
        } else {
            let axis = Axis::fitting(width - room, |about| Axis::around(values.iter().copied(), unit, about));
            Lane { axis, unit, left, right: left + width - room, stands_on_zero }
        }
    }

    fn place(&self, value: f64) -> f64 {
        let unit = |pixels: f64| (pixels * UNITS_PER_PIXEL).round() as i32;
        f64::from(self.axis.map(&value, (unit(self.left), unit(self.right)))) / UNITS_PER_PIXEL
    }

    fn figure(&self, canvas: &Canvas, row: &Row, figure: &Figure, y: f64) -> Drawn {
        let label = figure.label(self.unit);
        match figure {
            Figure::Bar(bar) | Figure::CaveatBar(bar) => {
                let end = self.place(bar.estimate);
                let opacity = if matches!(figure, Figure::Bar(_)) { 0.85 } else { 0.35 };
                canvas.rectangle((self.left, y - 7.5), (end, y + 7.5), row.look.color, opacity)?;
                self.whisker(canvas, bar, y)?;
                let beside = self.place(bar.high.max(bar.estimate)) + LABEL_GAP;
                canvas.text(&label, (beside, y), Anchor::Start, Type::Plain)
            }
            Figure::Stack(parts, whole) => {
                self.parts(canvas, row.look.color, parts, whole.estimate, y)?;
                self.whisker(canvas, whole, y)?;
                let beside = self.place(whole.high.max(whole.estimate)) + LABEL_GAP;
                canvas.text(&label, (beside, y), Anchor::Start, Type::Plain)
            }
            Figure::Box(spread) => self.spread(canvas, &row.look, spread, y),
            Figure::Pair(one, other) => {
                let (from, to) = (self.place(one.estimate), self.place(other.estimate));
                canvas.line(&[(from, y), (to, y)], Stroke::solid(row.look.color, 1.6))?;
                canvas.ring((to, y), 4.2, Stroke::solid(row.look.color, 1.8))?;
                canvas.mark((from, y), &row.look)?;
                canvas.text(&label, (self.right + LABEL_GAP, y), Anchor::Start, Type::Plain)
            }
            Figure::Absent => canvas.text(&label, (self.left + LABEL_GAP, y), Anchor::Start, Type::Muted),
            Figure::NotAsked => Ok(()),
        }
    }

    /// Medians of parts need not add up to the median of the whole, so that the parts tell its proportions.
    fn parts(&self, canvas: &Canvas, color: RGBColor, parts: &[f64], whole: f64, y: f64) -> Drawn {
        // What a clock's error makes negative has no length.
        let sum: f64 = parts.iter().map(|part| part.max(0.0)).sum();
        let scale = if sum > 0.0 { whole / sum } else { 0.0 };
        let mut so_far = 0.0;
        for (part, opacity) in parts.iter().zip(PART_OPACITY) {
            let from = self.place(so_far);
            so_far += part.max(0.0) * scale;
            let to = self.place(so_far);
            canvas.rectangle((from, y - 7.5), (to, y + 7.5), color, opacity)?;
            canvas.line(
                &[(from, y - 7.5), (to, y - 7.5), (to, y + 7.5), (from, y + 7.5)],
                Stroke::solid(color, 0.6),
            )?;
        }
        Ok(())
    }

    fn whisker(&self, canvas: &Canvas, bar: &Estimate, y: f64) -> Drawn {
        let (low, high) = (self.place(bar.low), self.place(bar.high));
        let stroke = Stroke::solid(INK, 1.2);
        canvas.line(&[(low, y), (high, y)], stroke)?;
        for end in [low, high] {
            canvas.line(&[(end, y - WHISKER_CAP), (end, y + WHISKER_CAP)], stroke)?;
        }
        Ok(())
    }

    fn spread(&self, canvas: &Canvas, look: &Look, spread: &Spread, y: f64) -> Drawn {
        let stroke = Stroke::solid(look.color, 1.6);
        let (low, high) = (self.place(spread.lower_whisker), self.place(spread.upper_whisker));
        let (lower, upper) = (self.place(spread.lower_quartile), self.place(spread.upper_quartile));
        let half = 6.5;
        for (from, to) in [(low, lower), (upper, high)] {
            canvas.line(&[(from, y), (to, y)], stroke)?;
        }
        for end in [low, high] {
            canvas.line(&[(end, y - WHISKER_CAP), (end, y + WHISKER_CAP)], stroke)?;
        }
        canvas.rectangle((lower, y - half), (upper, y + half), look.color, 0.22)?;
        let outline =
            [(lower, y - half), (upper, y - half), (upper, y + half), (lower, y + half), (lower, y - half)];
        canvas.line(&outline, stroke)?;
        let median = self.place(spread.median);
        canvas.line(&[(median, y - half), (median, y + half)], Stroke::solid(look.color, 3.0))?;
        for outlier in &spread.outliers {
            canvas.ring((self.place(*outlier), y), 2.2, Stroke::solid(look.color, 1.0))?;
        }
        Ok(())
    }
}
