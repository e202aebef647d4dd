//! Tables of one scene: groups of rows by facet, a row a server.

use tickbench_stats::{CellSummary, Metric};

use crate::layout::rows::{Column, Figure, Group, Row, Table};
use crate::run::{Run, Scene, estimate};

/// A group a facet, a row a server, the figures of each cell as `figures` reads them, one a column.
pub(crate) fn table(
    run: &Run,
    scene: &Scene,
    columns: Vec<Column>,
    figures: impl Fn(&CellSummary) -> Vec<Figure>,
) -> Table {
    let facets = scene.facets();
    let row = |cell: &CellSummary| Row {
        server: cell.cell.server.clone(),
        look: run.look(&cell.cell.server),
        figures: figures(cell),
    };
    let groups = facets
        .iter()
        .map(|facet| Group { title: facet.label(&facets), rows: scene.of(*facet).map(row).collect() })
        .collect();
    Table { columns, groups }
}

/// A metric as a bar.
pub(crate) fn bar(cell: &CellSummary, metric: Metric) -> Figure {
    estimate(cell, metric).map_or(Figure::Absent, Figure::Bar)
}
