//! The records of a client on the wire: none is sealed twice, whatever was dropped or failed meanwhile.
//!
//! The transport compares all that it was ever offered for one place, and the server opens records by their numbers.

use core::future::pending;
use std::pin::pin;

use futures_util::future::{Either, join, select};
use tacket::testing::{DropPoint, MemoryPair, MemoryStream};
use tacket::{AsyncResource, Fault, HalfCloseable, ReceiveStream as _, SendStream};
use tacket_tests::{ALERT, DATA, Scripted};
use tacket_tls::{GuardSuite, TlsError};

use super::guarded::Guarded;
use super::recording::{Recording, Tape, Trouble};
use super::run;
use super::world::World;

type Memory<'p> = MemoryStream<'p, [u8; 11]>;

const PIECES: [&[u8]; 4] = [
    b"the quick brown fox",
    &[ALERT, 2, 80],
    b"",
    b"jumps over the dog",
];

/// Runs `talk` on a client that has shaken hands over few bytes of memory. Returns whether it says it was disturbed, and the data that came
/// in records one after the other.
fn heard<C: GuardSuite>(
    world: &World<C>,
    talk: impl for<'p> AsyncFnOnce(Guarded<Recording<Memory<'p>>, C>, &Tape) -> bool,
) -> (bool, Vec<u8>) {
    let pair = MemoryPair::new([0; 11], [0; 11]);
    run(async {
        let (left, right) = pair.open().expect("a new pair");
        let (recording, tape) = Recording::new(left);
        let mut client = world.client::<2048, _>(recording);
        let talking = async {
            client.do_handshake().await.expect("it is honest");
            talk(client, &tape).await
        };
        let serving = async {
            let mut scripted = Scripted::greet(right, |_| {}).await;
            scripted.be_honest(&world.owner).await;
            scripted.open_traffic().await;
            let mut data = Vec::new();
            while let Some(mut inside) = scripted.hear().await {
                if inside.pop() == Some(DATA) {
                    data.extend_from_slice(&inside);
                }
            }
            data
        };
        join(talking, serving).await
    })
}

async fn drop_everything<C: GuardSuite>(
    point: DropPoint,
    mut client: Guarded<Recording<Memory<'_>>, C>,
) -> bool {
    use embedded_io_async::Write as _;
    let mut dropped = false;
    for mut rest in PIECES {
        while !rest.is_empty() {
            // A write that was dropped has taken nothing.
            if let Some(written) = point.cut(client.write(rest)).await {
                rest = &rest[written.expect("takes some")..];
            } else {
                dropped = true;
                let count = client.write(rest).await.expect("takes some");
                rest = &rest[count..];
            }
            dropped |= point.cut(client.flush()).await.is_none();
        }
        while point.cut(client.send_rest(&mut rest)).await.is_none() {
            dropped = true;
            client.flush().await.expect("flushes");
        }
    }
    dropped |= point.cut(client.send_eof()).await.is_none();
    client.send_eof().await.expect("ends");
    client.close().await.expect("closes");
    dropped
}

fn no_number_is_used_twice_by_drops<C: GuardSuite>(world: &World<C>) {
    for polls in 1.. {
        let mut any = false;
        for point in [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ] {
            let (dropped, data) = heard(world, async |client, _| {
                drop_everything(point, client).await
            });
            assert_eq!(data, PIECES.concat());
            any |= dropped;
        }
        if !any {
            assert!(polls > 2, "it was dropped at few points: {polls}");
            break;
        }
    }
}

#[test]
fn whatever_is_dropped_no_number_is_used_twice() {
    no_number_is_used_twice_by_drops(&World::new());
    no_number_is_used_twice_by_drops(&World::large());
}

/// Failures that pass: what was offered is offered again.
#[test]
fn whatever_fails_for_a_while_no_number_is_used_twice() {
    let world = World::new();
    for operations in 0.. {
        let (failed, data) = heard(&world, async |mut client, tape| {
            tape.fail_after(operations, Fault::TimedOut);
            for mut rest in PIECES {
                loop {
                    match client.send_rest(&mut rest).await {
                        Ok(()) => break,
                        Err(error) => {
                            let told = Trouble::Told(Fault::TimedOut);
                            assert_eq!(error, TlsError::Transport(told));
                        }
                    }
                }
            }
            if client.send_eof().await.is_err() {
                client.send_eof().await.expect("ends");
            }
            let failed = !tape.is_left();
            client.close().await.expect("closes");
            failed
        });
        assert_eq!(data, PIECES.concat(), "{operations}");
        if !failed {
            assert!(operations > 10, "it failed at few points: {operations}");
            break;
        }
    }
}

#[test]
fn after_a_failure_for_good_nothing_else_is_offered() {
    let world = World::new();
    for operations in 0.. {
        let (failed, data) = heard(&world, async |mut client, tape| {
            tape.fail_after(operations, Fault::Broken);
            let mut sent = true;
            for piece in PIECES {
                sent &= client.send_all(piece).await.is_ok();
            }
            if !sent {
                let before = tape.sent();
                assert_eq!(client.send_all(b"x").await, Err(TlsError::Broken));
                assert_eq!(client.send_eof().await, Err(TlsError::Broken));
                client.close().await.expect("closes");
                assert_eq!(tape.sent(), before);
                return true;
            }
            tape.is_left();
            client.close().await.expect("closes");
            false
        });
        assert!(PIECES.concat().starts_with(&data), "{operations}");
        if !failed {
            assert!(operations > 10, "it failed at few points: {operations}");
            break;
        }
    }
}

/// Covers SSL-08.
#[test]
fn after_a_handshake_that_was_dropped_nothing_else_is_offered() {
    let world = World::new();
    for polls in 1.. {
        let pair = MemoryPair::new([0; 11], [0; 11]);
        let dropped = run(async {
            let (left, right) = pair.open().expect("a new pair");
            let (recording, tape) = Recording::new(left);
            let mut client = world.client::<2048, _>(recording);
            let serving = async {
                let mut scripted = Scripted::greet(right, |_| {}).await;
                scripted.be_honest(&world.owner).await;
                scripted.open_traffic().await;
                pending::<()>().await;
            };
            let shaking = async {
                let point = DropPoint::after_poll(polls);
                if let Some(shaken) = point.cut(client.do_handshake()).await {
                    shaken.expect("it is honest");
                    return false;
                }
                let before = tape.sent();
                assert_eq!(client.send_all(b"x").await, Err(TlsError::Broken));
                assert_eq!(client.send_eof().await, Err(TlsError::Broken));
                let received = client.receive_some(&mut [0; 4]).await;
                assert_eq!(received, Err(TlsError::Broken));
                client.close().await.expect("closes");
                assert_eq!(tape.sent(), before);
                true
            };
            match select(pin!(shaking), pin!(serving)).await {
                Either::Left((dropped, _)) => dropped,
                Either::Right(_) => unreachable!("it stays"),
            }
        });
        if !dropped {
            assert!(polls > 10, "it was dropped at few points: {polls}");
            break;
        }
    }
}
