//! What is not answered is sent again: when, and for how long.

use core::time::Duration;
use std::cell::Cell;
use std::rc::Rc;

use futures_util::FutureExt as _;
use tacket::testing::Link;
use tacket::{AsyncResource as _, Clock as _};

use super::{SECOND, SERVER, echo, meet, meet_by, while_served};

/// Whether it is `expected`, give or take a quarter.
fn is_about(time: Duration, expected: Duration) -> bool {
    let quarter = expected / 4;
    time >= expected - quarter && time <= expected + quarter + Duration::from_millis(1)
}

/// Covers DTL-17.
#[test]
fn the_intervals_double_up_to_a_minute() {
    // The server is silent.
    meet(async |pair, channel| {
        let waiting = tacket::timeout(pair.executor, 6000 * SECOND, channel.do_handshake());
        assert!(waiting.await.is_err());
        let sent = pair.sent();
        let waits = sent.windows(2).map(|two| two[1].0 - two[0].0);
        let waits: Vec<_> = waits.collect();
        assert_eq!(sent[0].0, Duration::ZERO);
        for (wait, expected) in waits.iter().zip([1, 2, 4, 8, 16, 32]) {
            assert!(is_about(*wait, expected * SECOND), "{waits:?}");
        }
        let later = waits.get(6..).expect("it goes on");
        let longest = 45 * SECOND..=60 * SECOND;
        assert!(later.iter().all(|wait| longest.contains(wait)), "{waits:?}");
        assert!(waits.len() > 90, "{waits:?}");
    });
}

/// Covers DTL-18.
#[test]
fn a_handshake_whose_first_datagram_is_lost_takes_the_first_timeout() {
    for first in [1, 2, 4] {
        meet_by(first, false, async |pair, channel| {
            let is_first = Cell::new(true);
            pair.world.net.set_hook(move |packet| {
                if is_first.replace(false) {
                    packet.arrivals.clear();
                }
            });
            let first = Duration::from_secs(first);
            channel.set_initial_retransmit_timeout(first);
            while_served(&pair, echo, async {
                channel.do_handshake().await.expect("a handshake");
            })
            .await;
            let took = pair.executor.now();
            assert!(is_about(took, first), "{took:?}");
        });
    }
}

/// Also the last one, whose sender has done its part: its receiver asks for it again.
#[test]
fn a_handshake_gets_over_the_loss_of_any_of_the_servers_datagrams() {
    let mut all = 0;
    for lost in 1.. {
        let sent = Rc::new(Cell::new(0));
        let count = Rc::clone(&sent);
        let took = meet_by(lost, false, async |pair, channel| {
            pair.world.net.set_hook(move |packet| {
                if packet.from.ip().to_string() == SERVER {
                    count.set(count.get() + 1);
                    if count.get() == lost {
                        packet.arrivals.clear();
                    }
                }
            });
            while_served(&pair, echo, channel.do_handshake())
                .await
                .expect("a handshake");
            pair.executor.now()
        });
        if sent.get() < lost {
            // There is no such datagram.
            all = lost - 1;
            break;
        }
        assert!(took < 2 * SECOND, "{lost}: {took:?}");
        // Nothing makes good for it but time.
        assert!(took > SECOND / 2, "{lost}: {took:?}");
    }
    assert!(all >= 4, "{all} datagrams");
}

/// Covers DTL-19.
#[test]
fn a_hundred_handshakes_in_a_row_succeed_on_a_terrible_network() {
    meet_by(19, false, async |pair, _idle| {
        let late = Cell::new(0_u32);
        let link = Link::new()
            .loss(0.1)
            .duplication(0.1)
            .delay(Duration::from_millis(5));
        pair.world.net.set_usual_link(link);
        pair.world.net.set_hook(move |packet| {
            // One in ten, by its turn, up to three seconds later.
            late.set(late.get().wrapping_mul(1_103_515_245).wrapping_add(12_345));
            let draw = late.get() >> 16;
            if draw.is_multiple_of(10) {
                for arrival in &mut packet.arrivals {
                    *arrival += Duration::from_millis(u64::from(draw / 10 % 3000));
                }
            }
        });
        while_served(&pair, echo, async {
            for number in 0..100_u32 {
                let channel = pair.connect();
                let waiting = tacket::timeout(pair.executor, 3600 * SECOND, channel.do_handshake());
                waiting.await.expect("in time").expect("a handshake");
                let message = number.to_be_bytes();
                let mut answer = [0; 4];
                let mut tries = 0;
                loop {
                    tries += 1;
                    assert!(tries < 100, "{number}: {:?}", pair.server.statistics());
                    channel.send(&message).await.expect("sends");
                    let receiving = channel.receive(&mut answer);
                    let received = tacket::timeout(pair.executor, SECOND, receiving).await;
                    if received == Ok(Ok(Some(4))) && answer == message {
                        break;
                    }
                }
            }
        })
        .await;
        assert!(pair.client.close().now_or_never().is_some());
    });
}
