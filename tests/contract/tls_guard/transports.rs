//! Transports that fail or end in the handshake.

use core::future::pending;
use std::pin::pin;

use futures_util::future::{Either, join, select};
use tacket::{AsyncResource, Fault, HalfCloseable, ReceiveStream as _, SendStream as _};
use tacket_tests::{Scripted, certificate, extensions};
use tacket_tls::TlsError;

use super::guarded::memory;
use super::recording::{Recording, Trouble};
use super::run;
use super::world::World;

/// Covers SSL-06.
#[test]
fn a_transport_that_fails_at_any_point_of_the_handshake_has_broken_the_stream() {
    let world = World::new();
    for fault in [Fault::Broken, Fault::TimedOut] {
        for operations in 0.. {
            let memory = memory();
            let failed = run(async {
                let (left, right) = memory.open().expect("a new pair");
                let (recording, tape) = Recording::new(left);
                let mut client = world.client::<2048, _>(recording);
                tape.fail_after(operations, fault);
                let serving = async {
                    // It says all it has to say at once, and data behind it.
                    let mut scripted = Scripted::greet(right, |_| {}).await;
                    scripted.be_honest(&world.owner).await;
                    scripted.seal_as_traffic();
                    scripted.send_inside(b"data\x17").await;
                    pending::<()>().await;
                };
                let shaking = async {
                    let shaken = client.do_handshake().await;
                    if shaken.is_ok() {
                        return false;
                    }
                    assert_eq!(shaken, Err(TlsError::Transport(Trouble::Told(fault))));
                    let before = tape.sent();
                    for _ in 0..2 {
                        for failed in [
                            client.do_handshake().await,
                            client.receive_some(&mut [0; 4]).await.map(drop),
                            client.send_all(b"x").await,
                            client.send_eof().await,
                            client.shutdown().await,
                        ] {
                            assert_eq!(failed, Err(TlsError::Broken), "{operations}");
                        }
                    }
                    client.negotiated().expect_err("nothing was agreed on");
                    client.close().await.expect("closes");
                    assert_eq!(tape.sent(), before, "nothing else is sent");
                    true
                };
                match select(pin!(shaking), pin!(serving)).await {
                    Either::Left((failed, _)) => failed,
                    Either::Right(_) => unreachable!("it stays"),
                }
            });
            if !failed {
                assert!(operations >= 5, "it failed at few points: {operations}");
                break;
            }
        }
    }
}

/// Covers SSL-22.
#[test]
fn an_end_before_the_handshake_is_done_is_an_end_only_for_who_takes_any() {
    let world = World::new();
    for relaxed in [false, true] {
        for said in 0..6 {
            let memory = memory();
            run(async {
                let (left, mut right) = memory.open().expect("a new pair");
                let mut client = world.client::<2048, _>(left);
                if relaxed {
                    client = client.https_compatible();
                }
                let serving = async {
                    if said == 0 {
                        right.send_eof().await.expect("ends");
                        return right;
                    }
                    let mut scripted = Scripted::greet(right, |_| {}).await;
                    let flight = [extensions(), certificate(&world.owner)];
                    for message in flight.iter().take(said - 1) {
                        scripted.say(&[message]).await;
                    }
                    if said > 3 {
                        let verify = scripted.verify(&world.owner, &[]);
                        scripted.say(&[&verify]).await;
                    }
                    if said > 4 {
                        let finished = scripted.finished(&[]);
                        scripted.say(&[&finished]).await;
                    }
                    let mut wire = scripted.into_wire();
                    wire.send_eof().await.expect("ends");
                    wire
                };
                let (shaken, _wire) = join(client.do_handshake(), serving).await;
                let ended = if relaxed {
                    Ok(0)
                } else {
                    Err(TlsError::Truncated)
                };
                if said < 5 {
                    assert_eq!(shaken, Err(TlsError::Truncated), "{said}");
                    client.negotiated().expect_err("nothing was agreed on");
                    let refused = client.send_all(b"x").await;
                    assert_eq!(refused, Err(TlsError::Broken), "{said}");
                } else {
                    shaken.expect("it is honest");
                }
                for _ in 0..2 {
                    let received = client.receive_some(&mut [0; 4]).await;
                    assert_eq!(received, ended, "{said}");
                }
                client.close().await.expect("closes");
            });
        }
    }
}

/// A client that only receives hears the same.
#[test]
fn who_only_receives_hears_of_an_end_before_the_handshake() {
    let world = World::new();
    for relaxed in [false, true] {
        let memory = memory();
        run(async {
            let (left, mut right) = memory.open().expect("a new pair");
            let mut client = world.client::<2048, _>(left);
            if relaxed {
                client = client.https_compatible();
            }
            right.send_eof().await.expect("ends");
            let received = client.receive_some(&mut [0; 4]).await;
            let ended = if relaxed {
                Ok(0)
            } else {
                Err(TlsError::Truncated)
            };
            assert_eq!(received, ended);
            client.negotiated().expect_err("nothing was agreed on");
        });
    }
}
