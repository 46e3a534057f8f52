//! Both ends, the wire, and who goes on.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use std::sync::LazyLock;

use futures_util::future::{MaybeDone, maybe_done};
use tacket::testing::MemoryPair;
use tacket::{AsyncResource as _, ReceiveStream as _};
use tacket_tls::rustls::client::Resumption;
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::rustls::{self, SupportedProtocolVersion};
use tacket_tls::{ClientConfig, ServerConfig, TlsError, TlsStream};

use super::act::{Act, Deed, End, Tls};
use super::ledger::Ledger;
use super::program::{Options, Step};
use super::wire::Wire;
use crate::{Authority, NAME};

/// More rounds than any step needs.
const MOST_ROUNDS: usize = 1 << 20;

/// Both directions' accounts: of what the client sends, and the server.
struct Books {
    there: Ledger,
    back: Ledger,
}

pub(super) struct World;

impl World {
    pub(super) fn run(options: Options, steps: &[Step]) {
        let [near, far] = [(); 2].map(|()| {
            let room = || vec![0; options.room];
            MemoryPair::new(room(), room())
        });
        let (Some((left, near_end)), Some((far_end, right))) = (near.open(), far.open()) else {
            unreachable!("both are new")
        };
        let [mut client, mut server] = ends(options, left, right);
        let mut wire = Wire::new((near_end, far_end));
        let books = Books {
            there: Ledger::new(1),
            back: Ledger::new(2),
        };
        for step in steps {
            match step {
                Step::Wire(trick) => wire.play(trick),
                Step::Both(first, second) => {
                    let honest = options.is_honest;
                    let (first, second) = (first.within(options.room), second.within(options.room));
                    let client = client.act(first, &books.there, &books.back, honest);
                    let server = server.act(second, &books.back, &books.there, honest);
                    drive(client, server, &mut wire);
                }
            }
        }
        settle(options, client, server, &mut wire, &books);
    }
}

impl Act {
    /// Where few bytes move at a time, not so many are sent.
    fn within(mut self, room: usize) -> Self {
        let most = room.saturating_mul(64);
        match &mut self.deed {
            Deed::Send(length) | Deed::Exchange(length) | Deed::Write(length) => {
                *length = most.min(*length);
            }
            _ => {}
        }
        self
    }
}

/// What must come of it all: where the wire was honest, everything arrives; and once it is gone, nobody waits.
fn settle(
    options: Options,
    mut client: End<'_>,
    mut server: End<'_>,
    wire: &mut Wire<'_>,
    books: &Books,
) {
    wire.release();
    let is_anyone_gone = books.there.is_gone.get() || books.back.is_gone.get();
    let honest = options.is_honest;
    let done = drive(
        finish(
            &mut client,
            &books.there,
            &books.back,
            honest && !is_anyone_gone,
        ),
        finish(
            &mut server,
            &books.back,
            &books.there,
            honest && !is_anyone_gone,
        ),
        wire,
    );
    if honest {
        assert_eq!(
            done,
            (true, true),
            "somebody waits for what nobody will send"
        );
        if !is_anyone_gone {
            books.there.assert_complete();
            books.back.assert_complete();
        }
    }
    wire.cut(false);
    let done = drive(
        finish(&mut client, &books.there, &books.back, false),
        finish(&mut server, &books.back, &books.there, false),
        wire,
    );
    assert_eq!(
        done,
        (true, true),
        "somebody waits although the wire is gone"
    );
    let done = drive(close(client), close(server), wire);
    assert_eq!(
        done,
        (true, true),
        "a close waits although the wire is gone"
    );
}

/// Ends the session, and receives what there is before the peer's end.
async fn finish(end: &mut End<'_>, sent: &Ledger, received: &Ledger, must_succeed: bool) {
    let Some(tls) = &mut end.tls else {
        return;
    };
    sent.end();
    loop {
        match tls.shutdown().await {
            Ok(()) => return received.arrive_at_end(),
            Err(TlsError::UnreadData) => {
                let mut buf = [0; 1000];
                match tls.receive_some(&mut buf).await {
                    Ok(count) => received.arrive(buf.get(..count).unwrap_or_default()),
                    Err(error) => panic!("the data is not there after all: {error:?}"),
                }
            }
            Err(error) => {
                assert!(!must_succeed, "{error:?}");
                return;
            }
        }
    }
}

async fn close(end: End<'_>) {
    if let Some(tls) = end.tls {
        let closed = tls.close().await;
        assert!(closed.is_ok(), "a close fails: {closed:?}");
    }
}

/// Polls who was woken and moves bytes, until both are done or nothing happens any more. Returns who is done.
fn drive(
    client: impl Future<Output = ()>,
    server: impl Future<Output = ()>,
    wire: &mut Wire<'_>,
) -> (bool, bool) {
    let wakers = [Woken::new(), Woken::new()];
    let (mut client, mut server) = (pin!(maybe_done(client)), pin!(maybe_done(server)));
    for _ in 0..MOST_ROUNDS {
        let mut happened = false;
        let [one, other] = &wakers;
        if one.take() {
            happened = true;
            let _ = client.as_mut().poll(&mut Context::from_waker(&one.waker()));
        }
        if other.take() {
            happened = true;
            let _ = server
                .as_mut()
                .poll(&mut Context::from_waker(&other.waker()));
        }
        let done = (
            matches!(*client, MaybeDone::Done(())),
            matches!(*server, MaybeDone::Done(())),
        );
        if done == (true, true) || !(wire.step() | happened) {
            return done;
        }
    }
    panic!("it spins")
}

pub(super) struct Woken(AtomicBool);

impl Woken {
    /// Somebody who has not been polled yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Arc::clone(self).into()
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn ends<'p>(
    options: Options,
    left: tacket::testing::MemoryStream<'p, Vec<u8>>,
    right: tacket::testing::MemoryStream<'p, Vec<u8>>,
) -> [End<'p>; 2] {
    static TLS12_PARTIES: LazyLock<(ClientConfig, ServerConfig)> =
        LazyLock::new(|| parties(&TLS12));
    static TLS13_PARTIES: LazyLock<(ClientConfig, ServerConfig)> =
        LazyLock::new(|| parties(&TLS13));
    let (client, server) = match options.is_tls12 {
        true => &*TLS12_PARTIES,
        false => &*TLS13_PARTIES,
    };
    let made = (
        TlsStream::client(left, client, NAME),
        TlsStream::server(right, server),
    );
    let (Ok(client), Ok(server)) = made else {
        unreachable!("the configurations are valid")
    };
    let [is_client_lax, is_server_lax] = options.is_lax;
    [end(client, is_client_lax), end(server, is_server_lax)]
}

fn end(tls: Tls<'_>, is_lax: bool) -> End<'_> {
    let tls = Some(match is_lax {
        true => tls.https_compatible(),
        false => tls,
    });
    End { tls, is_lax }
}

/// A client and a server that trust each other, and remember nothing: runs do not depend on each other.
#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
fn parties(version: &'static SupportedProtocolVersion) -> (ClientConfig, ServerConfig) {
    let authority = Authority::new();
    let provider = || rustls::crypto::ring::default_provider().into();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root()).expect("a root");
    let mut client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    (client.into(), server.into())
}
