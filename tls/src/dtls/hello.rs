//! The first message of a client, as far as a cookie needs it (RFC 6347, 4.2.1).

use alloc::vec;
use alloc::vec::Vec;

use super::record::message::CLIENT_HELLO;
use super::record::{Fragment, MESSAGE_HEADER, Records};

const SUPPORTED_VERSIONS: [u8; 2] = [0, 43];
const DTLS_1_3: [u8; 2] = [0xfe, 0xfc];
/// The bytes of a cookie that is made here.
pub(super) const COOKIE: usize = 32;

/// A client's hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientHello<'d> {
    /// The number of its record, which the answer repeats.
    pub(super) sequence: u64,
    /// The number of its message: 0 of the first, 1 of one that repeats it with a cookie.
    pub(super) message: u16,
    /// Version, random and session.
    pub(super) before_cookie: &'d [u8],
    /// Empty if there is none.
    pub(super) cookie: &'d [u8],
    /// Suites, compressions and extensions.
    pub(super) after_cookie: &'d [u8],
}

/// Why a datagram is none that a hello can be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHello {
    /// It is something else, or damaged.
    Other,
    /// It is a hello that lies in several records, whose cookie cannot be checked without remembering it.
    Fragmented,
}

impl<'d> ClientHello<'d> {
    /// Reads it from a datagram, which has it in its first record, alone.
    pub(super) fn parse(datagram: &'d [u8]) -> Result<Self, NoHello> {
        let mut records = Records::of(datagram);
        let first = records.next().and_then(|record| record.ok()?.messages());
        let (sequence, mut messages) = first.ok_or(NoHello::Other)?;
        let Some(Ok(hello)) = messages.next() else {
            return Err(NoHello::Other);
        };
        let is_alone = messages.left() == 0 && records.left() == 0;
        if hello.kind != CLIENT_HELLO || !is_alone {
            return Err(NoHello::Other);
        }
        match hello.whole() {
            Some(body) => Self::parse_body(sequence, hello.number, body).ok_or(NoHello::Other),
            None if hello.part.is_empty() => Err(NoHello::Other),
            None => Err(NoHello::Fragmented),
        }
    }

    /// Version and random: what tells one handshake of a client from another.
    pub(super) fn random(&self) -> [u8; 32] {
        random_in(self.before_cookie).unwrap_or_default()
    }

    /// Whether the client could speak DTLS 1.3, too (RFC 8446, 4.2.1).
    pub(super) fn offers_dtls13(&self) -> bool {
        let versions = supported_versions(self.after_cookie).unwrap_or_default();
        versions.chunks(2).any(|version| version == DTLS_1_3)
    }

    /// The hello that this one repeats with a cookie, as a datagram.
    pub(super) fn without_cookie(&self) -> Vec<u8> {
        let length = self.before_cookie.len() + 1 + self.after_cookie.len();
        let [.., l1, l2, l3] = u32::try_from(length).unwrap_or_default().to_be_bytes();
        let content = u16::try_from(MESSAGE_HEADER + length).unwrap_or_default();
        // Its record has another number.
        let mut datagram = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0];
        datagram.push(u8::from(self.sequence == 0));
        datagram.extend(content.to_be_bytes());
        datagram.extend([CLIENT_HELLO, l1, l2, l3, 0, 0, 0, 0, 0, l1, l2, l3]);
        datagram.extend(self.before_cookie);
        datagram.push(0);
        datagram.extend(self.after_cookie);
        datagram
    }

    fn parse_body(sequence: u64, message: u16, body: &'d [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let [major, _minor] = reader.take_array::<2>()?;
        reader.take_array::<32>()?;
        let session = reader.take_vector::<1>()?;
        if major != 0xfe || session.len() > 32 {
            return None;
        }
        let before_cookie = body.get(..body.len() - reader.0.len())?;
        let cookie = reader.take_vector::<1>()?;
        let after_cookie = reader.0;
        let suites = reader.take_vector::<2>()?;
        let compressions = reader.take_vector::<1>()?;
        if suites.is_empty() || suites.len() % 2 != 0 || compressions.is_empty() {
            return None;
        }
        // A hello may end here.
        if !reader.0.is_empty() {
            reader.take_vector::<2>()?;
        }
        reader.0.is_empty().then_some(Self {
            sequence,
            message,
            before_cookie,
            cookie,
            after_cookie,
        })
    }
}

/// What the first fragment of a fragmented hello says of whose it is. `None`: it is another fragment.
pub(super) fn random_of_fragment(datagram: &[u8]) -> Option<[u8; 32]> {
    let (_, hello) = Records::of(datagram).next()?.ok()?.first_message()?;
    random_of(&hello).filter(|_| hello.kind == CLIENT_HELLO)
}

fn supported_versions(after_cookie: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(after_cookie);
    reader.take_vector::<2>()?;
    reader.take_vector::<1>()?;
    let mut extensions = Reader(reader.take_vector::<2>()?);
    loop {
        let kind = extensions.take_array::<2>()?;
        let extension = extensions.take_vector::<2>()?;
        if kind == SUPPORTED_VERSIONS {
            return Reader(extension).take_vector::<1>();
        }
    }
}

/// The random of a hello, a client's or a server's. `None`: it is another fragment than the first.
pub(super) fn random_of(hello: &Fragment<'_>) -> Option<[u8; 32]> {
    random_in(hello.part).filter(|_| hello.offset == 0)
}

fn random_in(body: &[u8]) -> Option<[u8; 32]> {
    body.get(2..34)?.try_into().ok()
}

/// What has not been read yet.
struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    fn take(&mut self, length: usize) -> Option<&'d [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Bytes behind their own length, which takes `N` bytes.
    fn take_vector<const N: usize>(&mut self) -> Option<&'d [u8]> {
        let length = self.take_array::<N>()?;
        let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        self.take(length.iter().fold(0, add))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::answer::is_answer_to_proof;
    use super::super::record::HEADER;
    use super::super::record::message::SERVER_HELLO;
    use super::*;

    const SESSION: &[u8] = b"session";
    const AFTER: &[u8] = &[0, 2, 0xc0, 0x2b, 1, 0, 0, 5, 0, 23, 0, 1, 9];

    fn body(cookie: &[u8], after: &[u8]) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        for vector in [SESSION, cookie] {
            body.push(u8::try_from(vector.len()).expect("short"));
            body.extend(vector);
        }
        body.extend(after);
        body
    }

    /// The fragment of a message of `length` bytes from `offset` on, as a datagram.
    pub(in crate::dtls) fn fragment(
        kind: u8,
        length: usize,
        offset: usize,
        part: &[u8],
    ) -> Vec<u8> {
        let long = |number: usize| u32::try_from(number).expect("short").to_be_bytes();
        let mut datagram = vec![22, 0xfe, 0xff, 0, 0, 1, 2, 3, 4, 5, 6];
        let content = u16::try_from(part.len() + MESSAGE_HEADER).expect("short");
        datagram.extend(content.to_be_bytes());
        datagram.push(kind);
        datagram.extend(&long(length)[1..]);
        datagram.extend([0, 1]);
        datagram.extend(&long(offset)[1..]);
        datagram.extend(&long(part.len())[1..]);
        datagram.extend(part);
        datagram
    }

    /// A hello with this cookie.
    pub(in crate::dtls) fn hello(cookie: &[u8]) -> Vec<u8> {
        let body = body(cookie, AFTER);
        fragment(CLIENT_HELLO, body.len(), 0, &body)
    }

    #[test]
    fn a_hello_is_read_with_its_cookie_and_with_what_is_around_it() {
        let datagram = hello(b"cookie");
        let found = ClientHello::parse(&datagram).expect("a hello");
        let body = body(b"cookie", AFTER);
        assert_eq!(
            found,
            ClientHello {
                sequence: 0x0102_0304_0506,
                message: 1,
                before_cookie: &body[..2 + 32 + 1 + SESSION.len()],
                cookie: b"cookie",
                after_cookie: AFTER,
            }
        );
    }

    #[test]
    fn a_hello_may_be_without_extensions() {
        let body = body(b"", &AFTER[..6]);
        let datagram = fragment(CLIENT_HELLO, body.len(), 0, &body);
        let found = ClientHello::parse(&datagram).expect("a hello");
        assert_eq!((found.cookie, found.after_cookie), (&b""[..], &AFTER[..6]));
    }

    #[test]
    fn a_part_of_a_hello_is_told_from_what_is_none() {
        let body = body(b"", AFTER);
        let first = fragment(CLIENT_HELLO, body.len(), 0, &body[..20]);
        let last = fragment(CLIENT_HELLO, body.len(), 20, &body[20..]);
        for part in [first, last] {
            assert_eq!(ClientHello::parse(&part), Err(NoHello::Fragmented));
        }
        let beyond = fragment(CLIENT_HELLO, body.len(), 21, &body[20..]);
        let empty = fragment(CLIENT_HELLO, body.len(), 0, &[]);
        for none in [beyond, empty] {
            assert_eq!(ClientHello::parse(&none), Err(NoHello::Other));
        }
    }

    #[test]
    fn what_is_malformed_is_no_hello() {
        let good = hello(b"cookie");
        let mut table = vec![vec![], b"xyz".to_vec(), [good.clone(), vec![0]].concat()];
        // Two of them, which no client sends.
        table.push([good.clone(), good.clone()].concat());
        // The same in one record, and something else behind the message there.
        for behind in [&good[HEADER..], &[0]] {
            let mut more = [&good, behind].concat();
            more[12] += u8::try_from(behind.len()).expect("short");
            table.push(more);
        }
        // Cut anywhere, with a record length that says so.
        for length in 0..good.len() {
            table.push(good[..length].to_vec());
            if let Some(content) = length.checked_sub(HEADER) {
                let mut cut = good[..length].to_vec();
                cut[11..13].copy_from_slice(&u16::try_from(content).expect("short").to_be_bytes());
                table.push(cut);
            }
        }
        // Cut within the body, with all lengths outside of it right: of a body that may end nowhere but at its end, and before the extensions.
        let whole = body(b"cookie", AFTER);
        let extensions = whole.len() - (AFTER.len() - 6);
        for length in (0..whole.len()).filter(|length| *length != extensions) {
            table.push(fragment(CLIENT_HELLO, length, 0, &whole[..length]));
        }
        table.push(fragment(
            CLIENT_HELLO,
            whole.len() + 1,
            0,
            &[&whole[..], &[0]].concat(),
        ));
        table.push(fragment(2, whole.len(), 0, &whole));
        // Another type of record, another epoch, a version of TLS in the hello.
        for (place, value) in [(0, 21), (0, 23), (4, 1), (HEADER + MESSAGE_HEADER, 3)] {
            let mut changed = good.clone();
            changed[place] = value;
            table.push(changed);
        }
        // No suites, half a suite, no compression.
        for after in [&[0, 0, 1, 0][..], &[0, 1, 1, 1, 0], &[0, 2, 0xc0, 0x2b, 0]] {
            let body = body(b"", after);
            table.push(fragment(CLIENT_HELLO, body.len(), 0, &body));
        }
        for datagram in table {
            assert_eq!(
                ClientHello::parse(&datagram),
                Err(NoHello::Other),
                "{datagram:02x?}"
            );
        }
    }

    #[test]
    fn a_hello_without_its_cookie_is_the_first_one() {
        let datagram = hello(b"cookie");
        let found = ClientHello::parse(&datagram).expect("a hello");
        let first = found.without_cookie();
        let expected = ClientHello {
            sequence: 0,
            message: 0,
            cookie: b"",
            ..found
        };
        assert_eq!(ClientHello::parse(&first), Ok(expected));
        assert_eq!(expected.random(), [7; 32]);
    }

    #[test]
    fn a_hello_offers_dtls_1_3_by_its_extension_alone() {
        let with = |versions: &[u8]| {
            let mut after = AFTER[..6].to_vec();
            after.extend([0, 9 + 5 + u8::try_from(versions.len()).expect("short")]);
            after.extend(&AFTER[8..13]);
            after.extend([0, 43, 0, 1 + u8::try_from(versions.len()).expect("short")]);
            after.push(u8::try_from(versions.len()).expect("short"));
            after.extend(versions);
            after.extend([0, 9, 0, 0]);
            let body = body(b"", &after);
            let datagram = fragment(CLIENT_HELLO, body.len(), 0, &body);
            let found = ClientHello::parse(&datagram).expect("a hello");
            found.offers_dtls13()
        };
        assert!(with(&[0xfe, 0xfc]));
        assert!(with(&[0xfe, 0xfd, 0xfe, 0xfc]));
        assert!(!with(&[0xfe, 0xfd]));
        assert!(!with(&[0xfd, 0xfe, 0xfc, 0xfe]));
        assert!(!with(&[]));
    }

    #[test]
    fn a_fragment_says_whose_it_is_if_it_is_the_first() {
        let body = body(b"", AFTER);
        let first = fragment(CLIENT_HELLO, body.len(), 0, &body[..40]);
        assert_eq!(random_of_fragment(&first), Some([7; 32]));
        let none = [
            fragment(CLIENT_HELLO, body.len(), 40, &body[40..]),
            fragment(CLIENT_HELLO, body.len(), 0, &body[..33]),
            fragment(SERVER_HELLO, body.len(), 0, &body[..40]),
            Vec::new(),
        ];
        for datagram in none {
            assert_eq!(random_of_fragment(&datagram), None, "{datagram:02x?}");
        }
    }

    #[test]
    fn no_changed_byte_makes_it_panic() {
        let good = hello(b"cookie");
        for place in 0..good.len() {
            for value in 0..=u8::MAX {
                let mut changed = good.clone();
                changed[place] = value;
                let hello = ClientHello::parse(&changed);
                let _ = hello.map(|hello| (hello.offers_dtls13(), hello.without_cookie()));
                let _ = (random_of_fragment(&changed), is_answer_to_proof(&changed));
            }
        }
    }
}
