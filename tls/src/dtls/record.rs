//! The records of a datagram (RFC 6347, 4.1; RFC 9147, 4).

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// The bytes before the content of a record in plain text.
pub(super) const HEADER: usize = 13;
/// The most bytes of content that a record may announce: 2^14, and 2,048 for what protects it.
const LONGEST: usize = (1 << 14) + 2048;

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
    /// A protected one of DTLS 1.3. Its header says neither what it is nor, always, where it ends: the rest of the datagram.
    Short(&'d [u8]),
}

/// It is no sequence of records.
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

    fn take_record(&mut self) -> Option<Record<'d>> {
        let first = *self.rest.first()?;
        // 001 in the upper bits (RFC 9147, 4.1).
        if first >> 5 == 1 {
            return Some(Record::Short(core::mem::take(&mut self.rest)));
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

/// The records of a datagram that an engine may see: the others are plain text that anybody could have written, and that it would believe.
///
/// An alert in plain text ends nothing, and data in plain text is none. After the handshake, plain text is of use only where it is an old message that
/// asks for the last ones again. Whatever is behind something malformed is left out.
pub(super) fn admissible(datagram: &[u8], is_established: bool) -> Cow<'_, [u8]> {
    let mut records = Records::of(datagram);
    let mut admitted = Vec::new();
    let mut all = true;
    let mut start = 0;
    while let Some(record) = records.next() {
        let end = datagram.len() - records.rest.len();
        let admit = match record {
            Ok(Record::Full {
                content_type,
                epoch: 0,
                ..
            }) => match content_type {
                ContentType::Handshake => true,
                ContentType::ChangeCipherSpec => !is_established,
                ContentType::Alert | ContentType::ApplicationData | ContentType::Ack => false,
            },
            Ok(_) => true,
            Err(Malformed) => false,
        };
        all &= admit;
        if admit {
            admitted.extend(datagram.get(start..end).unwrap_or_default());
        }
        start = end;
    }
    match all {
        true => Cow::Borrowed(datagram),
        false => Cow::Owned(admitted),
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
    fn a_short_record_has_the_rest_of_the_datagram() {
        let datagram = [record(b"one"), vec![0x2f, 1, 2, 3]].concat();
        let found: Vec<_> = Records::of(&datagram).collect();
        assert_eq!(
            found,
            [handshake(b"one"), Ok(Record::Short(&[0x2f, 1, 2, 3]))]
        );
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
    }

    /// A record of this type in plain text.
    fn plain(content_type: u8) -> Vec<u8> {
        let mut bytes = record(b"12");
        (bytes[0], bytes[4]) = (content_type, 0);
        bytes
    }

    #[test]
    fn an_engine_sees_no_plain_text_that_it_must_not_believe() {
        let (handshake, change) = (plain(22), plain(20));
        let protected = record(b"protected");
        let good = [handshake.clone(), change.clone(), protected.clone()].concat();
        assert!(matches!(admissible(&good, false), Cow::Borrowed(all) if all == good));
        let kept = [handshake.clone(), protected.clone()].concat();
        assert_eq!(*admissible(&good, true), *kept);
        for forged in [21, 23, 26] {
            let datagram = [plain(forged), kept.clone(), plain(forged)].concat();
            for is_established in [false, true] {
                assert_eq!(*admissible(&datagram, is_established), *kept, "{forged}");
            }
        }
        let cut = [&kept[..], b"xyz"].concat();
        assert_eq!(*admissible(&cut, false), *kept);
        assert_eq!(*admissible(b"xyz", false), []);
        assert_eq!(*admissible(b"", true), []);
    }
}
