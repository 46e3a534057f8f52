//! A client without a heap, and a server for it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use p256::elliptic_curve::rand_core::{CryptoRng, Error as RandomError, RngCore};
use rcgen::{
    CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData as _, SignatureAlgorithm,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::UnbufferedServerConnection;
use rustls::time_provider::TimeProvider;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tacket::testing::{MemoryPair, MemoryStream, Pattern, VirtualClock};
use tacket::{ReceiveStream as _, SendStream as _, Split};

use super::hello::Hello;
use crate::{
    Anchors, CertificateClock, Fingerprint, GuardTrust, GuardedClientConfig, GuardedEngine,
    TlsStorage, TlsStream, Validity,
};

pub(super) const NAME: &str = "server.example";

pub(super) type Memory<'p> = MemoryStream<'p, Vec<u8>>;
pub(super) type Client<S> = TlsStream<S, GuardedEngine<'static>>;

/// It is always the same moment.
#[derive(Debug)]
struct Noon;

impl CertificateClock for Noon {
    fn now(&self) -> Option<UnixTime> {
        let seconds = 1_800_000_000;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl TimeProvider for Noon {
    fn current_time(&self) -> Option<UnixTime> {
        self.now()
    }
}

pub(super) const NOON: Validity<'static> = Validity::Now(&Noon);

/// The same bytes each time.
pub(super) struct Same;

impl RngCore for Same {
    fn next_u32(&mut self) -> u32 {
        unreachable!("nobody asks for it")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("nobody asks for it")
    }

    fn fill_bytes(&mut self, buf: &mut [u8]) {
        Pattern::new(7).fill(buf);
    }

    fn try_fill_bytes(&mut self, buf: &mut [u8]) -> Result<(), RandomError> {
        self.fill_bytes(buf);
        Ok(())
    }
}

impl CryptoRng for Same {}

/// An authority, and a server whose certificate it has signed.
pub(super) struct Parties {
    pub(super) root: CertificateDer<'static>,
    /// Of the server's certificate, and of its key.
    pub(super) fingerprints: [Fingerprint; 2],
    pub(super) client: GuardedClientConfig<'static>,
    pub(super) server: ServerConfig,
}

impl Parties {
    pub(super) fn new() -> Self {
        Self::with_key_of(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(super) fn with_key_of(algorithm: &'static SignatureAlgorithm) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let params = CertificateParams::new([NAME.into()]).expect("a name");
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let certificate = params.signed_by(&key, &authority).expect("signs");
        let (root, certificate) = (authority.der().clone(), certificate.der().clone());
        let server = server()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], private(&key))
            .expect("they belong together");
        Self {
            client: client_of(trust_in(&root)),
            root,
            fingerprints: [&certificate, &key.subject_public_key_info()[..]].map(fingerprint),
            server,
        }
    }

    /// Runs `claim` on a client that has not spoken yet, the other end of its transport, and a server there.
    pub(super) fn meet(self, claim: impl for<'p> AsyncFnOnce(Client<Memory<'p>>, Far<'p>)) {
        let memory = memory();
        let (left, right) = memory.open().expect("a new pair");
        let far = Far {
            wire: right,
            server: Server::new(self.server),
        };
        run(claim(client(left, self.client), far));
    }

    /// The same, after the handshake.
    pub(super) fn talk(self, claim: impl for<'p> AsyncFnOnce(Client<Memory<'p>>, Far<'p>)) {
        self.meet(async |mut client, mut far| {
            shake_hands(&mut client, &mut far).await;
            claim(client, far).await;
        });
    }
}

pub(super) fn server() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider: Arc<CryptoProvider> = ring::default_provider().into();
    ServerConfig::builder_with_details(provider, Arc::new(Noon))
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
}

/// That of a certificate, or of what is known as a key.
pub(super) fn fingerprint(der: &[u8]) -> Fingerprint {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
    let sha256 = suite.expect("of TLS 1.3").common.hash_provider;
    let hash = sha256.hash(der);
    Fingerprint::new(hash.as_ref().try_into().expect("32 bytes"))
}

pub(super) fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    key.serialize_der().try_into().expect("a key")
}

pub(super) fn roots(root: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    roots
}

/// What it refers to stays.
pub(super) fn trust_in(root: &CertificateDer<'static>) -> GuardTrust<'static> {
    let roots = Box::leak(Box::new([root.clone()]));
    let anchors = Anchors::from_certificates(roots).expect("a root");
    GuardTrust::in_roots(Box::leak(Box::new(anchors)).as_slice()).expect("one")
}

pub(super) fn client_of(trust: GuardTrust<'static>) -> GuardedClientConfig<'static> {
    GuardedClientConfig::new(trust, NAME, NOON).expect("a name")
}

/// A client with memory of its own, which stays.
pub(super) fn client<S>(transport: S, config: GuardedClientConfig<'static>) -> Client<S> {
    let storage = Box::leak(Box::new(TlsStorage::<16_645, 2048>::new()));
    let config = Box::leak(Box::new(config));
    TlsStream::guarded_client(transport, config, &mut Same, storage).expect("random bytes")
}

/// What a client offers that is configured so.
pub(super) fn hello(config: GuardedClientConfig<'static>) -> Hello {
    let memory = memory();
    let (left, mut right) = memory.open().expect("a new pair");
    let mut client = client(left, config);
    let mut record = [0; 4096];
    run(async {
        assert!(client.do_handshake().now_or_never().is_none());
        right.receive_some(&mut record).await.expect("a greeting");
    });
    Hello::read(&record)
}

/// Room for whatever a claim sends.
pub(super) fn memory() -> MemoryPair<Vec<u8>> {
    MemoryPair::new(vec![0; 100_000], vec![0; 100_000])
}

/// Drives `claim` to its end. It panics when that will never come.
pub(super) fn run<T>(claim: impl Future<Output = T>) -> T {
    VirtualClock::<1>::new().run(claim)
}

pub(super) async fn shake_hands<S: Split>(client: &mut Client<S>, far: &mut Far<'_>) {
    let (shaken, ()) = join(client.do_handshake(), far.serve(|it| it.is_established)).await;
    shaken.expect("they trust each other");
}

/// A server, and its end of the transport.
pub(super) struct Far<'p> {
    pub(super) wire: Memory<'p>,
    pub(super) server: Server,
}

impl Far<'_> {
    /// Lets the server hear and speak until this is so, or nobody is there any more.
    pub(super) async fn serve(&mut self, is_done: impl Fn(&Server) -> bool) {
        let mut buf = [0; 4096];
        loop {
            self.server.go_on();
            let said = core::mem::take(&mut self.server.outgoing);
            if !said.is_empty() && self.wire.send_all(&said).await.is_err() || is_done(&self.server)
            {
                return;
            }
            match self.wire.receive_some(&mut buf).await {
                Ok(count @ 1..) => self.server.incoming.extend_from_slice(&buf[..count]),
                _ => return,
            }
        }
    }

    pub(super) async fn say(&mut self, data: &[u8]) {
        self.server.to_say.extend_from_slice(data);
        self.serve(|_| true).await;
    }

    /// Hears so much.
    pub(super) async fn hear(&mut self, data: &[u8]) {
        let count = data.len();
        self.serve(|it| it.heard.len() >= count).await;
        assert_eq!(core::mem::take(&mut self.server.heard), data);
    }
}

/// rustls, as a server without a transport.
pub(super) struct Server {
    pub(super) connection: UnbufferedServerConnection,
    pub(super) incoming: Vec<u8>,
    pub(super) outgoing: Vec<u8>,
    pub(super) heard: Vec<u8>,
    pub(super) to_say: Vec<u8>,
    pub(super) changes_keys: bool,
    pub(super) ends: bool,
    pub(super) is_established: bool,
    pub(super) has_heard_end: bool,
    pub(super) failure: Option<rustls::Error>,
}

impl Server {
    pub(super) fn new(config: ServerConfig) -> Self {
        let connection = UnbufferedServerConnection::new(config.into());
        Self {
            connection: connection.expect("it is valid"),
            incoming: Vec::new(),
            outgoing: Vec::new(),
            heard: Vec::new(),
            to_say: Vec::new(),
            changes_keys: false,
            ends: false,
            is_established: false,
            has_heard_end: false,
            failure: None,
        }
    }

    /// Goes as far as what it has heard allows.
    pub(super) fn go_on(&mut self) {
        let mut buf = vec![0; 20_000];
        while self.failure.is_none() {
            let processed = self.connection.process_tls_records(&mut self.incoming);
            let UnbufferedStatus { discard, state } = processed;
            let (mut count, mut waits) = (0, false);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        self.heard
                            .extend_from_slice(record.expect("it is opened").payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    count = message.encode(&mut buf).expect("there is room");
                }
                Ok(ConnectionState::TransmitTlsData(flight)) => flight.done(),
                Ok(ConnectionState::PeerClosed) => self.has_heard_end = true,
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    self.is_established = true;
                    if core::mem::take(&mut self.changes_keys) {
                        traffic.refresh_traffic_keys().expect("TLS 1.3");
                    } else if !self.to_say.is_empty() {
                        let sealed = traffic.encrypt(&self.to_say, &mut buf);
                        count = sealed.expect("there is room");
                        self.to_say.clear();
                    } else if core::mem::take(&mut self.ends) {
                        let sealed = traffic.queue_close_notify(&mut buf);
                        count = sealed.expect("there is room");
                    } else {
                        waits = true;
                    }
                }
                Err(error) => self.failure = Some(error),
                _ => waits = true,
            }
            self.outgoing.extend_from_slice(&buf[..count]);
            self.incoming.drain(..discard);
            if waits {
                return;
            }
        }
    }
}
