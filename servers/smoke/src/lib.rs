//! What the smoke test of every Rust server checks: the parts of PROTOCOL.md, each against a real process.
//!
//! `tickbench verify` checks the same more thoroughly and in any language; this is what `cargo test` tells a framework's
//! maintainer in a second.

mod checks;
mod server;
mod stream;

pub use checks::{
    closes_a_slow_subscriber, ends_on_closed_stdin, ends_on_sigterm, introduces_itself,
    refuses_what_is_wrong, relays, replays_a_capture, returns_every_size, streams_the_tape,
};
pub use stream::{answer_of, stream_of};

/// Makes one `#[test]` of each check, for the program of this package's binary target and the name in `servers.toml`.
#[macro_export]
macro_rules! smoke_tests {
    ($program:expr, $name:literal) => {
        $crate::smoke_tests!(@each $program, $name,
            introduces_itself, refuses_what_is_wrong, streams_the_tape, replays_a_capture, returns_every_size, relays,
            closes_a_slow_subscriber, ends_on_closed_stdin, ends_on_sigterm);
    };
    (@each $program:expr, $name:literal, $($check:ident),+) => {
        $(#[test]
        fn $check() {
            $crate::$check($program, $name);
        })+
    };
}
