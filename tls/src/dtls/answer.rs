//! What a server answers to a hello: that it asks for it again, or a hello of its own.

use super::hello::{COOKIE, random_of};
use super::record::message::{HELLO_VERIFY_REQUEST, SERVER_HELLO};
use super::record::{HEADER, MESSAGE_HEADER, Records};

/// The random of a server's hello that is none: the SHA-256 of "HelloRetryRequest".
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
/// The bytes of a [`hello_verify_request`].
pub(super) const HELLO_VERIFY_REQUEST_LENGTH: usize = HEADER + MESSAGE_HEADER + 2 + 1 + COOKIE;
/// The bytes of the shortest hello there is: a version, a random, no session, no cookie, one suite, one compression.
const SHORTEST_HELLO: usize = HEADER + MESSAGE_HEADER + 2 + 32 + 1 + 1 + (2 + 2) + (1 + 1);

// Nobody can have more sent to a victim than they sent themselves.
const _: () = assert!(HELLO_VERIFY_REQUEST_LENGTH <= SHORTEST_HELLO);

/// The datagram that asks for the hello again, with this cookie.
pub(super) fn hello_verify_request(
    sequence: u64,
    cookie: &[u8; COOKIE],
) -> [u8; HELLO_VERIFY_REQUEST_LENGTH] {
    const CONTENT: u8 = (HELLO_VERIFY_REQUEST_LENGTH - HEADER) as u8;
    const BODY: u8 = CONTENT - MESSAGE_HEADER as u8;
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
        COOKIE as u8,
    ];
    let mut datagram = [0; HELLO_VERIFY_REQUEST_LENGTH];
    for (place, byte) in datagram.iter_mut().zip(head.iter().chain(cookie)) {
        *place = *byte;
    }
    datagram
}

/// Whether a server only says this to a client that has proven its address: there is a hello of its own, which asks for nothing again (RFC 8446, 4.1.3).
/// What it had asked before can be in front of that, once more.
pub(super) fn is_answer_to_proof(datagram: &[u8]) -> bool {
    let messages = Records::of(datagram).flatten();
    let mut messages = messages.filter_map(|record| record.first_message());
    messages.any(|(_, message)| {
        message.kind == SERVER_HELLO
            && random_of(&message).is_some_and(|random| random != HELLO_RETRY_REQUEST)
    })
}

/// Which record a server has answered by asking for a cookie, if this is that.
pub(super) fn asked_by(datagram: &[u8]) -> Option<u64> {
    let (sequence, message) = Records::of(datagram).next()?.ok()?.first_message()?;
    (message.kind == HELLO_VERIFY_REQUEST).then_some(sequence)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::hello::tests::{fragment, hello};
    use super::super::record::{ContentType, Record};
    use super::*;

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
