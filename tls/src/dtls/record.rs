//! The records of a datagram (RFC 6347, 4.1; RFC 9147, 4), and the messages in one of a handshake.

/// The bytes before the content of a record in plain text.
pub(super) const HEADER: usize = 13;
/// The bytes before the body of a handshake message, or of a fragment of one.
pub(super) const MESSAGE_HEADER: usize = 12;
/// The most bytes of content that a record may announce: 2^14, and 2,048 for what protects it.
pub(super) const LONGEST: usize = (1 << 14) + 2048;

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentType {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    Ack,
}

impl ContentType {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            20 => Some(Self::ChangeCipherSpec),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::ApplicationData),
            26 => Some(Self::Ack),
            _ => None,
        }
    }
}

/// A record, as far as anybody can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'d> {
    /// One with the header of DTLS 1.2, whose content is protected unless the epoch is 0.
    Full {
        content_type: ContentType,
        epoch: u16,
        /// Of 48 bits.
        sequence: u64,
        content: &'d [u8],
    },
    /// A protected one of DTLS 1.3, with its header, which does not say what it is.
    Short(&'d [u8]),
}

impl<'d> Record<'d> {
    /// Its number and its messages, if it is one of a handshake in plain text.
    pub(super) const fn messages(&self) -> Option<(u64, Fragments<'d>)> {
        match *self {
            Self::Full {
                content_type: ContentType::Handshake,
                epoch: 0,
                sequence,
                content,
            } => Some((sequence, Fragments::of(content))),
            _ => None,
        }
    }

    /// The first of these, with the number of the record.
    pub(super) fn first_message(&self) -> Option<(u64, Fragment<'d>)> {
        let (sequence, mut messages) = self.messages()?;
        Some((sequence, messages.next()?.ok()?))
    }
}

/// It is no sequence of records, or of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The records of one datagram, one after the other. After [`Malformed`] there are none.
#[derive(Clone, Debug)]
pub(super) struct Records<'d> {
    rest: &'d [u8],
}

impl<'d> Records<'d> {
    pub(super) const fn of(datagram: &'d [u8]) -> Self {
        Self { rest: datagram }
    }

    /// How many bytes are behind those that were taken.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// How long the protected record of DTLS 1.3 is that begins with `first`.
    ///
    /// Without a length it has the rest of the datagram. So has one with a connection id, of which nobody says here how long it is.
    fn short_length(&self, first: u8) -> Option<usize> {
        let has = |bit| first & bit != 0;
        if has(0x10) || !has(0x04) {
            return Some(self.rest.len());
        }
        let before = if has(0x08) { 3 } else { 2 };
        let length = self.rest.get(before..before + 2)?.try_into().ok()?;
        Some(before + 2 + usize::from(u16::from_be_bytes(length)))
    }

    fn take_record(&mut self) -> Option<Record<'d>> {
        let first = *self.rest.first()?;
        // 001 in the upper bits (RFC 9147, 4.1).
        if first >> 5 == 1 {
            let length = self.short_length(first)?;
            if length > LONGEST {
                return None;
            }
            let (record, rest) = self.rest.split_at_checked(length)?;
            self.rest = rest;
            return Some(Record::Short(record));
        }
        let content_type = ContentType::from_byte(first)?;
        let (header, rest) = self.rest.split_first_chunk::<HEADER>()?;
        let [_, major, minor, e1, e2, s1, s2, s3, s4, s5, s6, l1, l2] = *header;
        // DTLS 1.0, as of first hellos, or 1.2, as of all else, 1.3 included.
        if major != 0xfe || !matches!(minor, 0xff | 0xfd) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        if length > LONGEST {
            return None;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Record::Full {
            content_type,
            epoch: u16::from_be_bytes([e1, e2]),
            sequence: u64::from_be_bytes([0, 0, s1, s2, s3, s4, s5, s6]),
            content,
        })
    }
}

impl<'d> Iterator for Records<'d> {
    type Item = Result<Record<'d>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.take_record();
        if record.is_none() {
            self.rest = &[];
        }
        Some(record.ok_or(Malformed))
    }
}

/// The kinds of messages that somebody here tells apart (RFC 5246, 7.4; RFC 6347, 4.3.2).
pub(super) mod message {
    pub(in crate::dtls) const CLIENT_HELLO: u8 = 1;
    pub(in crate::dtls) const SERVER_HELLO: u8 = 2;
    pub(in crate::dtls) const HELLO_VERIFY_REQUEST: u8 = 3;
    pub(in crate::dtls) const CERTIFICATE: u8 = 11;
    pub(in crate::dtls) const SERVER_KEY_EXCHANGE: u8 = 12;
    pub(in crate::dtls) const CERTIFICATE_REQUEST: u8 = 13;
    pub(in crate::dtls) const SERVER_HELLO_DONE: u8 = 14;
    pub(in crate::dtls) const CERTIFICATE_VERIFY: u8 = 15;
    pub(in crate::dtls) const CLIENT_KEY_EXCHANGE: u8 = 16;
}

/// A message of a handshake, or a fragment of one (RFC 6347, 4.2.2), which lies within its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment<'d> {
    /// One of [`message`], or another.
    pub(super) kind: u8,
    /// Of the whole message.
    pub(super) length: u32,
    /// The number of its message.
    pub(super) number: u16,
    /// Where it lies in its message.
    pub(super) offset: u32,
    pub(super) part: &'d [u8],
}

impl<'d> Fragment<'d> {
    /// The body of the message, if this is all of it.
    pub(super) fn whole(&self) -> Option<&'d [u8]> {
        let is_whole = u32::try_from(self.part.len()) == Ok(self.length);
        is_whole.then_some(self.part)
    }
}

/// The fragments in a handshake record in plain text. After [`Malformed`] there are none.
#[derive(Clone, Debug)]
pub(super) struct Fragments<'d> {
    rest: &'d [u8],
}

impl<'d> Fragments<'d> {
    pub(super) const fn of(content: &'d [u8]) -> Self {
        Self { rest: content }
    }

    /// How many bytes are behind those that were taken.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    fn take_fragment(&mut self) -> Option<Fragment<'d>> {
        let (header, rest) = self.rest.split_first_chunk::<MESSAGE_HEADER>()?;
        let [kind, l1, l2, l3, n1, n2, o1, o2, o3, p1, p2, p3] = *header;
        let long = |a, b, c| u32::from_be_bytes([0, a, b, c]);
        let (length, offset, part) = (long(l1, l2, l3), long(o1, o2, o3), long(p1, p2, p3));
        // Each of 24 bits.
        if offset + part > length {
            return None;
        }
        let (part, rest) = rest.split_at_checked(usize::try_from(part).ok()?)?;
        self.rest = rest;
        Some(Fragment {
            kind,
            length,
            number: u16::from_be_bytes([n1, n2]),
            offset,
            part,
        })
    }
}

impl<'d> Iterator for Fragments<'d> {
    type Item = Result<Fragment<'d>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let fragment = self.take_fragment();
        if fragment.is_none() {
            self.rest = &[];
        }
        Some(fragment.ok_or(Malformed))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    /// A handshake record of these bytes.
    fn record(content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 2, 3];
        bytes.extend(u16::try_from(content.len()).expect("short").to_be_bytes());
        bytes.extend(content);
        bytes
    }

    const fn handshake(content: &[u8]) -> Result<Record<'_>, Malformed> {
        Ok(Record::Full {
            content_type: ContentType::Handshake,
            epoch: 1,
            sequence: 0x203,
            content,
        })
    }

    #[test]
    fn a_datagram_has_its_records_in_order_and_an_empty_one_has_none() {
        let datagram = [record(b"one"), record(b""), record(b"three")].concat();
        let found: Vec<_> = Records::of(&datagram).collect();
        assert_eq!(found, [b"one", &b""[..], b"three"].map(handshake));
        assert_eq!(Records::of(&[]).next(), None);
    }

    #[test]
    fn a_short_record_is_as_long_as_it_says_and_has_the_rest_if_it_says_nothing() {
        let said: [&[u8]; 2] = [&[0x2f, 1, 2, 0, 3, 7, 7, 7], &[0x27, 1, 0, 3, 7, 7, 7]];
        for short in said {
            let datagram = [&record(b"one"), short, &record(b"two")].concat();
            let found: Vec<_> = Records::of(&datagram).collect();
            assert_eq!(
                found,
                [
                    handshake(b"one"),
                    Ok(Record::Short(short)),
                    handshake(b"two")
                ]
            );
            for length in 2..short.len() {
                let found: Vec<_> = Records::of(&short[..length]).collect();
                assert_eq!(found, [Err(Malformed)], "{length}");
            }
        }
        // The last one has a connection id.
        for rest in [[0x2b, 1, 2, 0, 1, 7, 7], [0x23; 7], [0x3f; 7]] {
            let datagram = [&rest[..], &record(b"one")].concat();
            let found: Vec<_> = Records::of(&datagram).collect();
            assert_eq!(found, [Ok(Record::Short(&datagram))]);
        }
    }

    #[test]
    fn whatever_is_cut_or_changed_is_malformed_once_and_then_there_is_nothing_more() {
        let good = record(b"content");
        let mut table = vec![b"xyz".to_vec(), vec![0; 13], vec![0xff; 40]];
        table.extend((1..good.len()).map(|length| good[..length].to_vec()));
        // The type, both bytes of the version, both of the length.
        for (place, value) in [
            (0, 0),
            (0, 24),
            (1, 3),
            (2, 0xfc),
            (11, 1),
            (11, 0xff),
            (12, 8),
        ] {
            let mut changed = good.clone();
            changed[place] = value;
            table.push(changed);
        }
        for datagram in table {
            let found: Vec<_> = Records::of(&datagram).collect();
            assert_eq!(found, [Err(Malformed)], "{datagram:?}");
            let behind = [good.clone(), datagram].concat();
            let found: Vec<_> = Records::of(&behind).collect();
            assert_eq!(found, [handshake(b"content"), Err(Malformed)], "{behind:?}");
        }
    }

    #[test]
    fn a_record_that_is_longer_than_any_may_be_is_malformed() {
        let longest = record(&vec![7; LONGEST]);
        assert!(Records::of(&longest).all(|found| found.is_ok()));
        let longer = record(&vec![7; LONGEST + 1]);
        assert_eq!(Records::of(&longer).next(), Some(Err(Malformed)));
        // A protected one of 1.3, with a length and without.
        for first in [0x2e, 0x2a] {
            let record = |length: usize| {
                let mut record = vec![first, 0, 0];
                if first & 4 != 0 {
                    record.extend(u16::try_from(length - 5).expect("short").to_be_bytes());
                }
                record.resize(length, 7);
                record
            };
            let found = Records::of(&record(LONGEST)).next().map(|it| it.is_ok());
            assert_eq!(found, Some(true), "{first:#x}");
            let longer = record(LONGEST + 1);
            let found = Records::of(&longer).next();
            assert_eq!(found, Some(Err(Malformed)), "{first:#x}");
        }
    }
}
