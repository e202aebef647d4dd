//! One look a server, the same in every chart of a run.

use plotters::style::RGBColor;
use tickbench_stats::Summary;

use crate::style::{BASELINE, PALETTE};

/// A point's shape: a second sign beside the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
}

const MARKS: [Mark; 4] = [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond];

/// How a server is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Of lines, bars and boxes.
    pub(crate) color: RGBColor,
    /// Of points.
    pub(crate) mark: Mark,
    /// The server that others are compared with: grey, its lines dashed.
    pub(crate) baseline: bool,
}

/// A server with its look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its name in the manifest.
    pub(crate) name: String,
    /// How it is drawn.
    pub(crate) look: Look,
}

/// The servers of a run in the order of its study. The look follows from the place in this order alone, so a server that
/// is missing in one chart shifts no colour there.
pub(crate) fn servers(summary: &Summary, baseline: Option<&str>) -> Vec<Server> {
    in_order(summary.cells.iter().map(|cell| &cell.cell.server), baseline)
}

/// The same of names in any order, each counted where it comes first.
pub(crate) fn in_order<'a>(names: impl Iterator<Item = &'a String>, baseline: Option<&str>) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    let mut place = 0;
    for name in names {
        if servers.iter().any(|server| server.name == *name) {
            continue;
        }
        let look = if Some(name.as_str()) == baseline {
            Look { color: BASELINE, mark: Mark::Circle, baseline: true }
        } else {
            place += 1;
            let index = place - 1;
            Look { color: PALETTE[index % PALETTE.len()], mark: MARKS[index % MARKS.len()], baseline: false }
        };
        servers.push(Server { name: name.clone(), look });
    }
    servers
}
