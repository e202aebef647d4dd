//! tokio-tungstenite on a bare TCP listener.

mod handshake;
mod session;

use std::sync::Arc;

use tickbench_protocol::MAX_MESSAGE_BYTES;
use tickbench_server_kit::{
    Endpoint, Flags, Framework, Hub, TUNED_READ_BUFFER_BYTES, TUNED_WRITE_BUFFER_BYTES, accept, announce,
    framework, listen, run, without_delay,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};

const FRAMEWORK: Framework = framework!("tungstenite");

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
            let _ = connection(stream, config(flags.tuned), hub).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    config: WebSocketConfig,
    hub: Arc<Hub<Message>>,
) -> anyhow::Result<()> {
    let Some((socket, endpoint)) = handshake::open(stream, config).await? else { return Ok(()) };
    match endpoint {
        Endpoint::Echo => session::echo(socket).await,
        Endpoint::Ticks(request) => session::ticks(socket, request).await,
        Endpoint::Relay(role) => session::relay(socket, role, hub).await,
    }
}

fn config(tuned: bool) -> WebSocketConfig {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    if tuned {
        config.read_buffer_size(TUNED_READ_BUFFER_BYTES).write_buffer_size(TUNED_WRITE_BUFFER_BYTES)
    } else {
        config
    }
}
