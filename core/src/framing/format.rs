//! How messages stand in a stream: pure functions of bytes, without a stream.

use core::ops::Range;

/// How messages stand in a stream of bytes: what comes before and after each, and how to find the end of one.
///
/// It keeps nothing: [`look`](Self::look) is shown all that has come since the last message.
pub trait Framing {
    /// Looks for a message at the front of `data`, which is all that has come so far. A message may have `most` bytes, so with the
    /// [overhead](Self::overhead) of one there, it is no part any more.
    ///
    /// # Errors
    ///
    /// The message that begins there is longer than that, which shows as early as it can.
    fn look(&self, data: &[u8], most: usize) -> Result<Seen, Oversize>;

    /// The most bytes that it adds to a message.
    fn overhead(&self) -> usize;

    /// Writes `message`, and what belongs around it, to the front of `frame`, and returns how many bytes that are. `frame` has room for a
    /// message of this length and the [overhead](Self::overhead).
    ///
    /// # Errors
    ///
    /// Such a message cannot be sent this way: it is too long for its prefix, or contains the delimiter.
    fn put(&self, message: &[u8], frame: &mut [u8]) -> Result<usize, Oversize>;
}

/// What stands at the front of the bytes that have come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// The beginning of a message, or nothing.
    Part,
    /// A whole message.
    Message {
        /// Where it stands.
        message: Range<usize>,
        /// Where the next one begins.
        end: usize,
    },
}

/// A message that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "formats of others make it")]
pub struct Oversize {
    /// Its bytes, as far as that is known: of a delimited one, those that have come.
    pub length: usize,
    /// The most bytes that a message may have.
    pub most: usize,
}

/// Each message after its length, in `BYTES` bytes, the highest first: 1, 2, 4 or 8.
///
/// ```
/// use tacket::{Framing, LengthPrefixed};
///
/// let mut frame = [0; 8];
/// let length = LengthPrefixed::<2>.put(b"hello", &mut frame);
/// assert_eq!(length, Ok(7));
/// assert_eq!(frame[..7], *b"\0\x05hello");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is only its type")]
pub struct LengthPrefixed<const BYTES: usize>;

impl<const BYTES: usize> LengthPrefixed<BYTES> {
    const KNOWN: () = assert!(matches!(BYTES, 1 | 2 | 4 | 8), "1, 2, 4 or 8 bytes");
}

impl<const BYTES: usize> Framing for LengthPrefixed<BYTES> {
    fn look(&self, data: &[u8], most: usize) -> Result<Seen, Oversize> {
        let () = Self::KNOWN;
        let Some(prefix) = data.first_chunk::<BYTES>() else {
            return Ok(Seen::Part);
        };
        let length = prefix
            .iter()
            .fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > most {
            return Err(Oversize { length, most });
        }
        Ok(match BYTES.checked_add(length) {
            Some(end) if data.len() >= end => Seen::Message {
                message: BYTES..end,
                end,
            },
            _ => Seen::Part,
        })
    }

    fn overhead(&self) -> usize {
        BYTES
    }

    fn put(&self, message: &[u8], frame: &mut [u8]) -> Result<usize, Oversize> {
        let () = Self::KNOWN;
        let length = message.len();
        let most = u64::MAX >> (64 - 8 * BYTES);
        let end = BYTES + length;
        let too_long = Oversize {
            length,
            most: usize::try_from(most).unwrap_or(usize::MAX),
        };
        if length as u64 > most {
            return Err(too_long);
        }
        let frame = frame.get_mut(..end).ok_or(too_long)?;
        let (prefix, place) = frame.split_at_mut(BYTES);
        let bytes = (length as u64).to_be_bytes();
        prefix.copy_from_slice(bytes.get(8 - BYTES..).unwrap_or_default());
        place.copy_from_slice(message);
        Ok(end)
    }
}

/// Each message before a byte that none contains, such as the end of a line.
///
/// ```
/// use tacket::{Delimited, Framing, Seen};
///
/// let lines = Delimited(b'\n');
/// let seen = lines.look(b"one\ntwo", 80);
/// assert_eq!(seen, Ok(Seen::Message { message: 0..3, end: 4 }));
/// assert_eq!(lines.look(b"two", 80), Ok(Seen::Part));
/// assert!(lines.look(b"three", 4).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is the delimiter")]
pub struct Delimited(pub u8);

impl Framing for Delimited {
    fn look(&self, data: &[u8], most: usize) -> Result<Seen, Oversize> {
        let found = data.iter().position(|byte| *byte == self.0);
        let length = found.unwrap_or(data.len());
        if length > most {
            return Err(Oversize { length, most });
        }
        Ok(match found {
            Some(at) => Seen::Message {
                message: 0..at,
                end: at + 1,
            },
            None => Seen::Part,
        })
    }

    fn overhead(&self) -> usize {
        1
    }

    /// A message with the delimiter in it fits up to there: that is the length in the error.
    fn put(&self, message: &[u8], frame: &mut [u8]) -> Result<usize, Oversize> {
        let length = message.len();
        if let Some(most) = message.iter().position(|byte| *byte == self.0) {
            return Err(Oversize { length, most });
        }
        let most = frame.len().saturating_sub(1);
        let too_long = Oversize { length, most };
        let (place, rest) = frame.split_at_mut_checked(length).ok_or(too_long)?;
        let delimiter = rest.first_mut().ok_or(too_long)?;
        place.copy_from_slice(message);
        *delimiter = self.0;
        Ok(length + 1)
    }
}
