//! How long silence is borne: of peers that are gone, and of such that only do not read.

use core::time::Duration;

use futures_util::future::join;
use tacket::{
    AsyncResource as _, Clock as _, HalfCloseable as _, ReceiveStream as _, SendStream as _,
    timeout,
};
use tacket_embassy::{NetError, Options};

use super::ends::sleep;
use super::four_each::{CLOCK, connect, four_each, listen, pair};

const fn silence(seconds: u64) -> Options {
    Options::new().silence(Some(Duration::from_secs(seconds)))
}

/// Covers EMB-24.
#[test]
fn a_close_that_nobody_acknowledges_fails_also_when_the_silence_has_been_long() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (mut left, _right) = pair(client, &mut listener).await;
        wire.cut();
        left.send_all(b"never arrives").await.unwrap();
        sleep(235_000).await;
        assert_eq!(left.close().await, Err(NetError::CloseTimedOut));
        assert_eq!(client.usage().unclean, 1);
    });
}

#[test]
fn a_close_may_take_longer_than_silence() {
    let options = silence(30).linger(Duration::from_secs(300));
    for lingers in [false, true] {
        let (wire, client, server) = four_each(options);
        wire.run(async {
            let mut listener = listen(server);
            let (mut left, _right) = pair(client, &mut listener).await;
            wire.cut();
            left.send_all(b"never arrives").await.unwrap();
            if lingers {
                left.send_eof().await.unwrap();
                drop(left);
                sleep(295_000).await;
                assert_eq!((client.usage().lingering, client.usage().unclean), (1, 0));
                sleep(10_000).await;
            } else {
                let start = CLOCK.now();
                assert_eq!(left.close().await, Err(NetError::CloseTimedOut));
                assert_eq!((CLOCK.now() - start).as_secs(), 300);
            }
            assert_eq!((client.usage().lingering, client.usage().unclean), (0, 1));
        });
    }
}

/// Covers EMB-25.
#[test]
fn a_peer_that_does_not_read_for_half_an_hour_is_no_silent_one() {
    for seconds in [10, 30, 120] {
        let (wire, client, server) = four_each(silence(seconds));
        wire.run(async {
            let mut listener = listen(server);
            let (mut left, mut right) = pair(client, &mut listener).await;
            let sending = async {
                left.send_all(&[5; 10_000]).await.unwrap();
                left.close().await
            };
            let receiving = async {
                sleep(1_800_000).await;
                let (mut buf, mut total) = ([0; 1000], 0);
                loop {
                    match right.receive_some(&mut buf).await.unwrap() {
                        0 => return total,
                        count => total += count,
                    }
                }
            };
            assert_eq!(join(sending, receiving).await, (Ok(()), 10_000));
        });
    }
}

#[test]
fn a_healthy_connection_bears_any_limit() {
    for limit in [
        Duration::from_secs(2),
        Duration::from_secs(5),
        Duration::from_secs(6),
        Duration::MAX,
    ] {
        let (wire, client, server) = four_each(Options::new().silence(Some(limit)));
        wire.run(async {
            let mut listener = listen(server);
            let (mut left, mut right) = pair(client, &mut listener).await;
            for _idle in 0..2 {
                sleep(60_000).await;
                left.send_all(b"x").await.unwrap();
                assert_eq!(right.receive_some(&mut [0; 4]).await, Ok(1), "{limit:?}");
            }
            let quiet = timeout(
                &CLOCK,
                limit.min(Duration::from_secs(60)),
                left.receive_some(&mut [0]),
            )
            .await;
            assert!(quiet.is_err(), "{limit:?}: {quiet:?}");
        });
    }
}

/// Covers EMB-26.
#[test]
fn a_client_that_leaves_before_it_is_accepted_gives_its_socket_back() {
    for speaks in [false, true] {
        let (wire, client, server) = four_each(Options::new().backlog(1));
        wire.run(async {
            let _listener = listen(server);
            let mut left = connect(client).await.unwrap();
            sleep(10).await;
            if speaks {
                left.send_all(b"hello").await.unwrap();
            }
            sleep(20_000).await;
            drop(left);
            sleep(6_000).await;
            connect(client).await.unwrap();
        });
    }
}
