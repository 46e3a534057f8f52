//! What client and device say to each other.

use core::fmt;
use core::num::NonZeroU16;

use super::frame::{EncodedFrame, Frame};

const MAX_NAME: usize = 16;

/// The name of a reading: 1 to 16 visible ASCII characters.
///
/// ```
/// use tacket_examples::telemetry::Name;
/// assert_eq!(Name::new("setpoint").expect("short").as_str(), "setpoint");
/// assert_eq!(Name::new("two words"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: [u8; MAX_NAME],
    length: usize,
}

impl Name {
    /// `None` if `text` is not a name.
    #[must_use]
    pub const fn new(text: &str) -> Option<Self> {
        Self::from_ascii(text.as_bytes())
    }

    /// A name in the source code.
    pub(super) const fn literal(text: &str) -> Self {
        match Self::new(text) {
            Some(name) => name,
            None => panic!("not a name"),
        }
    }

    const fn from_ascii(text: &[u8]) -> Option<Self> {
        let mut left = text;
        while let [first, rest @ ..] = left {
            if !first.is_ascii_graphic() {
                return None;
            }
            left = rest;
        }
        let mut bytes = [0; MAX_NAME];
        match bytes.split_at_mut_checked(text.len()) {
            Some((room, _)) if !text.is_empty() => room.copy_from_slice(text),
            _ => return None,
        }
        Some(Self {
            bytes,
            length: text.len(),
        })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What a client may do with a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Read it.
    ReadOnly,
    /// Read it, and set it to a value in this range, both ends included.
    Writable {
        /// The smallest value it takes.
        least: i32,
        /// The greatest value it takes.
        greatest: i32,
    },
}

/// A reading, as the list of a device names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "devices are made of them")]
pub struct Entry {
    /// How requests name it.
    pub name: Name,
    /// What may be done with it.
    pub access: Access,
}

/// One value of a running subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is the message, as sent")]
pub struct Sample {
    /// How many samples of this subscription came before.
    pub sequence: u16,
    /// In thousandths of the unit.
    pub value: i32,
}

/// From the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Which readings are there?
    List,
    /// What is the value?
    Read(Name),
    /// Change the value.
    Set(Name, i32),
    /// Send `count` samples, one each `interval` milliseconds.
    Subscribe {
        /// Of which reading.
        name: Name,
        /// Milliseconds from one sample to the next, and before the first.
        interval: NonZeroU16,
        /// How many samples.
        count: NonZeroU16,
    },
    /// Send no more samples.
    Unsubscribe,
}

/// From the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// One reading of the list.
    Entry(Entry),
    /// The list is complete, with so many readings.
    EndOfList(u8),
    /// The value that was asked for, in thousandths of the unit.
    Value(i32),
    /// The value is set.
    Done,
    /// Samples will come.
    Subscribed,
    /// One of them.
    Sample(Sample),
    /// That was the last of so many samples.
    Complete(u16),
    /// No more samples will come, after so many.
    Unsubscribed(u16),
    /// The request was not carried out.
    Refused(Refusal),
}

/// Why a device did not carry out a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no reading of that name.
    UnknownName,
    /// That reading cannot be set.
    ReadOnly,
    /// The value is outside the range of the reading.
    OutOfRange,
    /// A subscription is still running.
    Busy,
    /// It does not know this kind of request.
    UnknownRequest,
    /// The payload is not what this kind of request demands. The session ends.
    Malformed,
    /// The frame is too long. The session ends.
    TooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownName => "no such reading",
            Self::ReadOnly => "this reading cannot be set",
            Self::OutOfRange => "the value is out of range",
            Self::Busy => "a subscription is still running",
            Self::UnknownRequest => "unknown kind of request",
            Self::Malformed => "malformed request",
            Self::TooLong => "the request is too long",
        })
    }
}

impl core::error::Error for Refusal {}

impl Request {
    /// Reads a request from a frame.
    ///
    /// # Errors
    ///
    /// The refusal to answer with: [`Refusal::UnknownRequest`] or [`Refusal::Malformed`].
    pub fn parse(frame: Frame<'_>) -> Result<Self, Refusal> {
        let mut fields = Fields(frame.payload);
        let request = match frame.kind {
            1 => Some(Self::List),
            2 => fields.name().map(Self::Read),
            3 => fields.set(),
            4 => fields.subscribe(),
            5 => Some(Self::Unsubscribe),
            _ => return Err(Refusal::UnknownRequest),
        };
        request
            .filter(|_| fields.is_empty())
            .ok_or(Refusal::Malformed)
    }

    /// Writes the request as a frame.
    #[must_use]
    pub fn encode(&self) -> EncodedFrame {
        match self {
            Self::List => EncodedFrame::new(1),
            Self::Read(name) => EncodedFrame::new(2).put_name(name),
            Self::Set(name, value) => EncodedFrame::new(3)
                .put_name(name)
                .put(&value.to_be_bytes()),
            Self::Subscribe {
                name,
                interval,
                count,
            } => EncodedFrame::new(4)
                .put_name(name)
                .put(&interval.get().to_be_bytes())
                .put(&count.get().to_be_bytes()),
            Self::Unsubscribe => EncodedFrame::new(5),
        }
    }
}

impl Response {
    /// Reads a response from a frame; `None` if it is not one.
    #[must_use]
    pub fn parse(frame: Frame<'_>) -> Option<Self> {
        let mut fields = Fields(frame.payload);
        let response = match frame.kind {
            0x81 => Self::Entry(fields.entry()?),
            0x82 => Self::EndOfList(fields.u8()?),
            0x83 => Self::Value(fields.i32()?),
            0x84 => Self::Done,
            0x85 => Self::Subscribed,
            0x86 => Self::Sample(fields.sample()?),
            0x87 => Self::Complete(fields.u16()?),
            0x88 => Self::Unsubscribed(fields.u16()?),
            0xff => Self::Refused(fields.refusal()?),
            _ => return None,
        };
        fields.is_empty().then_some(response)
    }

    /// Writes the response as a frame.
    #[must_use]
    pub fn encode(&self) -> EncodedFrame {
        match self {
            Self::Entry(entry) => {
                let frame = EncodedFrame::new(0x81).put_name(&entry.name);
                match entry.access {
                    Access::ReadOnly => frame.put(&[0]),
                    Access::Writable { least, greatest } => frame
                        .put(&[1])
                        .put(&least.to_be_bytes())
                        .put(&greatest.to_be_bytes()),
                }
            }
            Self::EndOfList(count) => EncodedFrame::new(0x82).put(&[*count]),
            Self::Value(value) => EncodedFrame::new(0x83).put(&value.to_be_bytes()),
            Self::Done => EncodedFrame::new(0x84),
            Self::Subscribed => EncodedFrame::new(0x85),
            Self::Sample(sample) => EncodedFrame::new(0x86)
                .put(&sample.sequence.to_be_bytes())
                .put(&sample.value.to_be_bytes()),
            Self::Complete(sent) => EncodedFrame::new(0x87).put(&sent.to_be_bytes()),
            Self::Unsubscribed(sent) => EncodedFrame::new(0x88).put(&sent.to_be_bytes()),
            Self::Refused(refusal) => EncodedFrame::new(0xff).put(&[refusal.code()]),
        }
    }
}

impl Refusal {
    const ALL: [Self; 7] = [
        Self::UnknownName,
        Self::ReadOnly,
        Self::OutOfRange,
        Self::Busy,
        Self::UnknownRequest,
        Self::Malformed,
        Self::TooLong,
    ];

    const fn code(self) -> u8 {
        match self {
            Self::UnknownName => 1,
            Self::ReadOnly => 2,
            Self::OutOfRange => 3,
            Self::Busy => 4,
            Self::UnknownRequest => 5,
            Self::Malformed => 6,
            Self::TooLong => 7,
        }
    }
}

impl EncodedFrame {
    fn put_name(self, name: &Name) -> Self {
        let length = u8::try_from(name.length).unwrap_or(u8::MAX);
        self.put(&[length]).put(name.as_bytes())
    }
}

/// What is left of a payload to read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn name(&mut self) -> Option<Name> {
        let length = usize::from(self.u8()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Name::from_ascii(text)
    }

    fn set(&mut self) -> Option<Request> {
        Some(Request::Set(self.name()?, self.i32()?))
    }

    fn subscribe(&mut self) -> Option<Request> {
        Some(Request::Subscribe {
            name: self.name()?,
            interval: NonZeroU16::new(self.u16()?)?,
            count: NonZeroU16::new(self.u16()?)?,
        })
    }

    fn entry(&mut self) -> Option<Entry> {
        Some(Entry {
            name: self.name()?,
            access: self.access()?,
        })
    }

    fn access(&mut self) -> Option<Access> {
        match self.u8()? {
            0 => Some(Access::ReadOnly),
            1 => Some(Access::Writable {
                least: self.i32()?,
                greatest: self.i32()?,
            }),
            _ => None,
        }
    }

    fn sample(&mut self) -> Option<Sample> {
        Some(Sample {
            sequence: self.u16()?,
            value: self.i32()?,
        })
    }

    fn refusal(&mut self) -> Option<Refusal> {
        let code = self.u8()?;
        Refusal::ALL
            .into_iter()
            .find(|refusal| refusal.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn requests() -> Vec<Request> {
        vec![
            Request::List,
            Request::Read(name("x")),
            Request::Set(name("sixteen_letters_"), -2),
            Request::Set(name("high"), i32::MAX),
            Request::Subscribe {
                name: name("temperature"),
                interval: NonZeroU16::MIN,
                count: NonZeroU16::MAX,
            },
            Request::Unsubscribe,
        ]
    }

    fn responses() -> Vec<Response> {
        let mut all = vec![
            Response::Entry(Entry {
                name: name("a"),
                access: Access::ReadOnly,
            }),
            Response::Entry(Entry {
                name: name("sixteen_letters_"),
                access: Access::Writable {
                    least: i32::MIN,
                    greatest: -1,
                },
            }),
            Response::EndOfList(200),
            Response::Value(-1_234_567),
            Response::Done,
            Response::Subscribed,
            Response::Sample(Sample {
                sequence: 0x1234,
                value: -5,
            }),
            Response::Complete(0xabcd),
            Response::Unsubscribed(1),
        ];
        all.extend(Refusal::ALL.map(Response::Refused));
        all
    }

    #[test]
    fn every_message_survives_the_wire() {
        for request in requests() {
            assert_eq!(Request::parse(request.encode().frame()), Ok(request));
        }
        for response in responses() {
            assert_eq!(Response::parse(response.encode().frame()), Some(response));
        }
    }

    #[test]
    fn a_payload_a_byte_short_or_a_byte_long_is_malformed() {
        for request in requests() {
            let encoded = request.encode();
            let (kind, payload) = (encoded.frame().kind, encoded.frame().payload);
            for length in 0..payload.len() {
                let payload = &payload[..length];
                let parsed = Request::parse(Frame { kind, payload });
                assert_eq!(parsed, Err(Refusal::Malformed));
            }
            let parsed = Request::parse(encoded.put(&[0]).frame());
            assert_eq!(parsed, Err(Refusal::Malformed));
        }
        for response in responses() {
            let encoded = response.encode();
            let (kind, payload) = (encoded.frame().kind, encoded.frame().payload);
            for length in 0..payload.len() {
                let payload = &payload[..length];
                assert_eq!(Response::parse(Frame { kind, payload }), None);
            }
            assert_eq!(Response::parse(encoded.put(&[0]).frame()), None);
        }
    }

    #[test]
    fn the_bytes_on_the_wire_are_those_documented() {
        let set = Request::Set(name("ab"), 0x0102_0304);
        assert_eq!(
            set.encode().as_bytes(),
            [0, 7, 3, 2, b'a', b'b', 1, 2, 3, 4]
        );
        let refused = Response::Refused(Refusal::OutOfRange);
        assert_eq!(refused.encode().as_bytes(), [0, 1, 0xff, 3]);
    }

    #[test]
    fn fields_outside_their_range_are_malformed() {
        let malformed: [(u8, &[u8]); 6] = [
            (2, &[0]),
            (2, &[1, b' ']),
            (2, &[1, 0xc3]),
            (2, &[17; 18]),
            (4, &[1, b'a', 0, 0, 0, 1]),
            (4, &[1, b'a', 0, 1, 0, 0]),
        ];
        for (kind, payload) in malformed {
            let parsed = Request::parse(Frame { kind, payload });
            assert_eq!(parsed, Err(Refusal::Malformed), "{kind} {payload:?}");
        }
        for (kind, payload) in [(0x81, &[1, b'a', 2][..]), (0xff, &[0]), (0xff, &[8])] {
            assert_eq!(Response::parse(Frame { kind, payload }), None);
        }
    }

    #[test]
    fn a_kind_nobody_knows_is_told_from_a_malformed_one() {
        for kind in [0, 6, 0x81, 0xff] {
            let payload = &[1, 2, 3];
            let parsed = Request::parse(Frame { kind, payload });
            assert_eq!(parsed, Err(Refusal::UnknownRequest));
            let kind = kind & 0x7f;
            assert_eq!(Response::parse(Frame { kind, payload }), None);
        }
    }
}
