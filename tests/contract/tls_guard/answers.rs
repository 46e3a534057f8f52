//! What a server answers to the client's offers, and how long its records are.

use tacket::testing::DropPoint;
use tacket::{ReceiveStream as _, SendStream as _};
use tacket_tests::{ALERT, DATA, HANDSHAKE, NAME, answers, certificate, extensions, message};
use tacket_tls::{GuardError, MaxFragment, TlsStorage};

use super::guarded::memory;
use super::run;
use super::world::{World, alert, refusal};

const PROTOCOLS: &[&[u8]] = &[b"mqtt", b"coap"];

fn extension(typ: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).expect("short");
    [&[0, typ, 0, length], data].concat()
}

fn alpn(name: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("short");
    extension(16, &[&[0, length + 1, length], name].concat())
}

/// A client that offers whatever it can, or nothing but its name.
fn offering(much: bool) -> World {
    World::with(|config| {
        if !much {
            return config;
        }
        let config = config.with_max_fragment(MaxFragment::Of1024);
        config.with_alpn(PROTOCOLS).expect("protocols")
    })
}

/// Accepts the rest of an honest server's part behind these answers, or refuses them.
fn answered(world: &World, list: &[u8]) -> Result<(), GuardError> {
    let outcome = world.outcome(
        |_| {},
        async |scripted, owner| {
            let flight = [answers(list), certificate(owner)];
            let verify = scripted.verify(owner, &[&flight[0], &flight[1]]);
            let finished = scripted.finished(&[&flight[0], &flight[1], &verify]);
            let flight = [&flight[0][..], &flight[1], &verify, &finished];
            scripted.say(&flight).await;
        },
    );
    match outcome {
        Ok(()) => Ok(()),
        refused => Err(refusal(refused)),
    }
}

#[test]
fn what_was_offered_is_answered_and_what_was_not_is_refused() {
    let world = offering(true);
    for protocol in PROTOCOLS {
        let all = [alpn(protocol), extension(0, &[]), extension(1, &[2])];
        assert_eq!(answered(&world, &all.concat()), Ok(()));
    }
    for (list, wanted) in [
        (alpn(b"h2"), GuardError::IllegalHello),
        (alpn(b"mqt"), GuardError::IllegalHello),
        (
            extension(
                16,
                &[0, 10, 4, b'm', b'q', b't', b't', 4, b'c', b'o', b'a', b'p'],
            ),
            GuardError::Malformed,
        ),
        (extension(1, &[1]), GuardError::IllegalHello),
        (extension(42, &[]), GuardError::UnofferedExtension),
        (extension(28, &[0, 64]), GuardError::UnofferedExtension),
        (extension(99, &[]), GuardError::UnofferedExtension),
        // Known, in a wrong message.
        (extension(51, &[0, 23]), GuardError::IllegalExtension),
        (extension(43, &[3, 4]), GuardError::IllegalExtension),
        (
            [alpn(b"mqtt"), alpn(b"mqtt")].concat(),
            GuardError::IllegalExtension,
        ),
        (
            [extension(0, &[]), extension(0, &[])].concat(),
            GuardError::IllegalExtension,
        ),
    ] {
        assert_eq!(answered(&world, &list), Err(wanted), "{list:?}");
    }
    let world = offering(false);
    assert_eq!(answered(&world, &extension(0, &[])), Ok(()));
    for list in [alpn(b"mqtt"), extension(1, &[2])] {
        let refused = answered(&world, &list);
        assert_eq!(refused, Err(GuardError::UnofferedExtension), "{list:?}");
    }
    // Who is asked for by an address was not asked for by name.
    let world = World::asking_for("192.0.2.1", |config| config);
    let refused = answered(&world, &extension(0, &[]));
    assert_eq!(refused, Err(GuardError::UnofferedExtension));
}

#[test]
fn extensions_of_other_messages_are_looked_at_too() {
    let world = World::new();
    let error = world.refusal(async |scripted, owner| {
        let length = |length: usize| u32::try_from(length).expect("short").to_be_bytes();
        let (der, stapled) = (&owner.der[..], extension(5, &[1]));
        let entry = [&length(der.len())[1..], der, &[0, 5], &stapled].concat();
        let entry = message(11, &[&[0], &length(entry.len())[1..], &entry].concat());
        scripted.say(&[&extensions(), &entry]).await;
    });
    assert_eq!(error, GuardError::UnofferedExtension);
    let error = world.refusal(async |scripted, _| {
        let request = message(13, &[0, 0, 4, 0, 51, 0, 0]);
        scripted.say(&[&extensions(), &request]).await;
    });
    assert_eq!(error, GuardError::IllegalExtension);
}

/// The offer lies behind the record with the answers, where there has to be room for it.
#[test]
fn an_answer_that_leaves_no_room_for_the_offer_is_too_long() {
    let world = offering(true);
    // Two protocols with a byte each, and two more for all.
    let behind = 12;
    let longest = 2048 - behind;
    for (length, fits) in [(longest, true), (longest + 1, false)] {
        let error = world.refusal(async |scripted, _| {
            let mut inside = [&answers(&alpn(b"h2"))[..], &[HANDSHAKE]].concat();
            inside.resize(length - 16, 0);
            scripted.send_inside(&inside).await;
        });
        let (length, room) = (length + 5, 2048 + 5 - behind);
        let wanted = if fits {
            GuardError::IllegalHello
        } else {
            GuardError::RecordTooLong { length, room }
        };
        assert_eq!(error, wanted);
    }
}

/// RFC 8446, 5.4.
#[test]
fn a_record_holds_no_more_than_any_may_with_its_padding() {
    const MOST: usize = 1 << 14;
    const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;
    let world = World::new();
    world.in_traffic_with::<RX>(async |mut client, mut scripted| {
        let whole = [&vec![7; MOST][..], &[DATA]].concat();
        let padded = [&[1, DATA][..], &vec![0; MOST - 1]].concat();
        scripted.send_inside(&whole).await;
        scripted.send_inside(&padded).await;
        let (mut total, mut buf) = (0, vec![0; MOST]);
        while total < MOST + 1 {
            total += client.receive_some(&mut buf).await.expect("receives");
        }
        assert_eq!(total, MOST + 1);
    });
    let (length, room) = (5 + MOST + 2 + 16, 5 + MOST + 1 + 16);
    let wanted = GuardError::RecordTooLong { length, room };
    for inside in [
        [&vec![7; MOST + 1][..], &[DATA]].concat(),
        [&[1, DATA][..], &vec![0; MOST]].concat(),
    ] {
        world.in_traffic_with::<RX>(async |mut client, mut scripted| {
            scripted.send_inside(&inside).await;
            let refused = client.receive_some(&mut [0; 4]).await.map(drop);
            assert_eq!(refusal(refused), wanted);
            let told = alert(wanted).expect("it is told");
            assert_eq!(scripted.hear().await, Some(vec![2, told, ALERT]));
        });
    }
}

/// RFC 6066, 3.
#[test]
fn the_dot_at_the_end_of_a_name_is_not_sent_and_does_not_matter() {
    for name in ["server.example.", "server.example"] {
        let world = World::asking_for(name, |config| config);
        let memory = memory();
        run(async {
            let (left, mut right) = memory.open().expect("a new pair");
            let mut client = world.client::<2048, _>(left);
            let _ = DropPoint::after_poll(1).cut(client.do_handshake()).await;
            let mut hello = vec![0; 1000];
            let length = right.receive_some(&mut hello).await.expect("a hello");
            let named = [&[0, 0, 0, 19, 0, 17, 0, 0, 14][..], NAME.as_bytes()].concat();
            let at = hello[..length].windows(named.len());
            assert_eq!(at.filter(|part| *part == named).count(), 1, "{name}");
            let dotted = format!("{NAME}.");
            let mut places = hello[..length].windows(dotted.len());
            assert!(!places.any(|part| part == dotted.as_bytes()), "{name}");
        });
        assert_eq!(answered(&world, &extension(0, &[])), Ok(()), "{name}");
    }
}

/// It means something to the cipher, and is data all the same.
#[test]
fn data_that_looks_like_an_alert_of_ours_is_data() {
    let pieces: [&[u8]; 5] = [
        &[ALERT, 2, 80],
        &[ALERT, 2, 0],
        &[ALERT, 1, 0],
        &[1, 0, ALERT],
        &[ALERT, 2, 80, 0],
    ];
    World::new().in_traffic(async |mut client, mut scripted| {
        for piece in pieces {
            client.send_all(piece).await.expect("sends");
            let mut data = Vec::new();
            while data.len() < piece.len() {
                let mut inside = scripted.hear().await.expect("more");
                assert_eq!(inside.pop(), Some(DATA), "{piece:?}");
                data.extend_from_slice(&inside);
            }
            assert_eq!(data, piece);
        }
    });
}

/// It takes two records, and there is room for them wherever in the output it comes.
#[test]
fn data_that_looks_like_an_alert_has_room_wherever_it_comes() {
    use embedded_io_async::Write as _;
    let world = World::with(|config| config.with_max_fragment(MaxFragment::Of512));
    world.in_traffic(async |mut client, mut scripted| {
        for length in 900..1024 {
            let data = [&vec![0; length][..], &[ALERT, 2, 80]].concat();
            let mut rest = &data[..length];
            while !rest.is_empty() {
                let count = client.write(rest).await.expect("takes some");
                rest = &rest[count..];
            }
            client.write_all(&data[length..]).await.expect("takes it");
            client.flush().await.expect("flushes");
            let mut heard = Vec::new();
            while heard.len() < data.len() {
                let mut inside = scripted.hear().await.expect("more");
                assert_eq!(inside.pop(), Some(DATA));
                heard.extend_from_slice(&inside);
            }
            assert_eq!(heard, data);
        }
    });
}
