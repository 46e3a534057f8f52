//! The same with AES-256, whose hash is longer.

use tacket::{AsyncResource, ReceiveStream as _, SendStream as _};
use tacket_tests::{
    ALERT, DATA, HANDSHAKE, Owner, answers, certificate, extensions, message, record,
};
use tacket_tls::{GuardError, VerifyError};

use super::world::{World, refusal};

#[test]
fn an_honest_server_is_accepted_and_data_goes_both_ways() {
    World::large().in_traffic(async |mut client, mut scripted| {
        scripted.send_inside(b"data\x17\0").await;
        assert_eq!(client.receive_some(&mut [0; 9]).await, Ok(4));
        client.send_all(b"back").await.expect("sends");
        assert_eq!(scripted.hear().await.as_deref(), Some(&b"back\x17"[..]));
        scripted.send_inside(&[1, 0, ALERT]).await;
        assert_eq!(client.receive_some(&mut [0; 9]).await, Ok(0));
        client.close().await.expect("closes");
        assert_eq!(scripted.hear().await.as_deref(), Some(&[1, 0, ALERT][..]));
    });
}

#[test]
fn without_certificate_and_proof_nobody_is_accepted() {
    let world = World::large();
    let error = world.refusal(async |scripted, _| {
        let finished = scripted.finished(&[&extensions()]);
        scripted.say(&[&extensions(), &finished]).await;
    });
    assert_eq!(error, GuardError::UnexpectedMessage);
    let error = world.refusal(async |scripted, owner| {
        let flight = [extensions(), certificate(owner)];
        let finished = scripted.finished(&[&flight[0], &flight[1]]);
        scripted.say(&[&flight[0], &flight[1], &finished]).await;
    });
    assert_eq!(error, GuardError::UnexpectedMessage);
    let error = world.refusal(async |scripted, owner| {
        let verify = scripted.verify(owner, &[&extensions()]);
        scripted.say(&[&extensions(), &verify]).await;
    });
    assert_eq!(error, GuardError::UnexpectedMessage);
}

#[test]
fn a_proof_and_an_end_are_of_this_handshake() {
    let world = World::large();
    let stranger = Owner::root("stranger");
    let error = world.refusal(async |scripted, owner| {
        let flight = [extensions(), certificate(owner)];
        let verify = scripted.verify(&stranger, &[&flight[0], &flight[1]]);
        scripted.say(&[&flight[0], &flight[1], &verify]).await;
    });
    assert_eq!(error, GuardError::Untrusted(VerifyError::BadProof));
    for (length, wanted) in [
        (48, GuardError::BadFinished),
        (32, GuardError::Malformed),
        (49, GuardError::Malformed),
    ] {
        let error = world.refusal(async |scripted, owner| {
            let flight = [extensions(), certificate(owner)];
            let verify = scripted.verify(owner, &[&flight[0], &flight[1]]);
            let finished = message(20, &vec![7; length]);
            scripted
                .say(&[&flight[0], &flight[1], &verify, &finished])
                .await;
        });
        assert_eq!(error, wanted, "{length}");
    }
}

#[test]
fn answers_order_and_form_are_checked() {
    let world = World::large();
    for (inside, wanted) in [
        (
            [&answers(&[0, 42, 0, 0])[..], &[HANDSHAKE]].concat(),
            GuardError::UnofferedExtension,
        ),
        (vec![8, 0, 0, 2, 0, HANDSHAKE], GuardError::Parted),
        (vec![0, 0, 0], GuardError::Malformed),
        (vec![1, DATA], GuardError::UnexpectedRecord),
        (vec![2, 40, ALERT], GuardError::Refused(40)),
    ] {
        let error = world.refusal(async |scripted, _| scripted.send_inside(&inside).await);
        assert_eq!(error, wanted, "{inside:?}");
    }
    let outcome = world.outcome(|hello| hello[40] = 1, async |_, _| {});
    assert_eq!(refusal(outcome), GuardError::IllegalHello);
    let plain = record(ALERT, &[1, 0]);
    let error = world.refusal(async |scripted, _| scripted.send(&plain).await);
    assert_eq!(error, GuardError::UnexpectedRecord);
}

#[test]
fn in_traffic_nothing_counts_that_is_not_protected_and_in_its_place() {
    let world = World::large();
    for (inside, wanted) in [
        (&[24, 0, 0, 1, 0, HANDSHAKE][..], GuardError::KeyUpdate),
        (&[20, 0, 0, 0, HANDSHAKE], GuardError::UnexpectedMessage),
        (&[2, 80, ALERT], GuardError::Refused(80)),
        (&[0], GuardError::Malformed),
    ] {
        world.in_traffic(async |mut client, mut scripted| {
            scripted.send_inside(inside).await;
            let refused = client.receive_some(&mut [0; 4]).await.map(drop);
            assert_eq!(refusal(refused), wanted, "{inside:?}");
        });
    }
    for (bytes, wanted) in [
        (record(ALERT, &[1, 0]), GuardError::UnexpectedRecord),
        (record(DATA, &[0; 30]), GuardError::BadRecord),
    ] {
        world.in_traffic(async |mut client, mut scripted| {
            scripted.send(&bytes).await;
            let refused = client.receive_some(&mut [0; 4]).await.map(drop);
            assert_eq!(refusal(refused), wanted, "{bytes:?}");
        });
    }
}
