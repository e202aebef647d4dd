//! Bytes that nobody can foresee, as RFC 6455 wants keys and masks.

use std::io;

/// `N` bytes from the system.
pub(crate) fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
