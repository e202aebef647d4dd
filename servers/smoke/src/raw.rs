//! A client that writes and reads frames by hand: it can stop reading, say much at once, and break the protocol.

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::server::Server;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame without its mask: nothing masked and no key is the same as a key of zeroes, which leaves the payload as it is.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// A close frame with a code.
pub(crate) fn close(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

/// What a server sent in one frame.
pub(crate) struct Received {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Received {
    pub(crate) fn is(&self, opcode: u8, payload: &[u8]) -> bool {
        self.opcode == opcode && self.payload == payload
    }

    /// The code of a close frame; panics for any other frame.
    pub(crate) fn close_code(&self) -> u16 {
        assert_eq!(self.opcode, CLOSE, "a frame of {} B in place of the close frame", self.payload.len());
        let code = self.payload.first_chunk().unwrap_or_else(|| panic!("a close frame without a code"));
        u16::from_be_bytes(*code)
    }
}

/// A connection that was upgraded.
pub(crate) struct RawClient {
    stream: BufReader<TcpStream>,
    target: String,
}

impl RawClient {
    pub(crate) async fn open(server: &Server, target: &str) -> RawClient {
        let mut stream = BufReader::new(TcpStream::connect(server.address).await.unwrap());
        stream.write_all(server.request(target, "Upgrade").as_bytes()).await.unwrap();
        let head = crate::server::read_head(&mut stream).await;
        assert!(head.starts_with("http/1.1 101"), "{target}: {head:?}");
        RawClient { stream, target: target.to_owned() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let sent = self.stream.write_all(bytes).await;
        sent.unwrap_or_else(|cause| panic!("{}: the server takes nothing more: {cause}", self.target));
    }

    /// Sends what there is room for now.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> usize {
        match self.stream.get_ref().try_write(bytes) {
            Ok(sent) => sent,
            Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(cause) => panic!("{}: the server takes nothing more: {cause}", self.target),
        }
    }

    /// The next frame, which must come whole, final and unmasked.
    pub(crate) async fn next(&mut self) -> Received {
        let target = self.target.clone();
        self.try_next().await.unwrap_or_else(|cause| panic!("{target}: no whole frame came: {cause}"))
    }

    async fn try_next(&mut self) -> std::io::Result<Received> {
        let first = self.stream.read_u8().await?;
        assert_eq!(first & 0xf0, 0x80, "{}: a first byte of {first:#x}", self.target);
        let bytes = match self.stream.read_u8().await? {
            126 => self.stream.read_u16().await?.into(),
            127 => self.stream.read_u64().await?,
            short @ 0..126 => short.into(),
            masked => panic!("{}: a second byte of {masked:#x}", self.target),
        };
        let mut payload = vec![0; bytes as usize];
        self.stream.read_exact(&mut payload).await?;
        Ok(Received { opcode: first & 0xf, payload })
    }

    /// Whether the server has left the connection open, and sent nothing more.
    pub(crate) fn is_silent(&self) -> bool {
        let read = self.stream.get_ref().try_read(&mut [0]);
        read.is_err_and(|cause| cause.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Expects the end of the stream.
    pub(crate) async fn expect_end(&mut self) {
        let mut rest = [0];
        let read = self.stream.read(&mut rest).await;
        assert!(matches!(read, Ok(0)), "{}: {read:?} {rest:?} in place of the end", self.target);
    }
}
