//! Clients that are remembered before they have proven their address.

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::{CLIENT, Ends, SECOND, SERVER, certified, message, of_version, plain};
use crate::dtls::table::Table;

#[test]
fn a_hello_of_dtls_1_3_that_is_not_understood_is_ignored() {
    let (client, server) = of_version(true);
    let mut ends = Ends::new(&client, &server);
    let mut hello = ends.client.out.pop().expect("a hello").data;
    ends.arrives(&hello);
    let seen = ends.server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, 0));
    // With suites that there are not.
    let suites = usize::from(hello[62]);
    hello[63..63 + suites].fill(0xee);
    let other = SocketAddr::from(([10, 0, 0, 3], 1));
    ends.server.arrived(ends.now, other, &hello);
    let seen = ends.server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, 1));
}

/// The server asks for the hello once more, in the datagram in which it answers it.
#[test]
fn a_client_of_dtls_1_3_that_proves_its_address_late_is_known() {
    let (client, server) = of_version(true);
    let mut ends = Ends::new(&client, &server);
    let mut held = Vec::new();
    let mut hellos = 0;
    ends.talk(&mut |datagram| {
        hellos += 1;
        match hellos {
            1 => vec![datagram.to_vec()],
            _ => {
                held.push(datagram.to_vec());
                Vec::new()
            }
        }
    });
    assert_eq!((held.len(), ends.server.statistics().half_open), (1, 1));
    ends.now += 3 * SECOND;
    ends.arrives(&held[0]);
    assert_eq!(ends.server.statistics().half_open, 0);
    ends.answer();
    ends.talk_undisturbed();
    assert!(ends.are_established());
    ends.say(b"message");
}

/// Who sends only parts of hellos gets few places, and little into them.
#[test]
fn parts_of_hellos_take_no_place_unless_they_are_first_and_then_little() {
    let (_, config) = certified();
    let mut server = Table::new(&[2; 32]);
    assert!(server.serve(&config, 8));
    let now = Duration::ZERO;
    let part = |offset: u16, part: &[u8]| {
        let [o1, o2] = offset.to_be_bytes();
        let length = u8::try_from(part.len()).expect("short");
        let header = [1, 0, 0xff, 0xff, 0, 0, 0, o1, o2, 0, 0, length];
        plain(22, &[&header[..], part].concat())
    };
    for number in 1..100 {
        server.arrived(now, CLIENT, &part(number * 250, &[7; 250]));
        assert_eq!(server.statistics().half_open, 0);
    }
    assert_eq!(server.statistics().ignored, 99);
    // More than an engine queues, of which it is shown less.
    for number in 0..200 {
        server.arrived(now, CLIENT, &part(number * 250, &[7; 250]));
        assert_eq!(server.statistics().half_open, 1);
    }
    // Each is 275 bytes.
    let ignored = 99 + 200 - (8 << 10) / 275;
    assert_eq!(server.statistics().ignored, ignored);
    // One that is too long, alone.
    let body = [7; 9000];
    let header = [1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0x23, 0x28];
    let other = SocketAddr::from(([10, 0, 0, 3], 1));
    server.arrived(now, other, &plain(22, &[&header[..], &body].concat()));
    let seen = server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, ignored + 1));
    assert!(server.out.pop().is_none());
    // Nor are there more than a few, however small.
    let small = SocketAddr::from(([10, 0, 0, 4], 1));
    server.arrived(now, small, &part(0, &[7; 34]));
    for number in 0..100 {
        server.arrived(now, small, &part(100 + number, &[7]));
    }
    let seen = server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (2, ignored + 1 + 101 - 32));
}

#[test]
fn a_client_that_begins_anew_before_it_is_known_is_the_last_to_be_forgotten() {
    let (_, config) = certified();
    let mut server = Table::new(&[2; 32]);
    assert!(server.serve(&config, 8));
    let begin = |server: &mut Table, at: u32, peer: SocketAddr, random: u8| {
        let body = [&[0xfe, 0xfd][..], &[random; 32]].concat();
        server.arrived(at * SECOND, peer, &message(1, 0, &body));
    };
    begin(&mut server, 0, CLIENT, 1);
    begin(&mut server, 1, SERVER, 2);
    begin(&mut server, 2, CLIENT, 3);
    assert_eq!(server.deadline(), Some(11 * SECOND));
    server.tick(11 * SECOND);
    assert_eq!(server.statistics().half_open, 1);
    assert_eq!(server.deadline(), Some(12 * SECOND));
}
