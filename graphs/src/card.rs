//! A chart's card: title, setting, legend, what is drawn, and what is missing.

use tickbench_stats::CellSummary;

use crate::canvas::{Anchor, Canvas, Drawn, Stroke, Type, document};
use crate::palette::Server;
use crate::style::{MARGIN, TEXT_SIZE, WIDTH, text_width};
use crate::{Chart, GraphError, Section};

/// All of a chart but what it draws.
pub(crate) struct Card<'a> {
    /// File stem.
    pub(crate) name: String,
    /// What is shown.
    pub(crate) title: String,
    /// Study, scenario, iterations, rate.
    pub(crate) setting: String,
    /// Which way is better, where one is.
    pub(crate) better: Option<&'static str>,
    /// How to read it, in a sentence.
    pub(crate) caption: String,
    /// Where a report shows it.
    pub(crate) section: Section,
    /// The servers whose lines need a legend.
    pub(crate) legend: Vec<&'a Server>,
    /// What is not shown, and why.
    pub(crate) missing: Option<String>,
}

const LINE: f64 = 19.0;
const SWATCH: f64 = 26.0;

impl Card<'_> {
    /// Draws the card around what `draw` draws. `draw` is given the height at which it starts and returns where it ended.
    pub(crate) fn draw(self, draw: impl FnOnce(&Canvas, f64) -> Drawn<f64>) -> Result<Chart, GraphError> {
        let svg = document(&self.title, &self.caption, |canvas| {
            let top = self.head(canvas)?;
            let bottom = draw(canvas, top)?;
            self.foot(canvas, bottom)
        });
        let svg = svg.map_err(|cause| GraphError::Draw { chart: self.name.clone(), cause })?;
        let Card { name, title, caption, section, .. } = self;
        Ok(Chart { name, title, caption, section, svg })
    }

    fn head(&self, canvas: &Canvas) -> Drawn<f64> {
        canvas.text(&self.title, (MARGIN, 32.0), Anchor::Start, Type::Title)?;
        if let Some(better) = self.better {
            canvas.text(better, (WIDTH - MARGIN, 32.0), Anchor::End, Type::Muted)?;
        }
        let mut y = 57.0;
        for line in wrapped(&self.setting) {
            canvas.text(&line, (MARGIN, y), Anchor::Start, Type::Muted)?;
            y += LINE;
        }
        if self.legend.is_empty() { Ok(y + 2.0) } else { self.legend(canvas, y + 6.0) }
    }

    fn legend(&self, canvas: &Canvas, mut y: f64) -> Drawn<f64> {
        let mut x = MARGIN;
        for Server { name, look } in &self.legend {
            let label = if look.baseline { format!("{name} (baseline)") } else { name.clone() };
            let width = SWATCH + 8.0 + text_width(&label, TEXT_SIZE) + 22.0;
            if x > MARGIN && x + width > WIDTH - MARGIN {
                x = MARGIN;
                y += LINE;
            }
            canvas.line(&[(x, y), (x + SWATCH, y)], Stroke::of(look, 2.4))?;
            if !look.baseline {
                canvas.mark((x + SWATCH / 2.0, y), look)?;
            }
            canvas.text(&label, (x + SWATCH + 8.0, y), Anchor::Start, Type::Plain)?;
            x += width;
        }
        Ok(y + LINE)
    }

    fn foot(&self, canvas: &Canvas, bottom: f64) -> Drawn<f64> {
        let mut y = bottom + 12.0;
        for line in self.missing.iter().flat_map(|missing| wrapped(missing)) {
            canvas.text(&line, (MARGIN, y), Anchor::Start, Type::Muted)?;
            y += LINE;
        }
        Ok(y + 8.0)
    }
}

/// The servers of which at least one cell is drawn, in the order of the run.
pub(crate) fn shown<'a>(
    servers: &'a [Server],
    cells: &[&CellSummary],
    drawn: impl Fn(&CellSummary) -> bool,
) -> Vec<&'a Server> {
    let is_drawn = |server: &&Server| cells.iter().any(|cell| cell.cell.server == server.name && drawn(cell));
    servers.iter().filter(is_drawn).collect()
}

/// Says which cells are not drawn and which rest on fewer iterations, and why.
pub(crate) fn missing(cells: &[&CellSummary], drawn: impl Fn(&CellSummary) -> bool) -> Option<String> {
    const LISTED: usize = 4;
    let notes: Vec<String> = cells
        .iter()
        .filter_map(|cell| {
            let failed: usize = cell.failures.iter().map(|failure| failure.count).sum();
            let reason = cell.failures.first().map(|failure| failure.reason.as_str());
            let of = failed + cell.completed;
            if !cell.is_sound() {
                return Some(format!("{} not shown: it failed an audit", cell.cell));
            }
            match (drawn(cell), reason) {
                (true, None) => None,
                (true, Some(reason)) => Some(format!("{}: {failed} of {of} failed ({reason})", cell.cell)),
                (false, Some(reason)) => {
                    Some(format!("{} not shown: {failed} of {of} failed ({reason})", cell.cell))
                }
                (false, None) => Some(format!("{} not shown: no figures", cell.cell)),
            }
        })
        .collect();
    let more = notes.len().saturating_sub(LISTED);
    let mut text = notes[..notes.len() - more].join("; ");
    if more > 0 {
        text += &format!("; and {more} more cells");
    }
    (!text.is_empty()).then_some(text)
}

/// Lines that fit the card.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), TEXT_SIZE) <= WIDTH - 2.0 * MARGIN => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
