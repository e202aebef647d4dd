//! The memory of a process and of the kernel. How the system tells is in one module for each system.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::read_memory;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::read_memory;

use thiserror::Error;

/// Why memory cannot be read.
#[derive(Debug, Error)]
#[error("failed to read `{file}`: {cause}")]
pub struct MemoryError {
    /// What was read.
    pub file: String,
    /// What the system said.
    pub cause: std::io::Error,
}
