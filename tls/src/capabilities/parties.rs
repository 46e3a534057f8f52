//! Who takes part in a claim: configurations that need no feature but `rustls`, and streams over memory.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use futures_util::future::join;
use rcgen::{CertifiedKey, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tacket::testing::{MemoryPair, MemoryStream, VirtualClock};
use tacket::{ReceiveStream, SendStream, Split};

use crate::TlsStream;

pub(super) const NAME: &str = "server.example";

pub(super) type Memory<'p> = MemoryStream<'p, Vec<u8>>;
pub(super) type Tls<'p> = TlsStream<Memory<'p>>;

/// It is always the same moment.
#[derive(Debug)]
struct Noon;

impl TimeProvider for Noon {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = 1_800_000_000;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A certificate that vouches for itself.
pub(super) fn certify(name: &str) -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed([name.into()]).expect("a certificate")
}

pub(super) fn key(made: &CertifiedKey<KeyPair>) -> PrivateKeyDer<'static> {
    let key = made.signing_key.serialize_der();
    key.try_into().expect("a key")
}

pub(super) fn roots<'c>(
    trusted: impl IntoIterator<Item = &'c CertificateDer<'static>>,
) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for root in trusted {
        roots.add(root.clone()).expect("a root");
    }
    roots
}

/// A client and a server of [`NAME`], as programs without the standard library make them.
pub(super) struct Parties {
    pub(super) client: rustls::ClientConfig,
    pub(super) server: rustls::ServerConfig,
}

impl Parties {
    pub(super) fn new() -> Self {
        Self::by(rustls::crypto::ring::default_provider(), &TLS13)
    }

    pub(super) fn by(provider: CryptoProvider, version: &'static SupportedProtocolVersion) -> Self {
        let (provider, made) = (Arc::new(provider), certify(NAME));
        let client = rustls::ClientConfig::builder_with_details(provider.clone(), Arc::new(Noon))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots([made.cert.der()]))
            .with_no_client_auth();
        let server = rustls::ServerConfig::builder_with_details(provider, Arc::new(Noon))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key(&made))
            .expect("they belong together");
        Self { client, server }
    }

    /// A client and a server over these ends, which have not spoken yet.
    pub(super) fn pair<L, R>(&self, (left, right): (L, R)) -> (TlsStream<L>, TlsStream<R>) {
        let (client, server) = (self.client.clone().into(), self.server.clone().into());
        (
            TlsStream::client(left, &client, NAME).expect("a name"),
            TlsStream::server(right, &server).expect("a configuration"),
        )
    }

    /// Runs `claim` on a client and a server that have not spoken yet.
    pub(super) fn meet(&self, claim: impl for<'p> AsyncFnOnce(Tls<'p>, Tls<'p>)) {
        let memory = memory();
        let (client, server) = self.pair(memory.open().expect("a new pair"));
        run(claim(client, server));
    }

    /// Runs `claim` on a client and a server that have shaken hands.
    pub(super) fn talk(&self, claim: impl for<'p> AsyncFnOnce(Tls<'p>, Tls<'p>)) {
        self.meet(async |mut client, mut server| {
            shake_hands(&mut client, &mut server).await;
            claim(client, server).await;
        });
    }
}

/// Room for whatever a claim sends.
pub(super) fn memory() -> MemoryPair<Vec<u8>> {
    MemoryPair::new(vec![0; 100_000], vec![0; 100_000])
}

/// Drives `claim` to its end. It panics when that will never come.
pub(super) fn run<T>(claim: impl Future<Output = T>) -> T {
    VirtualClock::<1>::new().run(claim)
}

pub(super) async fn shake_hands<L: Split, R: Split>(
    client: &mut TlsStream<L>,
    server: &mut TlsStream<R>,
) {
    let (connected, accepted) = join(client.do_handshake(), server.do_handshake()).await;
    connected.expect("they trust each other");
    accepted.expect("they trust each other");
}

/// Sends `data` from one to the other.
pub(super) async fn pass(tx: &mut impl SendStream, rx: &mut impl ReceiveStream, data: &[u8]) {
    let mut buf = [0; 64];
    let (sent, received) = join(tx.send_all(data), rx.receive_some(&mut buf)).await;
    sent.expect("sends");
    assert_eq!(buf[..received.expect("receives")], *data);
}
