//! Servers that have the right keys, or none, and do not keep to the rules.

use tacket::{AsyncResource, ReceiveStream as _, SendStream as _, Split as _};
use tacket_tests::{
    ALERT, CHANGE, DATA, HANDSHAKE, Owner, certificate, extensions, message, record,
};
use tacket_tls::{GuardError, VerifyError};

use super::world::{World, alert, refusal};

#[test]
fn an_honest_server_is_accepted_however_it_parts_its_records() {
    let world = World::new();
    let whole = world.outcome(
        |_| {},
        async |scripted, owner| {
            scripted.be_honest(owner).await;
            scripted.open_traffic().await;
        },
    );
    whole.expect("accepted");
    let parted = world.outcome(
        |_| {},
        async |scripted, owner| {
            scripted.send(&record(CHANGE, &[1])).await;
            scripted.say(&[&extensions()]).await;
            scripted.say(&[&certificate(owner)]).await;
            scripted.send(&record(CHANGE, &[1])).await;
            let verify = scripted.verify(owner, &[]);
            scripted.say(&[&verify]).await;
            let finished = scripted.finished(&[]);
            scripted.say(&[&finished]).await;
            scripted.open_traffic().await;
        },
    );
    parted.expect("accepted");
}

#[test]
fn without_certificate_and_proof_nobody_is_accepted() {
    let world = World::new();
    for together in [true, false] {
        let error = world.refusal(async |scripted, _| {
            let extensions = extensions();
            if together {
                let finished = scripted.finished(&[&extensions]);
                scripted.say(&[&extensions, &finished]).await;
            } else {
                scripted.say(&[&extensions]).await;
                let finished = scripted.finished(&[]);
                scripted.say(&[&finished]).await;
            }
        });
        assert_eq!(error, GuardError::UnexpectedMessage);

        let error = world.refusal(async |scripted, owner| {
            let (extensions, certificate) = (extensions(), certificate(owner));
            if together {
                let finished = scripted.finished(&[&extensions, &certificate]);
                scripted.say(&[&extensions, &certificate, &finished]).await;
            } else {
                scripted.say(&[&extensions, &certificate]).await;
                let finished = scripted.finished(&[]);
                scripted.say(&[&finished]).await;
            }
        });
        assert_eq!(error, GuardError::UnexpectedMessage);
    }
}

#[test]
fn messages_come_once_and_in_order() {
    let world = World::new();
    let error = world.refusal(async |scripted, owner| {
        let verify = scripted.verify(owner, &[&extensions()]);
        scripted.say(&[&extensions(), &verify]).await;
    });
    assert_eq!(error, GuardError::UnexpectedMessage);
    for twice in ["extensions", "certificate", "verify"] {
        let error = world.refusal(async |scripted, owner| {
            let say_twice = [twice == "extensions", twice == "certificate"];
            scripted.say(&[&extensions()]).await;
            if say_twice[0] {
                return scripted.say(&[&extensions()]).await;
            }
            scripted.say(&[&certificate(owner)]).await;
            if say_twice[1] {
                return scripted.say(&[&certificate(owner)]).await;
            }
            let verify = scripted.verify(owner, &[]);
            scripted.say(&[&verify]).await;
            let verify = scripted.verify(owner, &[]);
            scripted.say(&[&verify]).await;
        });
        assert_eq!(error, GuardError::UnexpectedMessage, "{twice}");
    }
    let error = world.refusal(async |scripted, owner| {
        let flight = [extensions(), certificate(owner)];
        let verify = scripted.verify(owner, &[&flight[0], &flight[1]]);
        let finished = scripted.finished(&[&flight[0], &flight[1], &verify]);
        let ticket = message(4, &[0; 13]);
        scripted
            .say(&[&flight[0], &flight[1], &verify, &finished, &ticket])
            .await;
    });
    assert_eq!(error, GuardError::UnexpectedMessage);
}

/// It is empty, and says which signatures are wanted.
fn certificate_request() -> Vec<u8> {
    message(13, &[0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3])
}

#[test]
fn a_server_asks_for_a_certificate_a_few_times_at_most() {
    let world = World::new();
    let error = world.refusal(async |scripted, owner| {
        scripted.say(&[&extensions()]).await;
        for _ in 0..3 {
            scripted.say(&[&certificate_request()]).await;
        }
        scripted.say(&[&certificate(owner)]).await;
    });
    assert_eq!(error, GuardError::UnexpectedMessage);
    let once = world.outcome(
        |_| {},
        async |scripted, owner| {
            scripted.say(&[&extensions()]).await;
            scripted.say(&[&certificate_request()]).await;
            scripted.say(&[&certificate(owner)]).await;
            let verify = scripted.verify(owner, &[]);
            scripted.say(&[&verify]).await;
            let finished = scripted.finished(&[]);
            scripted.say(&[&finished]).await;
            let none = scripted.hear().await;
            let empty = message(11, &[0, 0, 0, 0]);
            assert_eq!(
                none,
                Some([&empty[..], &[HANDSHAKE]].concat()),
                "it has none"
            );
        },
    );
    once.expect("accepted");
}

#[test]
fn a_proof_must_be_of_the_certificates_key_and_of_this_handshake() {
    let world = World::new();
    let stranger = Owner::root("stranger");
    let error = world.refusal(async |scripted, owner| {
        let flight = [extensions(), certificate(owner)];
        let verify = scripted.verify(&stranger, &[&flight[0], &flight[1]]);
        scripted.say(&[&flight[0], &flight[1], &verify]).await;
    });
    assert_eq!(error, GuardError::Untrusted(VerifyError::BadProof));
    let error = world.refusal(async |scripted, owner| {
        let flight = [extensions(), certificate(owner)];
        let verify = scripted.verify(owner, &[&flight[0]]);
        scripted.say(&[&flight[0], &flight[1], &verify]).await;
    });
    assert_eq!(error, GuardError::Untrusted(VerifyError::BadProof));
    let error = world.refusal(async |scripted, owner| {
        let flight = [extensions(), certificate(owner)];
        let verify = scripted.verify(owner, &[&flight[0], &flight[1]]);
        let finished = scripted.finished(&[]);
        scripted
            .say(&[&flight[0], &flight[1], &verify, &finished])
            .await;
    });
    assert_eq!(error, GuardError::BadFinished);
}

#[test]
fn after_the_hello_nothing_counts_in_plain_sight() {
    let world = World::new();
    for (bytes, wanted) in [
        (
            record(HANDSHAKE, &extensions()),
            GuardError::UnexpectedRecord,
        ),
        (record(ALERT, &[1, 0]), GuardError::UnexpectedRecord),
        (record(ALERT, &[2, 40]), GuardError::UnexpectedRecord),
        (record(CHANGE, &[2]), GuardError::Malformed),
        (
            [
                record(CHANGE, &[1]),
                record(CHANGE, &[1]),
                record(CHANGE, &[1]),
            ]
            .concat(),
            GuardError::UnexpectedRecord,
        ),
        (record(24, &[1]), GuardError::UnexpectedRecord),
        (record(DATA, &[0; 16]), GuardError::Malformed),
        (record(DATA, &[0; 40]), GuardError::BadRecord),
        (
            record(DATA, &[0; 2044]),
            GuardError::RecordTooLong {
                length: 2049,
                room: 2048,
            },
        ),
        (vec![DATA, 3, 1, 0, 40], GuardError::Malformed),
    ] {
        let error = world.refusal(async |scripted, _| scripted.send(&bytes).await);
        assert_eq!(error, wanted, "{bytes:?}");
    }
}

#[test]
fn protected_records_of_the_handshake_hold_whole_messages_and_nothing_else() {
    let world = World::new();
    for (inside, wanted) in [
        (&[8, 0, 0, 2, 0, 0][..5], GuardError::UnexpectedRecord),
        (&[8, 0, 0, 2, 0, HANDSHAKE], GuardError::Parted),
        (&[8, 0, 0, 3, 0, 0, 0, HANDSHAKE], GuardError::Malformed),
        (&[HANDSHAKE], GuardError::Malformed),
        (&[0, 0, 0], GuardError::Malformed),
        (&[1, 2, 3, DATA], GuardError::UnexpectedRecord),
        (&[2, 40, ALERT], GuardError::Refused(40)),
        (&[1, 0, ALERT], GuardError::Refused(0)),
        (&[2, ALERT], GuardError::Malformed),
        (&[24, 0, 0, 1, 0, HANDSHAKE], GuardError::UnexpectedMessage),
        (&[1, CHANGE], GuardError::UnexpectedRecord),
    ] {
        let error = world.refusal(async |scripted, _| scripted.send_inside(inside).await);
        assert_eq!(error, wanted, "{inside:?}");
    }
}

#[test]
fn a_hello_must_take_up_the_offer() {
    let world = World::new();
    for (place, byte, wanted) in [
        (0, 1, GuardError::UnexpectedMessage),
        (4, 2, GuardError::IllegalHello),
        (40, 2, GuardError::IllegalHello),
        (47, 5, GuardError::IllegalHello),
        (53, 29, GuardError::IllegalHello),
    ] {
        let outcome = world.outcome(|hello| hello[place] = byte, async |_, _| {});
        assert_eq!(refusal(outcome), wanted, "{place}");
    }
    let outcome = world.outcome(
        |hello| {
            let digits = digest_of_retry();
            hello[6..38].copy_from_slice(&digits);
        },
        async |_, _| {},
    );
    assert_eq!(refusal(outcome), GuardError::HelloRetry);
    // A point that is on no curve.
    let outcome = world.outcome(|hello| hello[60..70].fill(1), async |_, _| {});
    assert_eq!(refusal(outcome), GuardError::IllegalHello);
}

/// What is in the place of random bytes (RFC 8446, 4.1.3).
fn digest_of_retry() -> Vec<u8> {
    let digest = ring::digest::digest(&ring::digest::SHA256, b"HelloRetryRequest");
    digest.as_ref().to_vec()
}

/// What a server may send once the handshake is done, and what comes of it.
#[test]
fn in_traffic_everything_but_data_tickets_and_the_end_is_refused() {
    let world = World::new();
    for (inside, wanted) in [
        (&[24, 0, 0, 1, 0, HANDSHAKE][..], GuardError::KeyUpdate),
        (&[20, 0, 0, 0, HANDSHAKE], GuardError::UnexpectedMessage),
        (
            &[8, 0, 0, 2, 0, 0, HANDSHAKE],
            GuardError::UnexpectedMessage,
        ),
        (
            &[13, 0, 0, 3, 0, 0, 0, HANDSHAKE],
            GuardError::UnexpectedMessage,
        ),
        (&[99, 0, 0, 0, HANDSHAKE], GuardError::UnexpectedMessage),
        (&[4, 0, 0, 13, 0, HANDSHAKE], GuardError::Parted),
        (&[4, 0, 0, 1, 0, HANDSHAKE], GuardError::Malformed),
        (&[HANDSHAKE], GuardError::Malformed),
        (&[2, 80, ALERT], GuardError::Refused(80)),
        (&[1, 42, ALERT], GuardError::Refused(42)),
        (&[0, ALERT], GuardError::Malformed),
        (&[0, 0, 0, ALERT], GuardError::Malformed),
        (&[0], GuardError::Malformed),
        (&[0, 0, 0, 0, 0], GuardError::Malformed),
        (&[1, CHANGE], GuardError::UnexpectedRecord),
        (&[1, 2, 99], GuardError::UnexpectedRecord),
        (
            b"\x04\0\0\x11\0\0\0\x09\0\0\0\0\0\0\0\0\x04\0\x0a\0\0\x16",
            GuardError::IllegalExtension,
        ),
    ] {
        world.in_traffic(async |mut client, mut scripted| {
            scripted.send_inside(b"data\x17").await;
            scripted.send_inside(inside).await;
            scripted.send_inside(b"more\x17").await;
            let mut buf = [0; 4];
            assert_eq!(client.receive_some(&mut buf).await, Ok(4), "{inside:?}");
            assert_eq!(buf, *b"data");
            let refused = client.receive_some(&mut buf).await.map(drop);
            assert_eq!(refusal(refused.clone()), wanted, "{inside:?}");
            assert_eq!(client.receive_some(&mut buf).await.map(drop), refused);
            assert_eq!(client.send_all(b"x").await, refused);
            client.close().await.expect("closes");
            let heard = scripted.hear().await;
            let told = alert(wanted).map(|description| vec![2, description, ALERT]);
            assert_eq!(heard, told, "{inside:?}");
        });
    }
}

#[test]
fn in_traffic_nothing_counts_that_is_not_protected_by_the_next_number() {
    let world = World::new();
    for (bytes, wanted) in [
        (record(ALERT, &[1, 0]), GuardError::UnexpectedRecord),
        (
            record(HANDSHAKE, &message(4, &[0; 13])),
            GuardError::UnexpectedRecord,
        ),
        (record(CHANGE, &[1]), GuardError::UnexpectedRecord),
        (record(DATA, &[0; 30]), GuardError::BadRecord),
        (record(DATA, &[]), GuardError::Malformed),
    ] {
        world.in_traffic(async |mut client, mut scripted| {
            scripted.send(&bytes).await;
            let refused = client.receive_some(&mut [0; 4]).await.map(drop);
            assert_eq!(refusal(refused), wanted, "{bytes:?}");
        });
    }
    world.in_traffic(async |mut client, mut scripted| {
        let record = scripted.seal(b"once\x17");
        scripted.send(&record).await;
        scripted.send(&record).await;
        assert_eq!(client.receive_some(&mut [0; 9]).await, Ok(4));
        let refused = client.receive_some(&mut [0; 9]).await.map(drop);
        assert_eq!(refusal(refused), GuardError::BadRecord);
    });
    world.in_traffic(async |mut client, mut scripted| {
        let _lost = scripted.seal(b"lost\x17");
        scripted.send_inside(b"next\x17").await;
        let refused = client.receive_some(&mut [0; 9]).await.map(drop);
        assert_eq!(refusal(refused), GuardError::BadRecord);
    });
}

#[test]
fn tickets_padding_and_empty_records_are_no_data_and_no_end() {
    World::new().in_traffic(async |mut client, mut scripted| {
        let ticket = [&message(4, &[0; 13])[..], &[HANDSHAKE]].concat();
        let mut buf = [0; 9];
        for round in 0..3 {
            for _ in 0..8 {
                scripted.send_inside(&ticket).await;
                scripted.send_inside(&[DATA]).await;
                scripted.send_inside(&[DATA, 0, 0, 0]).await;
                scripted.send_inside(&[1, 90, ALERT]).await;
            }
            scripted.send_inside(b"data\0\0\x17\0\0").await;
            assert_eq!(client.receive_some(&mut buf).await, Ok(6), "{round}");
            assert_eq!(buf[..6], *b"data\0\0");
        }
        scripted.send_inside(&[1, 0, ALERT, 0]).await;
        assert_eq!(client.receive_some(&mut buf).await, Ok(0));
        client.send_all(b"still").await.expect("sends");
        assert_eq!(scripted.hear().await.as_deref(), Some(&b"still\x17"[..]));
        client.close().await.expect("closes");
        assert_eq!(scripted.hear().await.as_deref(), Some(&[1, 0, ALERT][..]));
        assert_eq!(scripted.hear().await, None);
    });
}

#[test]
fn what_the_receiving_half_refused_the_sending_half_tells() {
    for closes in [false, true] {
        World::new().in_traffic(async |mut client, mut scripted| {
            scripted.send_inside(&[20, 0, 0, 0, HANDSHAKE]).await;
            let (mut tx, mut rx) = client.split();
            let refused = rx.receive_some(&mut [0; 4]).await.map(drop);
            assert_eq!(refusal(refused.clone()), GuardError::UnexpectedMessage);
            if !closes {
                assert_eq!(tx.send_all(b"x").await, refused);
            }
            drop((tx, rx));
            if closes {
                client.close().await.expect("closes");
            }
            let heard = scripted.hear().await;
            assert_eq!(heard.as_deref(), Some(&[2, 10, ALERT][..]));
        });
    }
}

#[test]
fn a_flood_of_records_without_data_is_ended() {
    let world = World::new();
    let ticket = [&message(4, &[0; 13])[..], &[HANDSHAKE]].concat();
    for inside in [&ticket[..], &[DATA]] {
        world.in_traffic(async |mut client, mut scripted| {
            for _ in 0..33 {
                scripted.send_inside(inside).await;
            }
            let refused = client.receive_some(&mut [0; 4]).await.map(drop);
            assert_eq!(refusal(refused), GuardError::TooManyRecords);
        });
    }
}
