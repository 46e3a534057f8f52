//! A session without a heap, from the handshake to either end.

use std::collections::BTreeSet;

use futures_util::future::{join, try_join};
use rand_core_0_6::{CryptoRng, Error, OsRng, RngCore};
use tacket::testing::{
    Makers, MemoryError, MemoryPair, Pattern, VirtualClock, check_half_closeable_stream,
};
use tacket::{
    AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream, Split as _,
};
use tacket_tests::{Authority, NAME, Patience, examine_by};
use tacket_tls::{
    ConfigError, EngineError, Fingerprint, GuardError, GuardedClientConfig, MaxFragment,
    NeedHandshake, PeerIdentity, TlsError, TlsStorage, TlsStream, rustls,
};

use super::certificates::NOW;
use super::guarded::{Parties, client, is_stream, memory, trusting, with_session};
use super::run;

/// Covers SSL-13.
#[test]
fn tls_without_a_heap_keeps_the_contract() {
    // Without optimization, futures within futures within futures need a large stack.
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let examining = thread.spawn(|| {
        let parties = Parties::new();
        let pair = MemoryPair::new([0; 2000], [0; 2000]);
        let open = || pair.open().expect("the last pair is gone");
        // Halves do not shake hands, so all of them have done so before.
        let make = async || parties.acquainted(open()).await;
        // How long it computes is of no interest.
        let (clock, mut scratch) = (VirtualClock::<8>::new(), [0; 1 << 16]);
        let examining = examine_by(&clock, &mut scratch, Patience::memory(), async |e| {
            check_half_closeable_stream(e, Makers::new(make, make)).await;
        });
        clock.run(examining).assert_clean(&[]);
    });
    let examined = examining.expect("a thread").join();
    examined.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// The table of capabilities names what is not kept before the handshake, by the ids of the clauses.
#[test]
fn the_clauses_that_are_not_kept_before_the_handshake_are_those_of_the_table() {
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let examining = thread.spawn(|| {
        let parties = Parties::new();
        let pair = MemoryPair::new([0; 2000], [0; 2000]);
        let make = async || parties.pair(pair.open().expect("the last pair is gone"));
        // By this clock, who waits for what never comes has waited for long at once.
        let (clock, mut scratch) = (VirtualClock::<8>::new(), [0; 1 << 16]);
        let examining = examine_by(&clock, &mut scratch, Patience::memory(), async |e| {
            check_half_closeable_stream(e, Makers::new(make, make)).await;
        });
        let examined = clock.run(examining);
        assert!(examined.skipped().is_empty(), "{}", examined.text());
        examined.failed()
    });
    let examined = examining.expect("a thread").join();
    let failed = examined.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let table = include_str!("../../../tls/CAPABILITIES.md");
    let listed = table.lines().filter_map(|line| line.strip_prefix("- `"));
    let listed: BTreeSet<_> = listed.filter_map(|line| line.split('`').next()).collect();
    assert_eq!(listed, failed);
}

/// Covers SSL-32, SSL-34.
#[test]
fn before_the_handshake_nothing_is_known_and_after_it_who_the_server_is() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let fingerprint = Fingerprint::of_certificate(&certificate).expect("a hash");
    let parties = Parties {
        client: Box::leak(Box::new(trusting(&authority))),
        server: tacket_tls::ServerConfig::with_certificate(vec![certificate], key)
            .expect("they belong together"),
    };
    let memory = memory();
    run(async {
        let (mut client, mut server) = parties.pair(memory.open().expect("a new pair"));
        is_stream(&client);
        assert_eq!(client.negotiated().expect_err("unknown"), NeedHandshake);
        let (shaken, accepted) = join(client.do_handshake(), server.do_handshake()).await;
        shaken.expect("shakes hands");
        accepted.expect("shakes hands");
        let known = client.negotiated().expect("known");
        assert_eq!(known.identity(), PeerIdentity::Certificate(fingerprint));
        let shown = server.negotiated().expect("known");
        assert_eq!(
            known.cipher_suite().to_string(),
            shown.cipher_suite().to_string()
        );
        assert_eq!(known.cipher_suite().id(), 0x1301);
    });
}

#[test]
fn aes_256_carries_data_too() {
    let authority = Authority::new();
    let config = Box::leak(Box::new(trusting(&authority).with_aes256()));
    let memory = memory();
    run(async {
        let (left, right) = memory.open().expect("a new pair");
        let mut client = client::<2048, 1024, _, _>(left, config);
        let mut server = TlsStream::server(right, &authority.server_config()).expect("valid");
        let mut buf = [0; 8];
        let talk = async { client.send_all(b"hello").await };
        let (sent, received) = join(talk, server.receive_some(&mut buf)).await;
        sent.expect("sends");
        assert_eq!(received, Ok(5));
        let known = client.negotiated().expect("known");
        assert_eq!(known.cipher_suite().id(), 0x1302);
    });
}

/// Covers SSL-09, SSL-14.
#[test]
fn both_directions_carry_their_data_at_the_same_time_over_a_byte_of_memory() {
    let parties = Parties::new();
    for room in [1, 3, 1000] {
        let pair = MemoryPair::new(vec![0; room], vec![0; room]);
        run(async {
            let (mut client, mut server) =
                parties.acquainted(pair.open().expect("a new pair")).await;
            let (mut client_tx, mut client_rx) = client.split();
            let (mut server_tx, mut server_rx) = server.split();
            let length = 40 * room.min(500);
            let there = try_join(
                send_much(&mut client_tx, 1, length),
                receive_much(&mut server_rx, 1, length),
            );
            let back = try_join(
                send_much(&mut server_tx, 2, length),
                receive_much(&mut client_rx, 2, length),
            );
            try_join(there, back).await.expect("all of it");
            drop((client_tx, client_rx, server_tx, server_rx));
            client.close().await.expect("closes");
            server.close().await.expect("closes");
        });
    }
}

async fn send_much<S: HalfCloseable>(tx: &mut S, seed: u64, length: usize) -> Result<(), S::Error> {
    let (mut pattern, mut piece) = (Pattern::new(seed), vec![0; length]);
    for _ in 0..10 {
        pattern.fill(&mut piece);
        tx.send_all(&piece).await?;
    }
    tx.send_eof().await
}

async fn receive_much<R: ReceiveStream>(
    rx: &mut R,
    seed: u64,
    length: usize,
) -> Result<(), R::Error> {
    let (mut pattern, mut total, mut buf) = (Pattern::new(seed), 0, vec![0; 700]);
    while let count @ 1.. = rx.receive_some(&mut buf).await? {
        assert!(pattern.verify(&buf[..count]).is_ok(), "after {total} bytes");
        total += count;
    }
    assert_eq!(total, 10 * length);
    Ok(())
}

#[test]
fn a_half_does_not_shake_hands() {
    let (parties, memory) = (Parties::new(), memory());
    run(async {
        let (mut client, mut server) = parties.pair(memory.open().expect("a new pair"));
        let (mut tx, mut rx) = client.split();
        assert_eq!(tx.negotiated().expect_err("unknown"), NeedHandshake);
        for refused in [
            tx.send_all(b"hello").await,
            tx.write_anything().await,
            tx.send_eof().await,
            tx.wait_send_all_might_not_block().await,
            rx.receive_some(&mut [0; 4]).await.map(drop),
        ] {
            assert_eq!(refused, Err(TlsError::NeedHandshake));
        }
        assert_eq!(
            TlsError::<MemoryError>::NeedHandshake.fault(),
            Fault::NeedHandshake
        );
        drop((tx, rx));
        let (sent, received) =
            join(client.send_all(b"hello"), server.receive_some(&mut [0; 9])).await;
        sent.expect("nothing was lost");
        assert_eq!(received, Ok(5));
    });
}

/// A source that brings these bytes again and again, or none.
#[derive(Debug)]
struct Broken(Vec<u8>);

impl RngCore for Broken {
    fn next_u32(&mut self) -> u32 {
        unimplemented!("nobody asks for it")
    }

    fn next_u64(&mut self) -> u64 {
        unimplemented!("nobody asks for it")
    }

    fn fill_bytes(&mut self, buf: &mut [u8]) {
        self.try_fill_bytes(buf)
            .expect("whoever can be told asks otherwise");
    }

    fn try_fill_bytes(&mut self, buf: &mut [u8]) -> Result<(), Error> {
        if self.0.is_empty() {
            return Err(core::num::NonZero::new(Error::CUSTOM_START)
                .expect("not 0")
                .into());
        }
        for (to, from) in buf.iter_mut().zip(self.0.iter().cycle()) {
            *to = *from;
        }
        Ok(())
    }
}

impl CryptoRng for Broken {}

#[test]
fn without_random_bytes_there_is_no_stream() {
    let config = trusting(&Authority::new());
    let (one, other) = ((0..32).collect::<Vec<u8>>(), (32..64).collect::<Vec<u8>>());
    // A source that is read too fast brings the same bytes twice. Then a key might be what is said to everybody.
    let too_fast = [[&one, &one, &other, &other], [&one, &other, &one, &other]];
    let constant = [&[][..], &[0], &[1], &[0xff], &[1, 2, 3, 4]].map(<[u8]>::to_vec);
    let too_fast = too_fast.map(|parts| parts.map(|part| &part[..]).concat());
    for bytes in constant.into_iter().chain(too_fast) {
        let (mut broken, mut storage) = (Broken(bytes), TlsStorage::<512, 512>::new());
        let made = TlsStream::guarded_client((), &config, &mut broken, &mut storage);
        assert_eq!(made.err(), Some(ConfigError::NoEntropy), "{broken:?}");
    }
}

/// In bytes. They lie in the memory of tasks, which on a microcontroller is set aside when it is built.
#[test]
fn the_futures_of_a_session_are_small() {
    let (parties, memory) = (Parties::new(), memory());
    let (mut client, _) = parties.pair(memory.open().expect("a new pair"));
    let handshake = size_of_val(&client.do_handshake());
    let stream = size_of_val(&client);
    let (mut tx, mut rx) = client.split();
    let sending = size_of_val(&tx.send_all(b""));
    let receiving = size_of_val(&rx.receive_some(&mut []));
    let sizes = [stream, handshake, sending, receiving];
    let limits = [2048, 4608, 512, 512];
    assert!(
        sizes.iter().zip(limits).all(|(size, limit)| *size <= limit),
        "{sizes:?}"
    );
}

trait WriteAnything: SendStream {
    async fn write_anything(&mut self) -> Result<(), Self::Error> {
        self.write(b"x").await.map(drop)
    }
}

impl<S: SendStream> WriteAnything for S {}

/// Covers SSL-15, SSL-29.
#[test]
fn an_end_is_told_from_a_cut() {
    with_session(async |mut client, mut server| {
        server.send_all(b"all").await.expect("sends");
        server.send_eof().await.expect("ends");
        let mut buf = [0; 8];
        assert_eq!(client.receive_some(&mut buf).await, Ok(3));
        assert_eq!(client.receive_some(&mut buf).await, Ok(0));
        assert_eq!(client.receive_some(&mut buf).await, Ok(0));
        client.send_all(b"goes on").await.expect("sends");
        assert_eq!(server.receive_some(&mut buf).await, Ok(7));
        client.close().await.expect("closes");
        assert_eq!(server.receive_some(&mut buf).await, Ok(0));
    });
    with_session(async |mut client, mut server| {
        server.send_all(b"cut").await.expect("sends");
        drop(server);
        let mut buf = [0; 8];
        assert_eq!(client.receive_some(&mut buf).await, Ok(3));
        let failed = client.receive_some(&mut buf).await.expect_err("it is cut");
        assert!(matches!(failed.fault(), Fault::Truncated | Fault::Broken));
        client
            .receive_some(&mut buf)
            .await
            .expect_err("it stays so");
    });
}

/// Covers SSL-20, SSL-22.
#[test]
fn the_end_of_the_transport_alone_is_one_only_where_that_was_asked_for() {
    for relaxed in [false, true] {
        let (parties, memory) = (Parties::new(), memory());
        run(async {
            let (left, mut right) = memory.open().expect("a new pair");
            let (client, mut server) = parties.pair((left, &mut right));
            let mut client = if relaxed {
                client.https_compatible()
            } else {
                client
            };
            let (shaken, sent) = join(client.do_handshake(), server.send_all(b"some")).await;
            shaken.expect("shakes hands");
            sent.expect("sends");
            drop(server);
            right.send_eof().await.expect("ends");
            let mut buf = [0; 8];
            assert_eq!(client.receive_some(&mut buf).await, Ok(4));
            let wanted = if relaxed {
                Ok(0)
            } else {
                Err(TlsError::Truncated)
            };
            assert_eq!(client.receive_some(&mut buf).await, wanted);
            assert_eq!(client.receive_some(&mut buf).await, wanted);
        });
    }
}

#[test]
fn a_shutdown_keeps_what_was_not_received() {
    with_session(async |mut client, mut server| {
        server.send_all(b"unread").await.expect("sends");
        server.send_eof().await.expect("ends");
        assert_eq!(client.shutdown().await, Err(TlsError::UnreadData));
        assert_eq!(client.shutdown().await, Err(TlsError::UnreadData));
        let mut buf = [0; 4];
        assert_eq!(client.receive_some(&mut buf).await, Ok(4));
        assert_eq!(client.shutdown().await, Err(TlsError::UnreadData));
        assert_eq!(client.receive_some(&mut buf).await, Ok(2));
        client.shutdown().await.expect("both have ended");
        assert_eq!(server.receive_some(&mut buf).await, Ok(0));
        assert_eq!(client.send_all(b"x").await, Err(TlsError::Closed));
    });
}

#[test]
fn the_memory_serves_one_session_after_the_other() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let mut storage = TlsStorage::<2048, 1024>::new();
    for round in 0..3 {
        let memory = memory();
        run(async {
            let (left, right) = memory.open().expect("a new pair");
            let made = TlsStream::guarded_client(left, &config, &mut OsRng, &mut storage);
            let mut client = made.expect("random bytes");
            let mut server = TlsStream::server(right, &authority.server_config()).expect("valid");
            let mut buf = [0; 8];
            let (sent, received) =
                join(client.send_all(b"hello"), server.receive_some(&mut buf)).await;
            sent.expect("sends");
            assert_eq!(received, Ok(5), "round {round}");
            if round == 1 {
                drop(client);
            } else {
                client.close().await.expect("closes");
            }
        });
    }
}

#[test]
fn a_record_for_which_there_is_no_room_is_named() {
    let authority = Authority::new();
    let config = Box::leak(Box::new(trusting(&authority)));
    let memory = memory();
    run(async {
        let (left, right) = memory.open().expect("a new pair");
        let mut client = client::<2048, 512, _, _>(left, config);
        let mut server = TlsStream::server(right, &authority.server_config()).expect("valid");
        let (shaken, sent) = join(client.do_handshake(), server.send_all(&[7; 3000])).await;
        shaken.expect("shakes hands");
        sent.expect("sends");
        let (length, room) = (3022, 2048);
        let wanted = GuardError::RecordTooLong { length, room };
        let wanted = Err(TlsError::Engine(EngineError::Guard(wanted)));
        assert_eq!(client.receive_some(&mut [0; 10]).await, wanted);
        assert_eq!(client.receive_some(&mut [0; 10]).await, wanted);
        let told = server.receive_some(&mut [0; 10]).await;
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::RecordOverflow);
        assert_eq!(told, Err(TlsError::Engine(alert.into())));
    });
}

#[test]
fn a_hello_for_which_there_is_no_room_is_not_sent() {
    let authority = Authority::new();
    let names: &[&[u8]] = &[&[b'x'; 200], &[b'y'; 200]];
    let config = trusting(&authority).with_alpn(names).expect("names");
    let config = Box::leak(Box::new(config));
    let memory = memory();
    run(async {
        let (left, mut right) = memory.open().expect("a new pair");
        let mut client = client::<2048, 512, _, _>(left, config);
        let refused = client.do_handshake().await;
        let wanted = TlsError::Engine(EngineError::Guard(GuardError::NoRoom));
        assert_eq!(refused, Err(wanted));
        drop(client);
        let heard = right.receive_some(&mut [0; 10]).await;
        assert!(!matches!(heard, Ok(1..)), "{heard:?}");
    });
}

#[test]
fn no_record_has_more_data_than_was_agreed() {
    let authority = Authority::new();
    let config = trusting(&authority).with_max_fragment(MaxFragment::Of512);
    let config = Box::leak(Box::new(config));
    let memory = memory();
    run(async {
        let (left, mut right) = memory.open().expect("a new pair");
        let mut client = client::<2048, 2048, _, _>(left, config);
        let mut server = TlsStream::server(&mut right, &authority.server_config()).expect("valid");
        let (shaken, accepted) = join(client.do_handshake(), server.do_handshake()).await;
        shaken.expect("shakes hands");
        accepted.expect("shakes hands");
        drop(server);
        client.send_all(&[1; 1200]).await.expect("sends");
        let mut records = Vec::new();
        while records.len() < 1200 + 3 * 22 {
            let mut buf = [0; 500];
            let count = right.receive_some(&mut buf).await.expect("more");
            records.extend_from_slice(&buf[..count]);
        }
        assert_eq!(records[..5], [23, 3, 3, 2, 17]);
        assert_eq!(records[534..539], [23, 3, 3, 2, 17]);
        assert_eq!(records[1068..1073], [23, 3, 3, 0, 193]);
    });
}

/// Covers SSL-02, SSL-03.
#[test]
fn a_server_that_is_not_trusted_is_refused_and_told_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let expired = authority.server_config_for(&[NAME], Authority::expire);
    let other = authority.server_config_for(&["other.example"], |_| {});
    for (server, alert) in [
        (
            stranger.server_config(),
            rustls::AlertDescription::UnknownCA,
        ),
        (expired, rustls::AlertDescription::CertificateExpired),
        (other, rustls::AlertDescription::BadCertificate),
    ] {
        let config = Box::leak(Box::new(trusting(&authority)));
        let memory = memory();
        run(async {
            let (left, right) = memory.open().expect("a new pair");
            let mut client = client::<2048, 1024, _, _>(left, config);
            let mut server = TlsStream::server(right, &server).expect("valid");
            let (shaken, accepted) = join(client.do_handshake(), server.do_handshake()).await;
            let Err(TlsError::Engine(EngineError::Guard(GuardError::Untrusted(_)))) = shaken else {
                panic!("{shaken:?}")
            };
            assert_eq!(client.send_all(b"x").await, shaken);
            let told = rustls::Error::AlertReceived(alert);
            assert_eq!(accepted, Err(TlsError::Engine(told.into())));
        });
    }
}

/// Covers SSL-37.
#[test]
fn a_name_is_text_or_an_address_and_nothing_else() {
    let trust = trusting(&Authority::new());
    drop(trust);
    let keys: &[Fingerprint] = &[Fingerprint::new([1; 32])];
    let trust = tacket_tls::GuardTrust::in_keys(keys).expect("one");
    for name in ["server.example", "192.0.2.1", "2001:db8::1"] {
        GuardedClientConfig::new(trust, name, NOW).expect("a name");
    }
    let long = "a.".repeat(126) + "ab";
    for name in ["", "no name", "-", &long] {
        GuardedClientConfig::new(trust, name, NOW).expect_err("no name");
    }
    let config = || GuardedClientConfig::new(trust, NAME, NOW).expect("a name");
    config().with_alpn(&[b"h2"]).expect("a protocol");
    config().with_alpn(&[b""]).expect_err("no protocol");
    config().with_alpn(&[&[0; 256]]).expect_err("no protocol");
}
