//! What strangers and bad peers send, to break an engine or to fill it.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::two_tables::{NOW, World, at, send, shake_hands};
use crate::dtls::association::Association;
use crate::dtls::sizes::LONGEST_HANDSHAKE;
use crate::dtls::table::Table;

/// What is behind the headers of a ServerHello that asks a client of DTLS 1.3 for its hello again, with a cookie of so many bytes (RFC 8446, 4.1.4).
fn hello_retry_request(cookie: usize) -> Vec<u8> {
    let two = |number: usize| u16::try_from(number).expect("short").to_be_bytes();
    let mut extensions = vec![0, 43, 0, 2, 0xfe, 0xfc, 0, 44];
    extensions.extend(two(cookie + 2));
    extensions.extend(two(cookie));
    extensions.resize(extensions.len() + cookie, 7);
    // SHA-256 of "HelloRetryRequest".
    let random = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
        0x33, 0x9c,
    ];
    let mut body = [&[0xfe, 0xfd][..], &random, &[0, 0x13, 0x01, 0]].concat();
    body.extend(two(extensions.len()));
    body.extend(extensions);
    body
}

/// A record in plain text with a part of the message `body`.
fn fragment(kind: u8, number: u8, sequence: u16, body: (usize, usize), part: &[u8]) -> Vec<u8> {
    let three = |number: usize| {
        let [.., high, middle, low] = number.to_be_bytes();
        [high, middle, low]
    };
    let (length, offset) = body;
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0];
    record.extend(sequence.to_be_bytes());
    let content = u16::try_from(12 + part.len()).expect("short");
    record.extend(content.to_be_bytes());
    record.push(kind);
    record.extend(three(length));
    record.extend([0, number]);
    record.extend(three(offset));
    record.extend(three(part.len()));
    record.extend(part);
    record
}

/// Its own hello would have to carry the cookie, in more records than the engine can keep.
#[test]
fn a_forged_request_for_another_hello_does_not_end_an_attempt_by_1_3_if_its_cookie_is_long() {
    for (cookie, longest) in [(1000, 500), (4000, 500), (7000, 500), (7000, 1 << 14)] {
        let mut world = World::of_version(2, true);
        let mut client = Table::new(&[2; 32]);
        let id = world.connect(&mut client).expect("open");
        assert!(!shake_hands(&mut client, id));
        let forged = hello_retry_request(cookie);
        for (number, part) in forged.chunks(longest).enumerate() {
            let sequence = u16::try_from(number).expect("few");
            let place = (forged.len(), number * longest);
            client.arrived(NOW, at(1), &fragment(2, 0, sequence, place, part));
        }
        let parts = forged.len().div_ceil(longest) as u64;
        assert_eq!(client.statistics().ignored, parts, "{cookie}");
        // It goes on with the true one.
        world.exchange(&mut client, 2);
        let (theirs, _) = world.server.next_client().expect("a client");
        shake_hands(&mut world.server, theirs);
        world.exchange(&mut client, 2);
        assert!(shake_hands(&mut client, id), "{cookie}");
    }
}

/// Parts of a message that never becomes whole.
#[test]
fn a_client_that_has_proven_no_more_than_its_address_is_kept_no_more_than_a_handshake_of() {
    const PART: usize = 18_000;
    let mut world = World::new(2);
    let (mut client, id) = world.client(2);
    let (theirs, _) = world.server.next_client().expect("a client");
    assert!(!shake_hands(&mut world.server, theirs));
    let part = [7; PART];
    let before = world.server.statistics().ignored;
    for number in 0..60 {
        let offset = usize::from(number) * PART;
        let datagram = fragment(16, 3, number, (0xff_ffff, offset), &part);
        world.server.arrived(NOW, at(2), &datagram);
    }
    let taken = 60 - (world.server.statistics().ignored - before);
    assert_eq!(taken, u64::from(LONGEST_HANDSHAKE) / (PART as u64 + 25));
    // That is no handshake, and the client begins anew.
    let over = world.server.get(theirs).map(|own| own.is_over());
    assert_eq!(over, Some(true));
    world.exchange(&mut client, 2);
    let taken = time_to_be_done(&mut world, &mut client, id);
    assert!(taken < Duration::from_secs(22), "{taken:?}");
}

/// How long it takes until both ends are done with their handshake, if nothing is lost from now on.
fn time_to_be_done(world: &mut World, client: &mut Table, id: u64) -> Duration {
    let mut now = NOW;
    while world.server.statistics().established == 0 || client.statistics().established == 0 {
        assert!(now < NOW + Duration::from_secs(400), "they are never done");
        now += Duration::from_millis(100);
        client.tick(now);
        world.server.tick(now);
        world.exchange_but(client, 2, now, |_, _| false);
        while let Some((theirs, _)) = world.server.next_client() {
            shake_hands(&mut world.server, theirs);
        }
    }
    assert!(shake_hands(client, id));
    now - NOW
}

#[test]
fn what_nobody_can_read_does_not_hold_a_handshake_up() {
    for (is_13, to_server) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::of_version(2, is_13);
        let mut client = Table::new(&[2; 32]);
        let id = world.connect(&mut client).expect("open");
        assert!(!shake_hands(&mut client, id));
        if to_server {
            // It has the hello with its cookie, and nothing more.
            let mut said = 0;
            world.exchange_but(&mut client, 2, NOW, |is_client, _| {
                said += usize::from(is_client);
                is_client && said > 2
            });
            let (theirs, _) = world.server.next_client().expect("a client");
            shake_hands(&mut world.server, theirs);
        }
        for number in 0..200 {
            for kind in [22, 23] {
                let mut junk = match (is_13, kind) {
                    (false, kind) => vec![kind, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, number],
                    (true, 22) => vec![0x2e, 0, number],
                    (true, _) => vec![0x2f, 0, number],
                };
                junk.extend(4000_u16.to_be_bytes());
                junk.resize(junk.len() + 4000, 9);
                match to_server {
                    true => world.server.arrived(NOW, at(2), &junk),
                    false => client.arrived(NOW, at(1), &junk),
                }
            }
        }
        let mut now = Duration::ZERO;
        if !to_server {
            world.exchange(&mut client, 2);
            let (theirs, _) = world.server.next_client().expect("a client");
            shake_hands(&mut world.server, theirs);
        } else {
            now = Duration::from_secs(3);
        }
        let taken = time_to_be_done(&mut world, &mut client, id);
        assert!(
            taken <= now.max(Duration::from_millis(100)),
            "{taken:?} {is_13} {to_server}"
        );
    }
}

/// The end of the handshake was lost, and whoever is done says much before it is sent again.
#[test]
fn messages_that_come_too_early_do_not_hold_a_handshake_up() {
    for is_13 in [false, true] {
        for count in [10, 1000] {
            let mut world = World::of_version(2, is_13);
            let mut client = Table::new(&[2; 32]);
            let id = world.connect(&mut client).expect("open");
            assert!(!shake_hands(&mut client, id));
            // By 1.2 the server is done first, by 1.3 the client.
            let is_end = |is_client: bool, datagram: &[u8]| match is_13 {
                true => is_client && datagram.first().is_some_and(|first| first >> 5 == 1),
                false => !is_client && datagram.first() == Some(&20),
            };
            world.exchange_but(&mut client, 2, NOW, is_end);
            let (theirs, _) = world.server.next_client().expect("a client");
            shake_hands(&mut world.server, theirs);
            world.exchange_but(&mut client, 2, NOW, is_end);
            for _ in 0..count {
                let sent = match is_13 {
                    true => send(&mut client, id, &[7; 1400]),
                    false => send(&mut world.server, theirs, &[7; 1400]),
                };
                assert!(sent.is_some());
                world.exchange(&mut client, 2);
            }
            let taken = time_to_be_done(&mut world, &mut client, id);
            assert!(taken < Duration::from_secs(2), "{taken:?} {is_13} {count}");
            match is_13 {
                // The first of them have waited.
                true => assert!(world.server.deliveries >= 10, "{count}"),
                // The engine keeps nothing that it has no keys for.
                false => assert_eq!(client.deliveries, 0, "{count}"),
            }
        }
    }
}

fn receive(table: &mut Table, id: u64) -> Option<Option<usize>> {
    let mut message = [0; 100];
    let received = table.with(id, NOW, |own, _| own.inbox.receive(&mut message));
    received.expect("it is there").expect("it has room")
}

#[test]
fn nothing_is_received_behind_the_end_even_if_it_was_held_up_on_its_way() {
    for is_13 in [false, true] {
        let mut world = World::of_version(2, is_13);
        let (mut client, id, theirs) = world.established(2);
        send(&mut client, id, b"message").expect("it goes out");
        let message = client.out.pop().expect("a message");
        client.has_gone(message.id, message.number, true);
        client.with(id, NOW, Association::close);
        let end = client.out.pop().expect("the end");
        world.server.arrived(NOW, at(2), &end.data);
        assert_eq!(receive(&mut world.server, theirs), Some(None));
        world.server.arrived(NOW, at(2), &message.data);
        assert_eq!(receive(&mut world.server, theirs), Some(None), "{is_13}");
    }
}

#[test]
fn a_copy_of_the_handshake_is_not_answered_after_it_by_1_3() {
    let mut world = World::of_version(2, true);
    let (_client, _, _) = world.established(2);
    while world.server.out.pop().is_some() {}
    let later = NOW + Duration::from_secs(5);
    for datagram in world.said.clone() {
        if datagram.first() == Some(&22) {
            world.server.arrived(later, at(2), &datagram);
        }
    }
    assert!(world.server.out.pop().is_none());
}

#[test]
fn a_clock_may_come_to_its_end() {
    for is_13 in [false, true] {
        let mut world = World::of_version(2, is_13);
        let (mut client, id, theirs) = world.established(2);
        send(&mut client, id, b"message").expect("it goes out");
        let message = client.out.pop().expect("a message");
        world.server.arrived(Duration::MAX, at(2), &message.data);
        assert_eq!(receive(&mut world.server, theirs), Some(Some(7)));
    }
}
