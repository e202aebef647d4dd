//! What a server may not send.

use thiserror::Error;

/// A breach of RFC 6455 by the server, or a message over the reader's limit. The connection is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// Section 5.1: a server must not mask its frames.
    #[error("masked frame from the server")]
    Masked,
    /// Section 5.2: no extension was agreed on, so RSV1 to RSV3 must be 0.
    #[error("reserved bits {0:#05b} are set and no extension was agreed on")]
    ReservedBits(u8),
    /// Section 5.2: an opcode that has no meaning.
    #[error("reserved opcode {0:#x}")]
    ReservedOpcode(u8),
    /// Section 5.2: the shortest form of the length must be used.
    #[error("payload length {0} is not in its shortest form")]
    LengthForm(u64),
    /// Section 5.5: a control frame carries at most 125 bytes.
    #[error("control frame of more than 125 bytes")]
    LongControl,
    /// Section 5.5: a control frame must not be fragmented.
    #[error("fragmented control frame")]
    FragmentedControl,
    /// Section 5.4: a continuation needs a message to continue.
    #[error("continuation frame with no message to continue")]
    StrayContinuation,
    /// Section 5.4: fragments of two messages must not be mixed.
    #[error("new data frame inside a fragmented message")]
    InterruptedMessage,
    /// Section 8.1: text is UTF-8.
    #[error("text message is not UTF-8")]
    Utf8,
    /// Section 5.5.1: a close payload is empty or begins with a code of two bytes.
    #[error("close frame with a payload of one byte")]
    ShortClose,
    /// Section 7.4: a close code that must not be sent.
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    /// Section 5.5.1: the reason in a close frame is UTF-8.
    #[error("close reason is not UTF-8")]
    CloseReason,
    /// More than the reader was told to accept.
    #[error("message of {bytes} bytes or more exceeds the limit of {limit}")]
    TooLong {
        /// What the message has, so far.
        bytes: u64,
        /// What it may have.
        limit: u64,
    },
}
