//! One file a chart kind. Each draws as many charts as the summary has scenes for it.

pub(crate) mod boxes;
pub(crate) mod capacity;
pub(crate) mod clients;
pub(crate) mod cpu;
pub(crate) mod echo;
pub(crate) mod history;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod percentiles;
pub(crate) mod scaling;
pub(crate) mod throughput;
pub(crate) mod usage;

mod bars;
mod connections;
