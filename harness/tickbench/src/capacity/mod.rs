//! The highest rate that a server sustains while a target for the response holds: the search, its execution, and the command that
//! asks for nothing else. What Jain calls the usable capacity ("The Art of Computer Systems Performance Analysis", 1991, 3.3).

mod command;
mod execution;
mod search;
mod target;

pub(crate) use command::{CapacityArgs, command};
pub(crate) use execution::Quest;
pub(crate) use search::{LOWEST_PER_S, Search};
pub(crate) use target::{Expected, Target, expected};
