//! The wire itself.

use std::time::Duration;

use futures_util::future::{join, pending};
use tacket::{AsyncResource, Clock as _, ReceiveStream, SendStream};
use tacket_embassy::testing::{Carried, Impairments, Wire};
use tacket_embassy::{EmbassyClock, Options};

use super::ends::{Ends, sleep};

/// Sends 64 KiB over a bad wire. Returns what the wire carried, and how long that took.
fn transfer(seed: u64) -> (Carried, Duration) {
    let bad = Impairments::none()
        .loss(0.1)
        .duplication(0.1)
        .reordering(0.3);
    let wire = Wire::new(seed, bad);
    let ends = Ends::of(&wire, Options::new());
    let clock = EmbassyClock::new();
    let start = clock.now();
    wire.run(async {
        let (mut left, mut right) = ends.connect().await;
        let sending = async {
            left.send_all(&[3; 65536]).await.expect("sends");
            left.close().await
        };
        let receiving = async {
            let (mut total, mut buf) = (0, [0; 1000]);
            while let count @ 1.. = right.receive_some(&mut buf).await.expect("data") {
                total += count;
            }
            (total, right.close().await)
        };
        let (_, (total, _)) = join(sending, receiving).await;
        assert_eq!(total, 65536);
    });
    (wire.carried(), clock.now() - start)
}

#[test]
fn a_seed_replays_the_same_run() {
    let (first, again, other) = (transfer(11), transfer(11), transfer(12));
    assert!(first.0.lost > 0 && first.0.doubled > 0, "{first:?}");
    assert_eq!(first.1, again.1);
    assert_eq!((first.0.sent, first.0.lost), (again.0.sent, again.0.lost));
    assert_ne!(first.0.trace, other.0.trace);
}

#[test]
#[should_panic(expected = "this would hang for ever")]
fn a_test_that_would_hang_panics() {
    let wire = Wire::new(1, Impairments::none());
    wire.run(pending::<()>());
}

#[test]
#[should_panic(expected = "a hundred days have passed")]
fn a_test_that_would_hang_although_connections_are_kept_alive_panics() {
    let wire = Wire::new(1, Impairments::none());
    let ends = Ends::of(&wire, Options::new());
    wire.run(async {
        let (mut left, _right) = ends.connect().await;
        left.receive_some(&mut [0; 4]).await
    })
    .expect("never");
}

#[test]
#[should_panic(expected = "no time passes")]
fn tasks_that_wake_each_other_without_end_panic() {
    let wire = Wire::new(1, Impairments::none());
    wire.run(core::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        core::task::Poll::<()>::Pending
    }));
}

#[test]
fn time_passes_only_when_everybody_waits() {
    let wire = Wire::new(1, Impairments::none());
    let clock = EmbassyClock::new();
    let start = (clock.now(), std::time::Instant::now());
    wire.run(join(sleep(3_600_000), sleep(1_800_000)));
    assert_eq!(clock.now() - start.0, Duration::from_secs(3600));
    assert!(start.1.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_cut_wire_carries_nothing_until_it_is_mended() {
    let wire = Wire::new(1, Impairments::none().delay(Duration::from_millis(5)));
    let ends = Ends::of(&wire, Options::new());
    wire.run(async {
        let (mut left, mut right) = ends.connect().await;
        wire.cut();
        left.send_all(b"late").await.expect("the stack takes it");
        let clock = EmbassyClock::new();
        let mut buf = [0; 8];
        let waiting = tacket::timeout(
            &clock,
            Duration::from_secs(20),
            right.receive_some(&mut buf),
        );
        waiting.await.expect_err("nothing arrives");
        wire.mend();
        assert_eq!(
            right
                .receive_some(&mut buf)
                .await
                .expect("a retransmission"),
            4
        );
    });
}
