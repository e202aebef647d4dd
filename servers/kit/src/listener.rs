//! The runtime, the listening socket and the line that says that it listens.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tickbench_protocol::ready_line;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::ended;

/// Connections that the kernel may hold until they are accepted. Clients open thousands at once, and one that finds the
/// queue full comes again only after a second.
pub const BACKLOG: u32 = 4096;

/// Runs `serve` on a runtime of one thread until it fails or the server is told to end ([`ended`]).
pub fn run<E: From<io::Error>>(serve: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = serve => result,
            result = ended() => Ok(result?),
        }
    });
    // Connections that are open are cut, not waited for.
    runtime.shutdown_background();
    result
}

/// Binds to `address` and begins to listen.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let named = |cause: io::Error| {
        let next = "choose another address with --listen, or port 0 for any free port";
        io::Error::new(cause.kind(), format!("failed to listen on `{address}`: {cause}; {next}"))
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).map_err(named)?;
    socket.listen(BACKLOG).map_err(named)
}

/// Prints the ready line for `address` to standard output.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", ready_line(address))?;
    stdout.flush()
}

/// The next connection. Goes on after connections that died before they were accepted, and waits a moment where the process
/// may not open another file.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(cause) if is_of_the_connection(&cause) => {}
            Err(cause) => {
                eprintln!(
                    "failed to accept a connection: {cause}; raise the limit of open files (ulimit -n)"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Turns Nagle's algorithm off, as the tuned lane does.
pub fn without_delay(stream: &TcpStream) {
    // A connection that is gone already fails here, and is found gone by its first read.
    let _ = stream.set_nodelay(true);
}

fn is_of_the_connection(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
