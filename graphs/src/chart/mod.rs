//! One file a chart kind. Each draws as many charts as the summary has scenes for it.

pub(crate) mod boxes;
pub(crate) mod capacity;
pub(crate) mod clients;
pub(crate) mod connecting;
pub(crate) mod cpu;
pub(crate) mod delivery;
pub(crate) mod disturbed;
pub(crate) mod echo;
pub(crate) mod history;
pub(crate) mod idle;
pub(crate) mod lanes;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod per_connection;
pub(crate) mod percentiles;
pub(crate) mod relay;
pub(crate) mod stages;
pub(crate) mod throughput;
pub(crate) mod usage;

mod along;
mod bars;
