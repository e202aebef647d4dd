//! No framework: prepared frames, stamped in place and written straight to the socket. What this server reaches is the limit
//! that the kernel and the runtime set; what a framework costs is its distance from here.
//!
//! It is also what the harness tests itself on: with `--inject` it does wrong on purpose.

mod connection;
mod fault;
mod faulty;
mod frame;
mod handshake;
mod inbox;
mod prepared;
#[cfg(test)]
mod properties;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use fault::Fault;
use tickbench_server_kit::{
    Endpoint, Flags, Framework, Hub, accept, announce, framework, listen, parse_flags, run, without_delay,
};
use tokio::net::TcpStream;

const FRAMEWORK: Framework = framework!("floor");

/// A server of tickbench's contract (servers/PROTOCOL.md). It ends when standard input is closed, or on SIGTERM.
#[derive(Debug, Parser)]
struct FloorFlags {
    #[command(flatten)]
    common: Flags,

    /// Do wrong on purpose in each stream of ticks with flush=each, so that the harness can be tested: delay=TIME, stall=TIME/N,
    /// skew=[-]TIME/N, due=zero/N, due=sent/N, due=[-]TIME/N, drop=N, duplicate=N, reorder=N or corrupt=N, where N is "in each N-th
    /// tick"; silent=K, tail=K or close=K, where K counts streams or ticks. May be given several times
    #[arg(long, value_name = "FAULT")]
    inject: Vec<Fault>,
}

/// What all connections share.
struct Shared {
    faults: Vec<Fault>,
    /// Streams with faults so far.
    faulty: AtomicU64,
    hub: Arc<Hub<Arc<[u8]>>>,
}

fn main() -> anyhow::Result<()> {
    run(serve(parse_flags(&FRAMEWORK)))
}

async fn serve(flags: FloorFlags) -> anyhow::Result<()> {
    let listener = listen(flags.common.listen)?;
    announce(listener.local_addr()?)?;
    let shared = Arc::new(Shared { faults: flags.inject, faulty: AtomicU64::new(0), hub: Hub::new() });
    loop {
        let stream = accept(&listener).await;
        if flags.common.tuned {
            without_delay(&stream);
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // What ends a connection early is the client's doing, and the client sees it.
            let _ = connection(stream, &shared).await;
        });
    }
}

async fn connection(stream: TcpStream, Shared { faults, faulty, hub }: &Shared) -> anyhow::Result<()> {
    let admit = |endpoint: &Endpoint| if faults.is_empty() { Ok(()) } else { faulty::admit(endpoint) };
    let Some((mut connection, endpoint)) = handshake::open(stream, admit).await? else { return Ok(()) };
    match endpoint {
        Endpoint::Echo => session::echo(&mut connection).await,
        Endpoint::Ticks(request) if faults.is_empty() => session::ticks(&mut connection, request).await,
        Endpoint::Ticks(request) => {
            let stream = faulty.fetch_add(1, Ordering::Relaxed);
            faulty::ticks(&mut connection, request, faults, stream).await
        }
        Endpoint::Relay(role) => session::relay(&mut connection, role, hub).await,
    }?;
    connection.end().await
}
