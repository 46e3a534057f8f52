//! What gets lost, or comes damaged.

use alloc::vec;
use alloc::vec::Vec;

use super::{Ends, SECOND, SERVER, kind_of, of_version, somebody};
use crate::dtls::record::Records;

/// It has seen that its client has its answer, so it repeats nothing.
#[test]
fn a_server_that_has_nothing_to_repeat_waits_and_does_not_lose_its_patience() {
    let (client, server) = of_version(true);
    let (identity, trust) = somebody();
    let client = client.with_identity(identity).expect("it has certificates");
    let server = server.with_clients(trust).expect("it has certificates");
    let mut ends = Ends::new(&client, &server);
    let mut is_first = true;
    ends.talk(&mut |datagram| match kind_of(datagram) {
        // Of the client's answer, its certificate and no more.
        None if !core::mem::take(&mut is_first) => Vec::new(),
        _ => vec![datagram.to_vec()],
    });
    assert!(!is_first && !ends.are_established());
    for minute in 1..10 {
        ends.now = minute * 60 * SECOND;
        ends.server.tick(ends.now);
        assert!(ends.server.out.pop().is_none());
        let due = ends.server.deadline();
        assert!(due.is_none_or(|due| due > ends.now), "{due:?}");
    }
    assert_eq!(ends.server.statistics().failed, 0);
}

/// The client has its server's first messages, and the rest of their datagram once more only behind them.
#[test]
fn what_was_damaged_behind_a_message_that_is_known_is_taken_when_it_comes_again() {
    let (client, server) = of_version(true);
    let mut ends = Ends::new(&client, &server);
    let mut has_damaged = false;
    for second in 0..5 {
        ends.now = second * SECOND;
        ends.client.tick(ends.now);
        ends.server.tick(ends.now);
        let mut is_quiet = false;
        while !core::mem::replace(&mut is_quiet, true) {
            while let Some(sent) = ends.client.out.pop() {
                ends.client.has_gone(sent.id, sent.number, true);
                ends.arrives(&sent.data);
                is_quiet = false;
            }
            while let Some(mut sent) = ends.server.out.pop() {
                ends.server.has_gone(sent.id, sent.number, true);
                if !has_damaged && Records::of(&sent.data).count() > 2 {
                    has_damaged = true;
                    *sent.data.last_mut().expect("not empty") ^= 1;
                }
                ends.client.arrived(ends.now, SERVER, &sent.data);
                is_quiet = false;
            }
        }
    }
    assert!(has_damaged && ends.are_established());
    ends.say(b"message");
}
