//! What the guard objects to.

use core::fmt;

use super::error::VerifyError;

/// Why the guard ended a session, or did not begin it.
///
/// ```
/// use tacket_tls::{EngineError, GuardError, TlsError};
///
/// # fn look_at<E>(error: &TlsError<E>) {
/// if let TlsError::Engine(EngineError::Guard(GuardError::RecordTooLong { length, .. })) = error {
///     println!("this server needs room for records of {length} bytes");
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GuardError {
    /// The server has not proved who it is.
    Untrusted(VerifyError),
    /// The server refused, by this alert (RFC 8446, 6).
    Refused(u8),
    /// The peer sent a record that is longer than there is room for, or than any may be.
    RecordTooLong {
        /// How long it is, with its header.
        length: usize,
        /// How long it may be.
        room: usize,
    },
    /// A message of ours is longer than there is room for: by its names, its protocols or its certificate.
    NoRoom,
    /// A record of a type that has no place here.
    UnexpectedRecord,
    /// A message that has no place here.
    UnexpectedMessage,
    /// A record or a message that is not made as the rules say.
    Malformed,
    /// A message that goes on in the next record. Servers may part them; this engine cannot join them.
    Parted,
    /// The server chose what was not offered.
    IllegalHello,
    /// An extension of the server's that answers none of the client's.
    UnofferedExtension,
    /// An extension in a message where it has no place, or a second time.
    IllegalExtension,
    /// The server asks for another hello: it does not know the curve P-256.
    HelloRetry,
    /// The peer changes its keys, which this engine cannot.
    KeyUpdate,
    /// A record that was not protected with the keys of the session.
    BadRecord,
    /// The handshake that the server saw is not the one that took place here.
    BadFinished,
    /// The peer keeps sending records without data.
    TooManyRecords,
    /// As many records were sent as the keys are good for (RFC 8446, 5.5).
    KeysUsedUp,
    /// The engine is not in the state that it should be in.
    Internal,
}

impl GuardError {
    /// What to tell the peer (RFC 8446, 6.2). `None`: it is not to be told, or told us.
    pub(super) const fn alert(self) -> Option<u8> {
        match self {
            Self::Refused(_) | Self::NoRoom => None,
            Self::Untrusted(error) => Some(error.alert() as u8),
            Self::RecordTooLong { .. } => Some(22),
            Self::UnexpectedRecord
            | Self::UnexpectedMessage
            | Self::Parted
            | Self::KeyUpdate
            | Self::TooManyRecords => Some(10),
            Self::Malformed => Some(50),
            Self::IllegalHello | Self::IllegalExtension => Some(47),
            Self::UnofferedExtension => Some(110),
            Self::HelloRetry => Some(40),
            Self::BadRecord => Some(20),
            Self::BadFinished => Some(51),
            Self::KeysUsedUp | Self::Internal => Some(80),
        }
    }
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted(error) => return error.fmt(f),
            Self::Refused(alert) => return write!(f, "the peer refused by alert {alert}"),
            Self::RecordTooLong { length, room } => {
                return write!(f, "a record of {length} bytes, where {room} have room");
            }
            Self::NoRoom => "a message to be sent is longer than there is room for",
            Self::UnexpectedRecord => "unexpected record",
            Self::UnexpectedMessage => "unexpected message",
            Self::Malformed => "malformed record or message",
            Self::Parted => "a message in more than one record",
            Self::IllegalHello => "the server chose what was not offered",
            Self::UnofferedExtension => "an extension that was not asked for",
            Self::IllegalExtension => "an extension out of its place",
            Self::HelloRetry => "the server does not know the curve P-256",
            Self::KeyUpdate => "the peer changes its keys, which is not supported",
            Self::BadRecord => "a record is not protected by the keys of the session",
            Self::BadFinished => "the handshake was tampered with",
            Self::TooManyRecords => "too many records without data",
            Self::KeysUsedUp => "the keys are used up",
            Self::Internal => "the engine is in a wrong state",
        })
    }
}

impl core::error::Error for GuardError {}
