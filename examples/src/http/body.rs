//! Where the body of an answer ends.

use super::head::{MAX_HEAD, is_number};

/// The fields of a head that say where the body ends.
#[derive(Default)]
pub(super) struct Framing {
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    /// Takes notice of a field. `None`: it cannot be, or contradicts another.
    pub(super) fn field(&mut self, name: &str, value: &str) -> Option<()> {
        if name.eq_ignore_ascii_case("Content-Length") {
            let length = value.parse().ok().filter(|_| is_number(value))?;
            (*self.length.get_or_insert(length) == length).then_some(())?;
        } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
            // The only coding that there is without having asked for one, and it can be applied only once.
            (!self.chunked && value.eq_ignore_ascii_case("chunked")).then_some(())?;
            self.chunked = true;
        }
        // Two sayings about the length are an attempt to be understood differently by two readers.
        (!self.chunked || self.length.is_none()).then_some(())
    }

    /// The body of an answer with `status`.
    pub(super) fn body(self, status: u16) -> Body {
        match self {
            _ if matches!(status, 204 | 304) => Body::Sized { left: 0 },
            Self { chunked: true, .. } => Body::Chunked(Chunked::new()),
            Self {
                length: Some(left), ..
            } => Body::Sized { left },
            _ => Body::UntilEnd,
        }
    }
}

/// What is still to come of a body.
#[derive(Debug)]
pub(super) enum Body {
    Sized {
        left: u64,
    },
    Chunked(Chunked),
    /// Nothing but the end of the stream ends it.
    UntilEnd,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Up to so many bytes of the body.
    Data(u64),
    /// A byte that is for [`Body::frame`].
    Frame,
    End,
}

impl Body {
    pub(super) const fn next(&self) -> Next {
        match *self {
            Self::Sized { left: 0 } => Next::End,
            Self::Sized { left } => Next::Data(left),
            Self::Chunked(ref chunked) => chunked.next(),
            Self::UntilEnd => Next::Data(u64::MAX),
        }
    }

    /// So many bytes of the body were received.
    pub(super) fn received(&mut self, count: u64) {
        match self {
            Self::Sized { left } => *left = left.saturating_sub(count),
            Self::Chunked(chunked) => chunked.received(count),
            Self::UntilEnd => {}
        }
    }

    /// The stream has ended. Returns whether the body is complete.
    pub(super) fn stream_ended(&mut self) -> bool {
        let complete = matches!(self, Self::UntilEnd);
        if complete {
            *self = Self::Sized { left: 0 };
        }
        complete
    }

    /// A byte between the data. `None`: it must not be there, and nothing after it makes sense.
    pub(super) fn frame(&mut self, byte: u8) -> Option<()> {
        match self {
            Self::Chunked(chunked) => chunked.frame(byte),
            Self::Sized { .. } | Self::UntilEnd => None,
        }
    }
}

/// Chunks: each with its size in a line before it, the last one empty and followed by fields (RFC 9112, 7.1).
#[derive(Debug)]
pub(super) struct Chunked {
    place: Place,
    /// How many bytes may yet come that mean nothing here.
    patience: usize,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the digits before a chunk, after so many of them.
    Size {
        size: u64,
        digits: u8,
    },
    /// In what may follow them in their line.
    Extension {
        size: u64,
    },
    /// Before the line feed of that line.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataEnd,
    DataLineFeed,
    /// At the start of a line after the last chunk.
    Trailer,
    TrailerField,
    TrailerLineFeed,
    LastLineFeed,
    End,
    Malformed,
}

impl Chunked {
    const SIZE: Place = Place::Size { size: 0, digits: 0 };

    const fn new() -> Self {
        Self {
            place: Self::SIZE,
            patience: MAX_HEAD,
        }
    }

    const fn next(&self) -> Next {
        match self.place {
            Place::Data { left } => Next::Data(left),
            Place::End => Next::End,
            _ => Next::Frame,
        }
    }

    fn received(&mut self, count: u64) {
        if let Place::Data { left } = self.place {
            self.place = match left.saturating_sub(count) {
                0 => Place::DataEnd,
                left => Place::Data { left },
            };
        }
    }

    fn frame(&mut self, byte: u8) -> Option<()> {
        let place = self.after(byte);
        self.place = place.unwrap_or(Place::Malformed);
        place.map(drop)
    }

    fn after(&mut self, byte: u8) -> Option<Place> {
        Some(match (self.place, byte) {
            (Place::Size { size, digits: 1.. } | Place::Extension { size }, b'\r') => {
                Place::SizeEnd { size }
            }
            (Place::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => Place::Extension { size },
            (
                Place::Size {
                    size,
                    digits: digits @ ..16,
                },
                _,
            ) => {
                let digit = char::from(byte).to_digit(16)?;
                Place::Size {
                    size: size << 4 | u64::from(digit),
                    digits: digits + 1,
                }
            }
            (Place::SizeEnd { size: 0 }, b'\n') => Place::Trailer,
            (Place::SizeEnd { size }, b'\n') => Place::Data { left: size },
            (Place::DataEnd, b'\r') => Place::DataLineFeed,
            (Place::DataLineFeed, b'\n') => Self::SIZE,
            (Place::Trailer, b'\r') => Place::LastLineFeed,
            (Place::TrailerField, b'\r') => Place::TrailerLineFeed,
            (Place::TrailerLineFeed, b'\n') => Place::Trailer,
            (Place::LastLineFeed, b'\n') => Place::End,
            (place @ (Place::Extension { .. } | Place::Trailer | Place::TrailerField), _) => {
                self.patience = self.patience.checked_sub(1)?;
                match (place, byte) {
                    (_, b'\n') => return None,
                    (Place::Extension { .. }, _) => place,
                    _ => Place::TrailerField,
                }
            }
            _ => return None,
        })
    }
}
