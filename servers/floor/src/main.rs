//! No framework: prepared frames, stamped in place and written straight to the socket. What this server reaches is the limit
//! that the kernel and the runtime set; what a framework costs is its distance from here.

mod connection;
mod frame;
mod handshake;
mod inbox;
mod prepared;
mod session;

use std::sync::Arc;

use tickbench_server_kit::{
    Endpoint, Flags, Framework, Hub, accept, announce, framework, listen, run, without_delay,
};
use tokio::net::TcpStream;

const FRAMEWORK: Framework = framework!("floor");

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse_for(&FRAMEWORK);
    run(serve(flags))
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    let listener = listen(flags.listen)?;
    announce(listener.local_addr()?)?;
    let hub = Hub::new();
    loop {
        let stream = accept(&listener).await;
        if flags.tuned {
            without_delay(&stream);
        }
        let hub = Arc::clone(&hub);
        tokio::spawn(async move {
            // What ends a connection early is the client's doing, and the client sees it.
            let _ = connection(stream, hub).await;
        });
    }
}

async fn connection(stream: TcpStream, hub: Arc<Hub<Arc<[u8]>>>) -> anyhow::Result<()> {
    let Some((connection, endpoint)) = handshake::open(stream).await? else { return Ok(()) };
    match endpoint {
        Endpoint::Echo => session::echo(connection).await,
        Endpoint::Ticks(request) => session::ticks(connection, request).await,
        Endpoint::Relay(role) => session::relay(connection, role, hub).await,
    }
}
