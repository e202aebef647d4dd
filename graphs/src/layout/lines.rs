//! Panels of lines, side by side and one below the other.

use plotters::coord::CoordTranslate;
use plotters::coord::cartesian::Cartesian2d;

use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, Drawn, Point, Stroke, Type};
use crate::palette::Look;
use crate::style::{AXIS, GRID, MARGIN, TEXT_SIZE, UNITS_PER_PIXEL, WIDTH, text_width};

/// Lines of several servers over one pair of axes.
pub(crate) struct Panel {
    /// What tells it from the panels beside it.
    pub(crate) title: String,
    /// What runs along; `None` where a panel below says it.
    pub(crate) x_name: Option<&'static str>,
    /// What runs up.
    pub(crate) y_name: &'static str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// In the order in which they are drawn.
    pub(crate) lines: Vec<Line>,
}

/// The line of one server.
pub(crate) struct Line {
    pub(crate) look: Look,
    /// Whether another line of the same server counts more.
    pub(crate) thin: bool,
    /// In the axes' values.
    pub(crate) points: Vec<Point>,
    /// `(x, low, high)`: the interval around points.
    pub(crate) band: Vec<(f64, f64, f64)>,
    /// Points that bear the server's mark.
    pub(crate) marks: Vec<Point>,
    /// Points that are ringed: what the chart is about.
    pub(crate) rings: Vec<Point>,
}

const GAP: f64 = 26.0;
const TITLE_HEIGHT: f64 = 26.0;
const NAME_WIDTH: f64 = 20.0;
const HEADING_HEIGHT: f64 = 22.0;
const TICKS_HEIGHT: f64 = 34.0;
const X_NAME_HEIGHT: f64 = 18.0;
/// Radius of a ring, in pixels: a mark fits in.
const RING: f64 = 8.0;
/// Bold letters are so much wider.
const BOLD: f64 = 1.1;

/// Panels of one height.
pub(crate) struct Band {
    /// What its panels have in common.
    pub(crate) heading: Option<String>,
    pub(crate) panels: Vec<Panel>,
    /// How many stand side by side, where their titles leave room.
    pub(crate) columns: usize,
    /// Of a panel's inside, in pixels.
    pub(crate) height: f64,
}

/// Draws bands from `top` down; returns where they end.
pub(crate) fn draw(canvas: &Canvas, top: f64, bands: &[Band]) -> Drawn<f64> {
    let mut y = top;
    for band in bands {
        if let Some(heading) = &band.heading {
            canvas.text(heading, (MARGIN, y + 10.0), Anchor::Start, Type::Strong)?;
            y += HEADING_HEIGHT;
        }
        let columns = band.columns();
        let width = width_beside(columns);
        for beside in band.panels.chunks(columns) {
            for (column, panel) in beside.iter().enumerate() {
                // Labels of one column line up, in whichever band.
                let labels = bands.iter().flat_map(|band| band.column(column)).map(Panel::label_width);
                let x = MARGIN + column as f64 * (width + GAP);
                panel.draw(canvas, (x, y), labels.fold(0.0, f64::max), width, band)?;
            }
            y += TITLE_HEIGHT + band.height + beside.iter().map(Panel::axis_height).fold(0.0, f64::max);
        }
    }
    Ok(y)
}

fn width_beside(columns: usize) -> f64 {
    (WIDTH - 2.0 * MARGIN - GAP * (columns - 1) as f64) / columns as f64
}

impl Band {
    fn columns(&self) -> usize {
        let fits = |columns: &usize| {
            let room = width_beside(*columns) - NAME_WIDTH - 60.0;
            self.panels.iter().all(|panel| text_width(&panel.title, TEXT_SIZE) * BOLD <= room)
        };
        let most = self.columns.min(self.panels.len()).max(1);
        (1..=most).rev().find(fits).unwrap_or(1)
    }

    fn column(&self, column: usize) -> impl Iterator<Item = &Panel> {
        self.panels.iter().skip(column).step_by(self.columns())
    }

    fn title_type(&self) -> Type {
        if self.heading.is_some() { Type::Plain } else { Type::Strong }
    }
}

impl Panel {
    fn axis_height(&self) -> f64 {
        TICKS_HEIGHT + if self.x_name.is_some() { X_NAME_HEIGHT } else { 0.0 }
    }

    fn label_width(&self) -> f64 {
        self.y.ticks.iter().map(|tick| text_width(&tick.label, TEXT_SIZE)).fold(0.0, f64::max)
    }

    fn draw(&self, canvas: &Canvas, (x, y): Point, labels: f64, width: f64, band: &Band) -> Drawn {
        let (left, right) = (x + NAME_WIDTH + labels + 8.0, x + width - 4.0);
        let (top, bottom) = (y + TITLE_HEIGHT, y + TITLE_HEIGHT + band.height);
        canvas.text(&self.title, (left, y + 10.0), Anchor::Start, band.title_type())?;
        canvas.text_upwards(self.y_name, (x + 7.0, f64::midpoint(top, bottom)), Type::Muted)?;
        if let Some(name) = self.x_name {
            canvas.text(name, (f64::midpoint(left, right), bottom + 37.0), Anchor::Middle, Type::Muted)?;
        }

        let unit = |pixels: f64| (pixels * UNITS_PER_PIXEL).round() as i32;
        let space = Cartesian2d::<Axis, Axis>::new(
            self.x.clone(),
            self.y.clone(),
            (unit(left)..unit(right), unit(bottom)..unit(top)),
        );
        let place = |point: Point| {
            let (x, y) = space.translate(&point);
            (f64::from(x) / UNITS_PER_PIXEL, f64::from(y) / UNITS_PER_PIXEL)
        };
        for tick in &self.y.ticks {
            let (_, y) = place((0.0, tick.value));
            canvas.line(&[(left, y), (right, y)], Stroke::solid(GRID, 1.0))?;
            canvas.text(&tick.label, (left - 8.0, y), Anchor::End, Type::Muted)?;
        }
        for tick in &self.x.ticks {
            let (x, _) = place((tick.value, 0.0));
            canvas.line(&[(x, top), (x, bottom)], Stroke::solid(GRID, 1.0))?;
            canvas.text(&tick.label, (x, bottom + 15.0), Anchor::Middle, Type::Muted)?;
        }
        canvas.line(&[(left, bottom), (right, bottom)], Stroke::solid(AXIS, 1.2))?;
        for line in &self.lines {
            line.draw(canvas, place)?;
        }
        Ok(())
    }
}

impl Line {
    fn draw(&self, canvas: &Canvas, place: impl Fn(Point) -> Point) -> Drawn {
        if !self.band.is_empty() {
            let upper = self.band.iter().map(|(x, _, high)| place((*x, *high)));
            let lower = self.band.iter().rev().map(|(x, low, _)| place((*x, *low)));
            canvas.polygon(&upper.chain(lower).collect::<Vec<_>>(), self.look.color, 0.18)?;
        }
        let points: Vec<Point> = self.points.iter().copied().map(&place).collect();
        if points.len() > 1 {
            canvas.line(&points, Stroke::of(&self.look, if self.thin { 0.9 } else { 2.2 }))?;
        }
        let alone = if points.len() == 1 { &self.points } else { &self.marks };
        alone.iter().try_for_each(|point| canvas.mark(place(*point), &self.look))?;
        let ring = Stroke::solid(self.look.color, 2.0);
        self.rings.iter().try_for_each(|point| canvas.ring(place(*point), RING, ring))
    }
}

/// Puts the baseline first and thin lines before others, so that they lie beneath.
pub(crate) fn baseline_first(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by_key(|line| (!line.thin, !line.look.baseline));
    lines
}
