//! What ticks carry: a generated tape or a capture, each held once however many connections stream it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;
use tickbench_protocol::{Capture, CaptureError, Payload, Tape, TicksQuery};

/// The payloads of a stream.
#[derive(Debug, Clone)]
pub enum Feed {
    /// The generated feed of one seed.
    Generated(Arc<Tape>),
    /// A recorded session.
    Captured(Arc<Capture>),
}

/// Why a capture cannot be replayed.
#[derive(Debug, Error)]
#[error("failed to read the capture `{path}`: {cause}; feed takes a file of JSON lines, plain or gzip")]
pub struct FeedError {
    path: PathBuf,
    cause: CaptureError,
}

impl Feed {
    /// The feed that `query` asks for. A tape or capture in use by another stream of this thread is shared.
    pub fn open(query: &TicksQuery) -> Result<Feed, FeedError> {
        match &query.feed {
            None => {
                let make = || Ok::<_, FeedError>(Tape::generate(query.seed));
                Ok(Feed::Generated(TAPES.with_borrow_mut(|tapes| tapes.get_or_make(query.seed, make))?))
            }
            Some(path) => Ok(Feed::Captured(open_capture(path)?)),
        }
    }

    /// What tick `seq` carries.
    #[inline]
    pub fn payload(&self, seq: u64) -> Payload<'_> {
        match self {
            Feed::Generated(tape) => Payload::Update(tape.update(seq)),
            Feed::Captured(capture) => Payload::Captured(capture.payload(seq)),
        }
    }
}

thread_local! {
    static TAPES: RefCell<Shared<u64, Tape>> = const { RefCell::new(Shared(None)) };
    static CAPTURES: RefCell<Shared<FileVersion, Capture>> = const { RefCell::new(Shared(None)) };
}

/// Values that are kept as long as somebody holds them.
struct Shared<K, V>(Option<HashMap<K, Weak<V>>>);

impl<K: Hash + Eq, V> Shared<K, V> {
    fn get_or_make<E>(&mut self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let values = self.0.get_or_insert_default();
        if let Some(value) = values.get(&key).and_then(Weak::upgrade) {
            return Ok(value);
        }
        values.retain(|_, value| value.strong_count() > 0);
        let value = Arc::new(make()?);
        values.insert(key, Arc::downgrade(&value));
        Ok(value)
    }
}

/// A file's name and what changes with its content.
#[derive(PartialEq, Eq, Hash)]
struct FileVersion {
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
}

fn open_capture(path: &Path) -> Result<Arc<Capture>, FeedError> {
    let named = |cause| FeedError { path: path.into(), cause };
    let file = File::open(path).map_err(|cause| named(cause.into()))?;
    let metadata = file.metadata().map_err(|cause| named(cause.into()))?;
    let version =
        FileVersion { path: path.into(), length: metadata.len(), modified: metadata.modified().ok() };
    let read = || Capture::read(unpacked(BufReader::new(file))?);
    CAPTURES.with_borrow_mut(|captures| captures.get_or_make(version, read)).map_err(named)
}

/// The content of a file that may be gzip, told by its first two bytes.
fn unpacked(mut file: BufReader<File>) -> io::Result<Box<dyn BufRead>> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    if file.fill_buf()?.starts_with(&GZIP) {
        let decoder: Box<dyn Read> = Box::new(MultiGzDecoder::new(file));
        Ok(Box::new(BufReader::with_capacity(1 << 16, decoder)))
    } else {
        Ok(Box::new(file))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const LINES: &[u8] = b"{\"ts_ns\":5,\"payload\":\"a\"}\n{\"ts_ns\":9,\"payload\":\"b\"}\n";

    fn open(content: &[u8]) -> Result<Feed, FeedError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        Feed::open(&TicksQuery { feed: Some(file.path().into()), ..TicksQuery::default() })
    }

    #[test]
    fn plain_and_gzip_captures_are_the_same() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(LINES).unwrap();
        let (Ok(Feed::Captured(plain)), Ok(Feed::Captured(packed))) =
            (open(LINES), open(&gzip.finish().unwrap()))
        else {
            panic!("both are captures");
        };
        assert_eq!(plain, packed);
        assert_eq!(plain.messages().len(), 2);
    }

    #[test]
    fn an_unreadable_capture_is_named() {
        let missing = TicksQuery { feed: Some("/no/such/file".into()), ..TicksQuery::default() };
        assert!(Feed::open(&missing).unwrap_err().to_string().contains("`/no/such/file`"));
        let error = open(b"{\"ts_ns\":5,\"payload\":\"a\"}\nnonsense\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(open(b"\x1f\x8bno gzip at all").is_err());
    }

    #[test]
    fn streams_of_one_seed_share_a_tape() {
        let query = TicksQuery::default();
        let (Ok(Feed::Generated(first)), Ok(Feed::Generated(second))) =
            (Feed::open(&query), Feed::open(&query))
        else {
            panic!("both are generated");
        };
        assert!(Arc::ptr_eq(&first, &second));
    }
}
