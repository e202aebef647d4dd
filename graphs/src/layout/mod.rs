//! The two ways in which charts are laid out: lines in panels, and figures in rows.

pub(crate) mod lines;
pub(crate) mod rows;
