//! A liar, for the harness's tests: it stands before a real server, passes on what goes either way, and lies where it is told to.
//!
//! `liar LIE [PLACE ...] -- SERVER [FLAGS]`: the real server is started with the same flags, but for its address. [`Place`] says on which
//! connections and from which message on the lie is told; each file of `lies` is one family of lies.

mod connection;
mod frame;
mod lies;
mod place;

use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;

use tickbench_protocol::{parse_ready_line, ready_line};

use place::Place;

/// The file in a server's folder that tells its later processes that it was verified.
const VERIFIED: &str = "verified";

/// What every connection knows.
pub(crate) struct Liar {
    /// Where the real server listens.
    server: SocketAddr,
    lie: String,
    place: Place,
    /// Whether a process of this server was asked for `GET /` before this one began: verification asks so, and a measurement never does.
    was_verified: bool,
}

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (words, command) = args.split_at(args.iter().position(|arg| arg == "--").expect("a server"));
    let (lie, place) = words.split_first().expect("a lie");
    assert!(lies::is_one(lie), "there is no lie {lie:?}");
    let place = Place::parse(place);
    let was_verified = Path::new(VERIFIED).exists();
    let (listen, mut child) = start(&command[1..])?;
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    output.read_line(&mut line)?;
    let Some(server) = parse_ready_line(&line) else {
        // It printed its version or help, or told on standard error what is wrong.
        print!("{line}");
        io::copy(&mut output, &mut io::stdout())?;
        return ended(lie, &mut child);
    };
    let listener = TcpListener::bind(listen)?;
    println!("{}", ready_line(listener.local_addr()?));
    let liar = Arc::new(Liar { server, lie: lie.clone(), place, was_verified });
    thread::spawn(move || {
        for (number, client) in (0..).zip(listener.incoming()) {
            let (client, liar) = (client.expect("a connection"), Arc::clone(&liar));
            // What ends a connection early is seen by the client.
            thread::spawn(move || connection::serve(client, number, &liar));
        }
    });
    // The real server has the same standard input, and ends when it does.
    ended(lie, &mut child)
}

/// Starts the real server on a port of its own. Returns where the liar is to listen.
fn start(command: &[String]) -> io::Result<(String, Child)> {
    let (program, flags) = command.split_first().expect("a server's program");
    let mut flags = flags.to_vec();
    let mut listen = "127.0.0.1:0".to_owned();
    if let Some(at) = flags.iter().position(|flag| flag == "--listen") {
        // A flag without its value, or with one that is no address, is the real server's to refuse.
        if let Some(value) = flags.get_mut(at + 1).filter(|value| value.parse::<SocketAddr>().is_ok()) {
            listen = std::mem::replace(value, "127.0.0.1:0".to_owned());
        }
    }
    Ok((listen, Command::new(program).args(flags).stdout(Stdio::piped()).spawn()?))
}

fn ended(lie: &str, child: &mut Child) -> io::Result<ExitCode> {
    let code = child.wait()?.code().map_or(1, |code| code as u8);
    Ok(if lie == lies::ENDS_WELL { ExitCode::SUCCESS } else { ExitCode::from(code) })
}
