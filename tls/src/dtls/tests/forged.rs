//! What somebody else writes in the name of a peer.

use alloc::vec;
use alloc::vec::Vec;

use super::{Ends, SECOND, SERVER, certified, kind_of, message, of_version, plain};
use crate::dtls::record::ContentType::ChangeCipherSpec;
use crate::dtls::record::{Record, Records};

fn is_change(record: &Record<'_>) -> bool {
    matches!(record, Record::Full { content_type, .. } if *content_type == ChangeCipherSpec)
}

/// Messages that a client never sends, or whose numbers are too high.
#[test]
fn messages_in_plain_text_that_are_of_no_client_do_not_fill_a_server() {
    for is_13 in [false, true] {
        let (client, server) = of_version(is_13);
        let mut ends = Ends::new(&client, &server);
        let mut is_first = true;
        ends.talk(&mut |datagram| {
            let mut all = Vec::new();
            // Once the server has taken the hello for good.
            if kind_of(datagram) != Some(1) {
                for number in 0..100 {
                    all.push(message(20, number, &[7; 20]));
                    all.push(message(16, 100 + number, &[7; 20]));
                }
                assert!(core::mem::take(&mut is_first), "once");
            }
            all.push(datagram.to_vec());
            all
        });
        assert!(ends.are_established());
        ends.say(b"message");
        assert_eq!(ends.server.statistics().failed, 0);
        assert!(ends.server.statistics().ignored >= 200);
    }
}

/// In the middle of the handshake, when the client's first answer has not come.
#[test]
fn a_server_is_not_asked_again_by_a_hello_that_is_not_its_clients_and_by_that_one_seldom() {
    for is_13 in [false, true] {
        let (client, server) = of_version(is_13);
        let mut ends = Ends::new(&client, &server);
        let mut hello = Vec::new();
        let mut held = Vec::new();
        ends.talk(&mut |datagram| match kind_of(datagram) {
            Some(1) => {
                hello = datagram.to_vec();
                vec![hello.clone()]
            }
            _ => {
                held.push(datagram.to_vec());
                Vec::new()
            }
        });
        // What has nothing of the hello but its kind, alone and before something else.
        for number in 0..100 {
            let forged = message(1, number % 2, &[7; 13]);
            ends.arrives(&forged);
            ends.arrives(&[forged, plain(22, b"x")].concat());
            let mut other = hello.clone();
            other[30] ^= 1;
            ends.arrives(&[other, plain(22, b"x")].concat());
        }
        assert_eq!(ends.answer(), 0);
        // The flight of DTLS 1.2 is sent again by its own timer's leave only.
        ends.now += 2 * SECOND;
        for _ in 0..100 {
            ends.arrives(&hello);
        }
        let answers = ends.answer();
        assert!((1..=10).contains(&answers), "{answers}");
        for datagram in held {
            ends.arrives(&datagram);
        }
        ends.answer();
        ends.talk_undisturbed();
        assert!(ends.are_established());
        ends.say(b"message");
    }
}

/// Between the change of keys and the message that confirms it.
#[test]
fn a_record_that_nobody_can_read_does_not_end_a_servers_handshake() {
    let (client, server) = certified();
    let mut ends = Ends::new(&client, &server);
    let mut forged = 0;
    ends.talk(&mut |datagram| {
        let mut records = Records::of(datagram);
        let mut end = None;
        while let Some(Ok(record)) = records.next() {
            if is_change(&record) {
                end = Some(datagram.len() - records.left());
            }
        }
        let Some(end) = end else {
            return vec![datagram.to_vec()];
        };
        let (before, after) = datagram.split_at(end);
        let mut all = vec![before.to_vec()];
        for _ in 0..20 {
            let mut record = plain(22, &[7; 40]);
            record[4] = 1;
            all.push(record);
            forged += 1;
        }
        all.push(after.to_vec());
        all
    });
    assert_eq!(forged, 20);
    assert!(ends.are_established());
    ends.say(b"message");
}

#[test]
fn plain_text_ends_no_association_whose_handshake_is_done() {
    for is_13 in [false, true] {
        let (client, server) = of_version(is_13);
        let mut ends = Ends::new(&client, &server);
        ends.talk_undisturbed();
        assert!(ends.are_established());
        for kind in 0..=30 {
            for number in [0, 1, 7, 100] {
                let forged = message(kind, number, &[7; 40]);
                ends.arrives(&forged);
                ends.client.arrived(ends.now, SERVER, &forged);
            }
        }
        ends.talk_undisturbed();
        assert!(ends.are_established());
        ends.say(b"message");
    }
}
