//! What one request gets from a server that was started with flags of its own: for tests beyond the contract.

use futures_util::StreamExt;

use crate::server::Server;

/// The data messages that come from `target` until the server closes.
pub fn stream_of(program: &str, flags: &[&str], target: &str) -> Vec<Vec<u8>> {
    with(program, flags, async |server| {
        let mut socket = server.open(target).await;
        let mut messages = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            if !message.is_close() {
                messages.push(message.into_data().to_vec());
            }
        }
        messages
    })
}

/// Status and body of the answer to a request that is not upgraded.
pub fn answer_of(program: &str, flags: &[&str], target: &str) -> (u16, String) {
    with(program, flags, async |server| server.get(target).await)
}

fn with<T>(program: &str, flags: &[&str], ask: impl AsyncFn(&Server) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { ask(&Server::start(program, flags).await).await })
}
