//! A run of which only a part was executed.

use tickbench_stats::Summary;

use crate::units::count;

/// What a reader must know of it before the figures; `None` where every iteration was executed.
pub(crate) fn sentence(summary: &Summary) -> Option<String> {
    let of = format!(
        "{} of {} iterations",
        count(summary.whole_iterations?.into()),
        count(summary.iterations.into())
    );
    Some(if summary.in_progress {
        format!("In progress: {of} were executed when this was derived.")
    } else {
        format!("Interrupted after {of}.")
    })
}
