//! The flags of a server.

use std::net::SocketAddr;

use clap::Parser;

use crate::Framework;

/// A server of tickbench's contract (servers/PROTOCOL.md). It ends when standard input is closed, or on SIGTERM.
#[derive(Debug, Clone, Copy, Parser)]
pub struct Flags {
    /// Where to accept connections; port 0 picks a free one, and the ready line tells which
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Serve with the tuning of servers/TUNING.md in place of the framework's defaults
    #[arg(long)]
    pub tuned: bool,
}

impl Flags {
    /// Reads the process's arguments. Ends the process for `--help`, for `--version`, which prints that of `framework`, and,
    /// with code 2, for flags that are wrong.
    pub fn parse_for(framework: &Framework) -> Flags {
        parse_flags(framework)
    }
}

/// As [`Flags::parse_for`], for a server with flags of its own: a type that holds [`Flags`] with `#[command(flatten)]`.
pub fn parse_flags<F: Parser>(framework: &Framework) -> F {
    let command = F::command().name(framework.name).version(framework.long_version);
    let matches = command.get_matches();
    F::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}
