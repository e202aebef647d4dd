//! What the smoke test of every Rust server checks: the parts of PROTOCOL.md, each against a real process.
//!
//! `tickbench verify` checks the same more thoroughly and in any language; this is what `cargo test` tells a framework's
//! maintainer in a second.

mod checks;
mod endings;
mod raw;
mod server;
mod stream;

pub use checks::{
    closes_a_slow_subscriber, ends_on_closed_stdin, ends_on_sigterm, introduces_itself,
    refuses_what_is_wrong, relays, replays_a_capture, returns_every_size, streams_the_tape,
};
pub use endings::{
    answers_a_close_behind_an_echo, answers_a_close_in_a_flood,
    answers_a_close_of_a_subscriber_that_is_behind, bounds_a_flood_of_pings,
    hands_on_what_came_before_a_close, refuses_a_breach_behind_what_was_queued,
    waits_for_the_answer_to_its_close,
};
pub use stream::{answer_of, stream_of};

/// Makes one `#[test]` of each check, for the program of this package's binary target and the name in `servers.toml`.
#[macro_export]
macro_rules! smoke_tests {
    ($program:expr, $name:literal) => {
        $crate::smoke_tests!(@each $program, $name,
            introduces_itself, refuses_what_is_wrong, streams_the_tape, replays_a_capture, returns_every_size, relays,
            closes_a_slow_subscriber, ends_on_closed_stdin, ends_on_sigterm,
            answers_a_close_behind_an_echo, answers_a_close_in_a_flood, answers_a_close_of_a_subscriber_that_is_behind,
            hands_on_what_came_before_a_close, refuses_a_breach_behind_what_was_queued, waits_for_the_answer_to_its_close);
    };
    (@each $program:expr, $name:literal, $($check:ident),+) => {
        $(#[test]
        fn $check() {
            $crate::$check($program, $name);
        })+
    };
}
