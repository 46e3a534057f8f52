//! A TLS session from the handshake to either end.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use embedded_io_async::{ErrorType, Write};
use futures_util::future::{join, join3, try_join};
use tacket::testing::{MemoryError, MemoryPair, MemoryPipe, Pattern};
use tacket::{
    AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream, Split,
    StapledStream, timeout,
};
use tacket_std::MonotonicClock;
use tacket_tests::{Authority, NAME};
use tacket_tls::{NeedHandshake, TlsError, TlsVersion};

use super::apart::{Apart, with_ends_apart};
use super::{Parties, connect, memory, run, shake_hands, with_session, with_silenced_server};

/// Covers SSL-32.
#[test]
fn before_the_handshake_questions_are_answered_with_need_handshake() {
    let (parties, memory) = (Parties::new(), memory());
    let (mut client, server) = parties.pair(memory.open().expect("a new pair"));
    assert_eq!(client.negotiated().expect_err("unknown"), NeedHandshake);
    let refused = server.negotiated().expect_err("unknown");
    assert_eq!(refused.fault(), Fault::NeedHandshake);
    let (tx, rx) = client.split();
    tx.negotiated().expect_err("unknown to the halves too");
    rx.negotiated().expect_err("unknown to the halves too");
}

/// Covers SSL-33, SSL-34.
#[test]
fn after_the_handshake_both_ends_know_the_same_facts() {
    let authority = Authority::new();
    let parties = Parties {
        client: authority.client_config().with_alpn(&[b"h2", b"http/1.1"]),
        server: authority.server_config().with_alpn(&[b"http/1.1"]),
    };
    let memory = memory();
    let (client, server) = run(parties.acquainted(memory.open().expect("a new pair")));
    let (known, shown) = (
        client.negotiated().expect("known"),
        server.negotiated().expect("known"),
    );
    assert_eq!(known.version(), TlsVersion::Tls13);
    assert_eq!(known.version(), shown.version());
    assert_eq!(known.cipher_suite(), shown.cipher_suite());
    assert!(
        known.cipher_suite().to_string().starts_with("TLS13_AES"),
        "{known:?}"
    );
    assert_eq!(known.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(known.alpn_protocol(), shown.alpn_protocol());
    let [leaf] = known.peer_certificates() else {
        panic!("one certificate: {known:?}")
    };
    let names = leaf.as_ref().windows(NAME.len());
    assert!(names.into_iter().any(|name| name == NAME.as_bytes()));
    assert!(
        shown.peer_certificates().is_empty(),
        "clients are anonymous"
    );
    drop((client, server));

    with_session(async |client, server| {
        for negotiated in [client.negotiated(), server.negotiated()] {
            assert_eq!(negotiated.expect("known").alpn_protocol(), None);
        }
    });
}

/// Covers SSL-35.
#[test]
fn the_transport_can_be_asked_while_tls_owns_it() {
    let parties = Parties::new();
    run(async {
        let (client, server) = parties.pair(connect().await);
        let (here, there) = (
            client.transport().local_addr(),
            server.transport().peer_addr(),
        );
        assert_eq!(here.expect("an address"), there.expect("an address"));
    });
}

/// Covers SSL-09.
#[test]
fn both_directions_carry_their_data_at_the_same_time_in_both_versions() {
    for parties in Parties::of_each_version() {
        let memory = memory();
        run(async {
            let (mut client, mut server) = parties.pair(memory.open().expect("a new pair"));
            let (mut client_tx, mut client_rx) = client.split();
            let (mut server_tx, mut server_rx) = server.split();
            let there = try_join(
                send_much(&mut client_tx, 1),
                receive_much(&mut server_rx, 1),
            );
            let back = try_join(
                send_much(&mut server_tx, 2),
                receive_much(&mut client_rx, 2),
            );
            try_join(there, back).await.expect("all of it");
            drop((client_tx, client_rx, server_tx, server_rx));
            client.close().await.expect("closes");
            server.close().await.expect("closes");
        });
    }
}

async fn send_much<S: HalfCloseable>(tx: &mut S, seed: u64) -> Result<(), S::Error> {
    let (mut pattern, mut piece) = (Pattern::new(seed), vec![0; 32 * 1024]);
    for _ in 0..30 {
        pattern.fill(&mut piece);
        tx.send_all(&piece).await?;
    }
    tx.send_eof().await
}

async fn receive_much<R: ReceiveStream>(rx: &mut R, seed: u64) -> Result<(), R::Error> {
    let (mut pattern, mut total, mut buf) = (Pattern::new(seed), 0, vec![0; 20_000]);
    while let count @ 1.. = rx.receive_some(&mut buf).await? {
        assert!(pattern.verify(&buf[..count]).is_ok(), "after {total} bytes");
        total += count;
    }
    assert_eq!(total, 30 * 32 * 1024);
    Ok(())
}

/// Covers SSL-10.
#[test]
fn an_empty_send_shakes_hands_but_is_no_record_and_no_end() {
    with_silenced_server(async |mut client, mut right| {
        client.send_all(b"").await.expect("sends");
        assert_silent(&mut right).await;
    });
    let (parties, memory) = (Parties::new(), memory());
    let (mut client, mut server) = parties.pair(memory.open().expect("a new pair"));
    run(async {
        let (sent, shaken) = join(client.send_all(b""), server.do_handshake()).await;
        sent.expect("sends");
        shaken.expect("shakes hands");
        client.negotiated().expect("the handshake is done");
        client.send_all(b"more").await.expect("sends");
        assert_eq!(server.receive_some(&mut [0; 100]).await, Ok(4));
    });
}

/// Covers SSL-25.
#[test]
fn a_transport_that_fails_in_the_middle_of_a_send_says_why_once() {
    let parties = Parties::new();
    let memory = MemoryPair::new([0; 5000], [0; 5000]);
    run(async {
        let (mut client, server) = parties.acquainted(memory.open().expect("a new pair")).await;
        let leave = async {
            pause().await;
            drop(server);
        };
        let (sent, ()) = join(client.send_all(&[1; 50_000]), leave).await;
        assert_eq!(sent, Err(TlsError::Transport(MemoryError::Broken)));
        assert_eq!(client.send_all(b"x").await, Err(TlsError::Broken));
        // Of the other direction that said nothing yet.
        let received = client.receive_some(&mut [0]).await;
        assert_eq!(received, Err(TlsError::Transport(MemoryError::Broken)));
        assert_eq!(client.receive_some(&mut [0]).await, Err(TlsError::Broken));
        client.close().await.expect("closes");
    });
}

/// The peer sends nothing.
async fn assert_silent(rx: &mut impl ReceiveStream) {
    let (clock, mut buf) = (MonotonicClock::new(), [0; 100]);
    let receiving = rx.receive_some(&mut buf);
    let received = timeout(&clock, Duration::from_millis(20), receiving).await;
    assert!(received.is_err(), "it sends");
}

async fn pause() {
    let clock = MonotonicClock::new();
    let _ = timeout(
        &clock,
        Duration::from_millis(10),
        core::future::pending::<()>(),
    )
    .await;
}

/// Covers SSL-36.
#[test]
fn a_long_send_is_handed_to_the_transport_in_few_writes() {
    let parties = Parties::new();
    let (there, back) = (
        MemoryPipe::new(vec![0; 1 << 20]),
        MemoryPipe::new(vec![0; 1 << 20]),
    );
    let (tx, server_rx) = there.open().expect("a new pipe");
    let (server_tx, rx) = back.open().expect("a new pipe");
    let counts = Rc::new(Counts::default());
    let counted = Counted(tx, Rc::clone(&counts));
    run(async {
        let left = StapledStream::new(counted, rx);
        let right = StapledStream::new(server_tx, server_rx);
        let (mut client, mut server) = parties.pair((left, right));
        shake_hands(&mut client, &mut server).await;
        counts.reset();
        client.send_all(&[7; 100_000]).await.expect("sends");
        assert_eq!((counts.writes.get(), counts.flushes.get()), (2, 1));
        counts.reset();
        for _ in 0..10 {
            let taken = client.write(b"staged").await;
            assert_eq!(taken.expect("takes"), 6);
        }
        assert_eq!((counts.writes.get(), counts.flushes.get()), (0, 0));
        client.flush().await.expect("flushes");
        assert_eq!((counts.writes.get(), counts.flushes.get()), (1, 1));
        drop(server);
    });
}

#[derive(Debug, Default)]
struct Counts {
    writes: Cell<usize>,
    flushes: Cell<usize>,
}

impl Counts {
    fn reset(&self) {
        self.writes.set(0);
        self.flushes.set(0);
    }
}

/// Counts what is called.
#[derive(Debug)]
struct Counted<S>(S, Rc<Counts>);

impl<S: ErrorType> ErrorType for Counted<S> {
    type Error = S::Error;
}

impl<S: SendStream> Write for Counted<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, S::Error> {
        self.1.writes.set(self.1.writes.get() + 1);
        self.0.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.1.flushes.set(self.1.flushes.get() + 1);
        self.0.flush().await
    }
}

impl<S: SendStream> SendStream for Counted<S> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), S::Error> {
        self.0.wait_send_all_might_not_block().await
    }
}

impl<S: HalfCloseable> HalfCloseable for Counted<S> {
    async fn send_eof(&mut self) -> Result<(), S::Error> {
        self.0.send_eof().await
    }
}

/// A server's tickets wait for its first data: a client that only sends would never take them.
#[test]
fn a_server_that_only_receives_sends_nothing_after_its_handshake() {
    let (parties, memory) = (Parties::new(), memory());
    let (mut left, right) = memory.open().expect("a new pair");
    run(async {
        let (client, mut server) = parties.acquainted((&mut left, right)).await;
        drop(client);
        assert_silent(&mut left).await;
        let mut buf = [0; 1000];
        server.send_all(b"data").await.expect("sends");
        let said = left.receive_some(&mut buf).await.expect("receives");
        assert!(said > 100, "tickets and data: {said}");
    });
}

/// A message that comes in parts ties up the input. It must not tie up the output.
#[test]
fn a_sender_goes_on_while_the_receiver_has_half_a_message() {
    with_ends_apart(&Parties::with_tickets_in_parts(), async |apart| {
        let Apart {
            mut client,
            mut near,
            mut far,
            mut server,
        } = apart;
        let mut buf = [0; 4000];
        server
            .send_all(b"answer")
            .await
            .expect("sends tickets and data");
        let count = far.receive_some(&mut buf).await.expect("receives");
        let (first, rest) = buf[..count].split_at(150);
        near.send_all(first).await.expect("passes on a part");

        let (mut tx, mut rx) = client.split();
        let mut answer = [0; 16];
        let receiving = async { rx.receive_some(&mut answer).await };
        let meanwhile = async {
            pause().await;
            tx.send_all(b"question").await.expect("sends meanwhile");
            tx.send_all(b"again").await.expect("sends meanwhile");
            near.send_all(rest).await.expect("passes on the rest");
        };
        let (received, ()) = join(receiving, meanwhile).await;
        assert_eq!(received, Ok(6));
        drop((tx, rx));
        let mut question = [0; 100];
        let count = near.receive_some(&mut question).await.expect("receives");
        far.send_all(&question[..count]).await.expect("passes on");
        let mut buf = [0; 16];
        assert_eq!(server.receive_some(&mut buf).await, Ok(13));
        assert_eq!(&buf[..13], b"questionagain");
    });
}

/// Covers SSL-05.
#[test]
fn many_users_of_both_halves_share_one_handshake() {
    let (parties, memory) = (Parties::new(), memory());
    let (mut client, mut server) = parties.pair(memory.open().expect("a new pair"));
    run(async {
        let (mut tx, mut rx) = client.split();
        let mut buf = [0; 16];
        let echo = async {
            let mut buf = [0; 16];
            let count = server.receive_some(&mut buf).await.expect("receives");
            server.send_all(&buf[..count]).await.expect("sends");
        };
        let receiving = async { rx.receive_some(&mut buf).await };
        let (received, sent, ()) = join3(receiving, tx.send_all(b"echo"), echo).await;
        sent.expect("sends");
        assert_eq!(received, Ok(4));
    });
}
