//! A server without a framework and nearly without work: it floods prepared frames, so that the client is what binds.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context as _, bail};
use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Mask, Opcode, write_frame};
use tickbench_protocol::{
    BINARY_HEADER_BYTES, JSON_HEADER_BYTES, Payload, Stamps, Tape, encode_binary, encode_json, ready_line,
};
use tickbench_record::Encoding;

use crate::affinity;
use crate::link::{accept_of, header};

/// The feed's seed: the default of `/ticks`.
const SEED: u64 = 1;

/// Bytes that are stamped and written at once, or more: few system calls, and still inside a core's own cache.
const WRITE_BYTES: usize = 128 << 10;

/// Where the digits of `seq` are in a JSON tick.
const JSON_SEQ: std::ops::Range<usize> = 8..28;

/// Listens, floods every connection, and ends when standard input closes.
pub(crate) fn serve(listen: SocketAddr, encoding: Encoding, core: Option<usize>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("failed to listen on `{listen}`"))?;
    println!("{}", ready_line(listener.local_addr()?));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let ended = core.map_or(Ok(()), affinity::pin).and_then(|()| flood(&mut stream?, encoding));
                if let Err(cause) = ended {
                    eprintln!("connection ended: {cause:#}");
                }
            });
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).context("failed to read standard input")?;
    Ok(())
}

/// Upgrades one connection and writes frames until the client is gone.
fn flood(stream: &mut TcpStream, encoding: Encoding) -> anyhow::Result<()> {
    upgrade(stream)?;
    let mut frames = Frames::new(encoding);
    loop {
        stream.write_all(frames.next_batch(monotonic_ns()))?;
    }
}

/// Whatever is asked for is granted.
fn upgrade(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    let mut space = [0; 4096];
    loop {
        let count = stream.read(&mut space)?;
        if count == 0 || bytes.len() > 64 << 10 {
            bail!("the client sent no request");
        }
        bytes.extend_from_slice(&space[..count]);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if request.parse(&bytes)?.is_complete() {
            let key = header(request.headers, "Sec-WebSocket-Key").context("the request is no upgrade")?;
            let accept = accept_of(key);
            write!(
                stream,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            )?;
            return Ok(());
        }
    }
}

/// A batch of frames that is stamped anew each time it is sent.
pub(crate) struct Frames {
    encoding: Encoding,
    bytes: Vec<u8>,
    /// Where each payload begins.
    payloads: Vec<usize>,
    next_seq: u64,
}

impl Frames {
    /// Whole tapes, so that the batch can follow itself.
    pub(crate) fn new(encoding: Encoding) -> Frames {
        let tape = Tape::generate(SEED);
        let mut frames = Frames { encoding, bytes: Vec::new(), payloads: Vec::new(), next_seq: 0 };
        let mut message = Vec::new();
        while frames.bytes.len() < WRITE_BYTES {
            for update in tape.updates() {
                message.clear();
                let opcode = match encoding {
                    Encoding::Json => {
                        encode_json(&Stamps::default(), Payload::Update(update), 0, &mut message);
                        Opcode::Text
                    }
                    Encoding::Binary => {
                        encode_binary(&Stamps::default(), Payload::Update(update), 0, &mut message);
                        Opcode::Binary
                    }
                };
                write_frame(&mut frames.bytes, true, opcode, Mask::None, &message);
                frames.payloads.push(frames.bytes.len() - message.len());
            }
        }
        frames
    }

    /// The next frames, sent at `now_ns`.
    pub(crate) fn next_batch(&mut self, now_ns: u64) -> &[u8] {
        let mut stamps = Stamps { seq: self.next_seq, due_ns: now_ns, sent_ns: now_ns };
        self.next_seq += self.payloads.len() as u64;
        match self.encoding {
            Encoding::Binary => {
                for &at in &self.payloads {
                    stamps.write_binary(&mut self.bytes[at..at + BINARY_HEADER_BYTES]);
                    stamps.seq += 1;
                }
            }
            Encoding::Json => {
                // Counting in decimal costs less than twenty divisions a frame.
                let mut head = [0; JSON_HEADER_BYTES];
                stamps.write_json(&mut head);
                for &at in &self.payloads {
                    self.bytes[at..at + JSON_HEADER_BYTES].copy_from_slice(&head);
                    increment(&mut head[JSON_SEQ]);
                }
            }
        }
        &self.bytes
    }
}

/// Adds one to a decimal number.
fn increment(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickbench_frame::{Decoder, Event};

    #[test]
    fn batches_follow_each_other_and_are_what_the_seed_says() {
        for encoding in [Encoding::Json, Encoding::Binary] {
            let (mut frames, tape) = (Frames::new(encoding), Tape::generate(SEED));
            let mut decoder = Decoder::new(1 << 20);
            let mut seq = 0;
            for now_ns in [5, 6] {
                let mut rest = frames.next_batch(now_ns);
                while let Some(Event::Message { payload, .. }) = decoder.next(&mut rest).unwrap() {
                    let stamps = Stamps { seq, due_ns: now_ns, sent_ns: now_ns };
                    let (update, mut due) = (Payload::Update(tape.update(seq)), Vec::new());
                    match encoding {
                        Encoding::Json => encode_json(&stamps, update, 0, &mut due),
                        Encoding::Binary => encode_binary(&stamps, update, 0, &mut due),
                    }
                    assert_eq!(payload, due);
                    seq += 1;
                }
                assert!(rest.is_empty());
            }
            assert!(seq >= 2048);
        }
    }
}
