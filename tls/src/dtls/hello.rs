//! The first message of a client, as far as a cookie needs it, and the answer that asks for one (RFC 6347, 4.2.1).

use alloc::vec;
use alloc::vec::Vec;

use super::record::message::{CLIENT_HELLO, HELLO_VERIFY_REQUEST, SERVER_HELLO};
use super::record::{Fragment, HEADER, MESSAGE_HEADER, Malformed, Record, Records};

const SUPPORTED_VERSIONS: [u8; 2] = [0, 43];
const DTLS_1_3: [u8; 2] = [0xfe, 0xfc];
/// The random of a server's hello that is none: the SHA-256 of "HelloRetryRequest".
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
/// The bytes of a cookie that is made here.
pub(super) const COOKIE: usize = 32;
/// The bytes of a [`hello_verify_request`].
pub(super) const HELLO_VERIFY_REQUEST_LENGTH: usize = HEADER + MESSAGE_HEADER + 2 + 1 + COOKIE;
/// The bytes of the shortest hello there is: a version, a random, no session, no cookie, one suite, one compression.
const SHORTEST_HELLO: usize = HEADER + MESSAGE_HEADER + 2 + 32 + 1 + 1 + (2 + 2) + (1 + 1);

// Nobody can have more sent to a victim than they sent themselves.
const _: () = assert!(HELLO_VERIFY_REQUEST_LENGTH <= SHORTEST_HELLO);

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
    let (_, hello) = first_message(Records::of(datagram).next()?)?;
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

/// Whether a server only says this to a client that has proven its address: there is a hello of its own, which asks for nothing again (RFC 8446, 4.1.3).
/// What it had asked before can be in front of that, once more.
pub(super) fn is_answer_to_proof(datagram: &[u8]) -> bool {
    let mut messages = Records::of(datagram).filter_map(first_message);
    messages.any(|(_, message)| {
        message.kind == SERVER_HELLO
            && random_of(&message).is_some_and(|random| random != HELLO_RETRY_REQUEST)
    })
}

/// Which record a server has answered by asking for a cookie, if this is that.
pub(super) fn asked_by(datagram: &[u8]) -> Option<u64> {
    let (sequence, message) = first_message(Records::of(datagram).next()?)?;
    (message.kind == HELLO_VERIFY_REQUEST).then_some(sequence)
}

/// With the number of the record, if that is one of a handshake in plain text.
fn first_message(record: Result<Record<'_>, Malformed>) -> Option<(u64, Fragment<'_>)> {
    let (sequence, mut messages) = record.ok()?.messages()?;
    Some((sequence, messages.next()?.ok()?))
}

/// The datagram that asks for the hello again, with this cookie.
pub(super) fn hello_verify_request(
    sequence: u64,
    cookie: &[u8; COOKIE],
) -> [u8; HELLO_VERIFY_REQUEST_LENGTH] {
    const BODY: u8 = 2 + 1 + 32;
    const CONTENT: u8 = 12 + BODY;
    let [_, _, s1, s2, s3, s4, s5, s6] = sequence.to_be_bytes();
    let head: [u8; HELLO_VERIFY_REQUEST_LENGTH - COOKIE] = [
        // A record of epoch 0, as DTLS 1.0, whatever version comes of it.
        22,
        0xfe,
        0xff,
        0,
        0,
        s1,
        s2,
        s3,
        s4,
        s5,
        s6,
        0,
        CONTENT, //
        // Message 0, in one fragment.
        HELLO_VERIFY_REQUEST,
        0,
        0,
        BODY,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        BODY, //
        0xfe,
        0xff,
        32,
    ];
    let mut datagram = [0; HELLO_VERIFY_REQUEST_LENGTH];
    for (place, byte) in datagram.iter_mut().zip(head.iter().chain(cookie)) {
        *place = *byte;
    }
    datagram
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

    use super::super::record::ContentType;
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
    fn fragment(kind: u8, length: usize, offset: usize, part: &[u8]) -> Vec<u8> {
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
    fn a_servers_hello_is_told_from_a_question() {
        let answer = |kind, random: &[u8]| fragment(kind, 34, 0, &[&[0xfe, 0xfd], random].concat());
        let proper = answer(SERVER_HELLO, &[7; 32]);
        assert!(is_answer_to_proof(&proper));
        let asking = answer(SERVER_HELLO, &HELLO_RETRY_REQUEST);
        assert!(is_answer_to_proof(&[asking, proper].concat()));
        let questions = [
            answer(SERVER_HELLO, &HELLO_RETRY_REQUEST),
            answer(HELLO_VERIFY_REQUEST, &[7; 32]),
            // A later part of a hello says nothing of its random.
            fragment(SERVER_HELLO, 100, 34, &[7; 34]),
            hello_verify_request(1, &[9; COOKIE]).to_vec(),
            Vec::new(),
        ];
        for datagram in questions {
            assert!(!is_answer_to_proof(&datagram), "{datagram:02x?}");
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

    #[test]
    fn the_answer_is_one_whole_message_with_the_number_of_the_hello() {
        let cookie = [9; COOKIE];
        let answer = hello_verify_request(0x0102_0304_0506, &cookie);
        let mut records = Records::of(&answer);
        let Some(Ok(Record::Full {
            content_type,
            epoch,
            sequence,
            content,
        })) = records.next()
        else {
            panic!("a record");
        };
        assert_eq!(records.next(), None);
        assert_eq!(content_type, ContentType::Handshake);
        assert_eq!((epoch, sequence), (0, 0x0102_0304_0506));
        assert_eq!(content[..12], [3, 0, 0, 35, 0, 0, 0, 0, 0, 0, 0, 35]);
        assert_eq!(content[12..15], [0xfe, 0xff, 32]);
        assert_eq!(content[15..], cookie);
        assert_eq!(answer[1..3], [0xfe, 0xff]);
        assert_eq!(answer.len(), 60);
        assert_eq!(asked_by(&answer), Some(0x0102_0304_0506));
        assert_eq!(asked_by(&hello(b"cookie")), None);
        assert_eq!(asked_by(&answer[..20]), None);
    }
}
