//! One connection: its request, and the two ways.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

use crate::frame::Frame;
use crate::lies::{self, Lie};
use crate::{Liar, VERIFIED};

/// Bytes of one read, and of each of the kernel's buffers on the way to the client: what the liar holds up beyond them is little beside
/// what the contract lets a server keep for a slow subscriber.
const READ_BYTES: usize = 64 << 10;

/// Passes a connection on to the real server, in whose place the lie may answer.
pub(crate) fn serve(mut client: TcpStream, number: u64, liar: &Liar) -> io::Result<()> {
    client.set_nodelay(true)?;
    set_socket_send_buffer_size(&client, READ_BYTES)?;
    let mut request = Vec::new();
    let head_bytes = read_head(&mut client, &mut request)?;
    let head = String::from_utf8_lossy(&request[..head_bytes]).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let upgrades = head.to_ascii_lowercase().contains("\r\nupgrade:");
    if target == "/" {
        std::fs::write(VERIFIED, "")?;
    }
    let truthful = !liar.place.is_on(number) || (liar.place.once_verified && !liar.was_verified);
    // Both ways have a lie of their own: neither has to wait for the other.
    let lie = || if truthful { None } else { lies::of(&liar.lie, target, upgrades) };
    if let Some(answer) = lie().as_ref().and_then(|lie| lie.in_place_of_the_server()) {
        return client.write_all(answer);
    }
    let mut server = TcpStream::connect(liar.server)?;
    server.set_nodelay(true)?;
    set_socket_recv_buffer_size(&server, READ_BYTES)?;
    server.write_all(&request[..head_bytes])?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let mut hearing = lie();
    thread::spawn(move || {
        // The ends of both ways are seen by client and server.
        let _ = hear(request.split_off(head_bytes), &mut from_client, &mut to_server, hearing.as_deref_mut());
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let done = match lie() {
        Some(mut lie) if upgrades => tell(&mut server, &mut client, liar, &mut *lie),
        _ => io::copy(&mut server, &mut client).map(drop),
    };
    // The other way is read until the client leaves: a socket that is closed with unread bytes resets its connection.
    client.shutdown(if done.is_ok() { Shutdown::Write } else { Shutdown::Both })
}

/// Reads until the head of a request or an answer is whole; returns its bytes.
fn read_head(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(at + 4);
        }
        if read(stream, bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut space = [0; READ_BYTES];
    let count = stream.read(&mut space)?;
    bytes.extend_from_slice(&space[..count]);
    Ok(count)
}

/// From the client to the real server.
fn hear(
    mut bytes: Vec<u8>,
    client: &mut TcpStream,
    server: &mut TcpStream,
    lie: Option<&mut (dyn Lie + 'static)>,
) -> io::Result<()> {
    let Some(lie) = lie else {
        server.write_all(&bytes)?;
        return io::copy(client, server).map(drop);
    };
    loop {
        let frames = std::iter::from_fn(|| Frame::take(&mut bytes)).collect();
        for frame in lie.hear(frames) {
            server.write_all(&frame.bytes())?;
        }
        if read(client, &mut bytes)? == 0 {
            return Ok(());
        }
    }
}

/// From the real server to the client, through the lie.
fn tell(server: &mut TcpStream, client: &mut TcpStream, liar: &Liar, lie: &mut dyn Lie) -> io::Result<()> {
    let mut bytes = Vec::new();
    let head = read_head(server, &mut bytes)?;
    if !bytes.starts_with(b"HTTP/1.1 101 ") {
        client.write_all(&bytes)?;
        return io::copy(server, client).map(drop);
    }
    lie.answer(&bytes[..head], client)?;
    bytes.drain(..head);
    if lie.is_without_bound() {
        return without_bound(bytes, server, client);
    }
    let mut message = 0;
    loop {
        while let Some(frame) = Frame::take(&mut bytes) {
            let counts = frame.counts();
            if !counts {
                lie.control(frame, client)?;
            } else if liar.place.holds(message) {
                lie.tell(frame, client)?;
            } else {
                client.write_all(&frame.bytes())?;
            }
            message += u64::from(counts);
        }
        if read(server, &mut bytes)? == 0 {
            return Ok(());
        }
    }
}

/// Takes all that the server sends, however slowly the client reads.
fn without_bound(first: Vec<u8>, server: &mut TcpStream, client: &mut TcpStream) -> io::Result<()> {
    let (queue, waiting) = mpsc::channel();
    let mut to_client = client.try_clone()?;
    let writer =
        thread::spawn(move || waiting.iter().try_for_each(|bytes: Vec<u8>| to_client.write_all(&bytes)));
    let mut bytes = first;
    // Nobody takes it any more where the client has left.
    while queue.send(std::mem::take(&mut bytes)).is_ok() && read(server, &mut bytes)? > 0 {}
    drop(queue);
    writer.join().expect("writing does not panic")
}
