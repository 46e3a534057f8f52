//! A thousand bad networks, each with the faults of its seed.

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::time::Duration;
use std::collections::HashSet;
use std::time::Instant;

use futures_util::future::{Either, select};
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use tacket::AsyncResource as _;
use tacket::testing::{Link, SeededExecutor};
use tacket_tests::NAME;
use tacket_tls::{DtlsClientConfig, DtlsError, DtlsProblem, DtlsServerConfig};

use super::{Channel, Error, SECOND, World, endpoint, endpoint_at};

/// The longest datagram that the way carries.
const MTU: usize = 600;
const MESSAGES: u32 = 5;
/// As many datagrams as these may be lost, and handshakes and messages come through nevertheless.
const MILD: f64 = 0.1;
/// Until when a caller waits for a handshake.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a message says, so that anybody can tell whether it is one.
fn message(number: u32) -> Vec<u8> {
    format!("message {number} of nobody else {number}").into_bytes()
}

fn number_of(text: &[u8]) -> u32 {
    let text = core::str::from_utf8(text).expect("authentic");
    let number = text
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok());
    let number = number.expect("authentic");
    assert_eq!(text.as_bytes(), message(number));
    number
}

/// Returns whether the handshake was done in time, and then, if not too much is lost, by both ends: each hears the other.
fn is_talked_over(
    seed: u64,
    loss: f64,
    client_config: &DtlsClientConfig,
    server_config: &DtlsServerConfig,
    world: impl FnOnce(&SeededExecutor<'_>) -> World,
) -> bool {
    let executor = SeededExecutor::new(seed);
    let world = world(&executor);
    let link = Link::new().loss(loss).duplication(0.2).reordering(0.3);
    let link = link
        .delay(Duration::from_millis(20))
        .jitter(Duration::from_millis(30));
    world.net.set_usual_link(link);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    world.net.set_hook(move |packet| {
        if packet.data.len() > MTU {
            packet.arrivals.clear();
        }
        // One in twenty is damaged, somewhere.
        if random.next_u32().is_multiple_of(20) && !packet.data.is_empty() {
            let length = u32::try_from(packet.data.len()).expect("short");
            let place = usize::try_from(random.next_u32() % length).expect("small");
            packet.data[place] ^= 1 << (random.next_u32() % 8);
        }
    });
    let is_done = Cell::new(false);
    let serving = async |channel: Channel| {
        channel.set_ciphertext_mtu(MTU);
        let handshake = tacket::timeout(&world.server, PATIENCE, channel.do_handshake());
        match handshake.await {
            Ok(Ok(())) => {}
            // Of what was damaged on its way a server has no second attempt: its client has.
            Err(_)
            | Ok(Err(DtlsError::Problem(DtlsProblem::Protocol(_)) | DtlsError::Replaced)) => {
                return Ok(());
            }
            Ok(Err(error)) => panic!("{seed}: {error:?}"),
        }
        let mut seen = HashSet::new();
        let mut text = [0; MTU];
        while let Some(length) = channel.receive(&mut text).await? {
            number_of(&text[..length]);
            // The client sends each under another number, so none comes twice.
            assert!(seen.insert(number_of(&text[..length])), "twice");
            channel.send(&text[..length]).await?;
        }
        Ok::<_, Error>(())
    };
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let serving = pin!(server.serve(server_config, 8, serving));
        let talking = pin!(async {
            let (mut client, from) = endpoint(&world.client).await;
            if seed.is_multiple_of(3) {
                // It reboots in the middle of its handshake.
                let channel = client.connect(address, client_config, NAME).expect("open");
                let middle = Duration::from_millis(seed % 400);
                let _ = tacket::timeout(&executor, middle, channel.do_handshake()).await;
                drop((channel, client));
                client = endpoint_at(&world.client, &from.to_string()).await.0;
            }
            let channel = client.connect(address, client_config, NAME).expect("open");
            channel.set_ciphertext_mtu(MTU);
            let handshake = tacket::timeout(&executor, PATIENCE, channel.do_handshake());
            match handshake.await {
                Ok(Ok(())) => is_done.set(true),
                Ok(Err(error)) => panic!("{seed}: {error:?}"),
                Err(_) => return,
            }
            let seen = RefCell::new(HashSet::new());
            let mut text = [0; MTU];
            for number in 0..MESSAGES * 20 {
                // The server's end may be of another attempt, or not there yet: then nothing comes.
                channel.send(&message(number)).await.expect("sends");
                let receiving = channel.receive(&mut text);
                let received = tacket::timeout(&executor, SECOND / 4, receiving).await;
                if let Ok(Ok(Some(length))) = received {
                    let number = number_of(&text[..length]);
                    assert!(seen.borrow_mut().insert(number), "twice");
                    if seen.borrow().len() == MESSAGES as usize {
                        break;
                    }
                }
            }
            if loss <= MILD {
                is_done.set(seen.borrow().len() == MESSAGES as usize);
            }
            channel.close().await.expect("closes");
        });
        let Either::Right(_) = select(serving, talking).await else {
            panic!("it serves no more");
        };
    });
    is_done.get()
}

/// A thousand seeds, with losses from none to three tenths.
fn talk_over_a_thousand(is_13: bool) {
    let start = Instant::now();
    let first = SeededExecutor::new(0);
    let whole = World::new(&first);
    let (mut client, mut server) = (whole.client_config(), whole.server_config());
    if is_13 {
        (client, server) = (
            client.with_dtls13().expect("it has certificates"),
            server.with_dtls13().expect("it has certificates"),
        );
    }
    let authority = whole.authority;
    let (mut mild, mut failed) = (0, Vec::new());
    for seed in 0..1000 {
        let loss = f64::from(u32::try_from(seed % 31).expect("small")) / 100.0;
        mild += usize::from(loss <= MILD);
        let world = |executor: &SeededExecutor<'_>| World::of(executor, authority.clone());
        if !is_talked_over(seed, loss, &client, &server, world) {
            failed.push((seed, loss));
        }
    }
    let failed_mildly = failed.iter().filter(|(_, loss)| *loss <= MILD).count();
    assert!(failed_mildly * 100 <= mild, "{failed:?}");
    assert!(failed.len() <= 10, "{failed:?}");
    // For whoever runs it with `--nocapture`.
    println!("a thousand seeds took {:?}", start.elapsed());
}

#[test]
fn a_thousand_seeds_shake_hands_in_time_and_deliver_what_is_authentic_once() {
    talk_over_a_thousand(false);
}

#[test]
fn a_thousand_seeds_of_dtls_1_3_do_the_same() {
    talk_over_a_thousand(true);
}
