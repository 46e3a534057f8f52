//! The attacks that firmware has to stand, on this machine: with both engines, as clients and as servers.

use core::time::Duration;
use std::sync::Arc;

use futures_util::future::join;
use rand_core_0_6::OsRng;
use tacket::testing::{MemoryPipe, MemoryReceiveStream, MemorySendStream};
use tacket::{StapledStream, Stream, timeout};
use tacket_examples::telemetry::{self, Thermostat};
use tacket_std::MonotonicClock;
use tacket_tests::{
    ATTACKS_ON_CLIENTS, ATTACKS_ON_SERVERS, AttackOnClient, AttackOnServer, AttackOutcome,
    Authority, HostileClients, HostileServers, NAME,
};
use tacket_tls::pki_types::{CertificateDer, UnixTime};
use tacket_tls::rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom, ring};
use tacket_tls::rustls::version::TLS13;
use tacket_tls::rustls::{self, NamedGroup};
use tacket_tls::{
    Anchors, CertificateClock, ClientConfig, GuardTrust, GuardedClientConfig, GuardedEngine,
    RustCrypto, ServerConfig, TlsStorage, TlsStream, Validity,
};

type Memory<'p> = StapledStream<MemorySendStream<'p, Vec<u8>>, MemoryReceiveStream<'p, Vec<u8>>>;

/// How long an attack may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Random bytes of this machine.
#[derive(Debug)]
struct Machine;

impl SecureRandom for Machine {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        ring::default_provider().secure_random.fill(buf)
    }
}

fn provider() -> Arc<CryptoProvider> {
    static ALGORITHMS: RustCrypto = RustCrypto::new(&Machine);
    Arc::new(ALGORITHMS.provider())
}

/// Room for whatever is said, in both directions.
fn memory() -> [MemoryPipe<Vec<u8>>; 2] {
    [(); 2].map(|()| MemoryPipe::new(vec![0; 100_000]))
}

/// Both ends of it.
fn open([there, back]: &[MemoryPipe<Vec<u8>>; 2]) -> (Memory<'_>, Memory<'_>) {
    let (near_tx, far_rx) = there.open().expect("a new pipe");
    let (far_tx, near_rx) = back.open().expect("a new pipe");
    (
        StapledStream::new(near_tx, near_rx),
        StapledStream::new(far_tx, far_rx),
    )
}

fn run<T>(clock: &MonotonicClock, test: impl Future<Output = T>) -> T {
    let bounded = async { timeout(clock, LIMIT, test).await.expect("it hangs") };
    tacket_std::run(bounded).expect("an event loop")
}

/// What a client of telemetry says of each attack.
fn check_client<S: for<'p> Connects<Stream<'p>: Stream>>(
    servers: &HostileServers,
    client: &S,
    wanted: impl Fn(&(AttackOnClient, AttackOutcome, AttackOutcome)) -> AttackOutcome,
) {
    let clock = MonotonicClock::new();
    let mut wrong = Vec::new();
    for row in ATTACKS_ON_CLIENTS {
        let (attack, wanted) = (row.0, wanted(row));
        let memory = memory();
        let said = run(&clock, async {
            let (left, right) = open(&memory);
            let session = async {
                let session = telemetry::session(client.connect(left).await?, &clock);
                session.await.map_err(|error| error.to_string())
            };
            join(session, servers.play(attack, wanted, right, &clock))
                .await
                .0
        });
        if !wanted.is_of(&said) {
            wrong.push(format!("{attack:?}: {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A client with one of the engines.
trait Connects {
    type Stream<'p>;

    /// Shakes hands, or says why not.
    async fn connect<'p>(&self, transport: Memory<'p>) -> Result<Self::Stream<'p>, String>;
}

struct OverRustls(ClientConfig);

impl Connects for OverRustls {
    type Stream<'p> = TlsStream<Memory<'p>>;

    async fn connect<'p>(&self, transport: Memory<'p>) -> Result<Self::Stream<'p>, String> {
        let mut stream = TlsStream::client(transport, &self.0, NAME).expect("random bytes");
        let shaken = stream.do_handshake().await;
        shaken.map(|()| stream).map_err(|error| error.to_string())
    }
}

struct Guarded(&'static GuardedClientConfig<'static>);

impl Connects for Guarded {
    type Stream<'p> = TlsStream<Memory<'p>, GuardedEngine<'static>>;

    async fn connect<'p>(&self, transport: Memory<'p>) -> Result<Self::Stream<'p>, String> {
        const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;
        let storage = Box::leak(Box::new(TlsStorage::<RX, 1024>::new()));
        let made = TlsStream::guarded_client(transport, self.0, &mut OsRng, storage);
        let mut stream = made.expect("random bytes");
        let shaken = stream.do_handshake().await;
        shaken.map(|()| stream).map_err(|error| error.to_string())
    }
}

/// The clock of this machine.
struct Now;

impl CertificateClock for Now {
    fn now(&self) -> Option<UnixTime> {
        Some(UnixTime::now())
    }
}

#[test]
fn a_client_without_a_heap_refuses_each_attack_and_says_why() {
    let servers = HostileServers::new();
    let roots = Box::leak(Box::new([CertificateDer::from(servers.root().to_vec())]));
    let anchors = Box::leak(Box::new(Anchors::from_certificates(roots).expect("a root")));
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
    let config = GuardedClientConfig::new(trust, NAME, Validity::Now(&Now)).expect("a name");
    let client = Guarded(Box::leak(Box::new(config)));
    check_client(&servers, &client, |(_, guarded, _)| *guarded);
}

#[test]
fn a_client_over_rustls_with_the_algorithms_of_boards_refuses_what_is_an_attack_and_says_why() {
    let servers = HostileServers::new();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(servers.root().to_vec().into()).expect("a root");
    let mut provider = CryptoProvider::clone(&provider());
    // The script knows one group of keys.
    provider
        .kx_groups
        .retain(|it| it.name() == NamedGroup::secp256r1);
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS13])
        .expect("its suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = OverRustls(config.into());
    check_client(&servers, &client, |(_, _, over_rustls)| *over_rustls);
}

/// Those who attack a server, and that server.
struct World {
    clients: HostileClients,
    server: ServerConfig,
    clock: MonotonicClock,
}

impl World {
    fn new() -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.certify(&[NAME], |_| {});
        let server = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("its suites")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("they belong together");
        Self {
            clients: HostileClients::new(&authority.root()),
            server: server.into(),
            clock: MonotonicClock::new(),
        }
    }

    /// What the server says of this attack.
    fn said(&self, attack: AttackOnServer) -> String {
        let memory = memory();
        run(&self.clock, async {
            let (left, right) = open(&memory);
            let server = TlsStream::server(right, &self.server).expect("a configuration");
            let mut thermostat = Thermostat::new();
            let serving = telemetry::serve(server, &mut thermostat, &self.clock);
            let (served, ()) = join(serving, self.clients.play(attack, left)).await;
            match served {
                Ok(_) => "nothing".to_owned(),
                Err(error) => error.to_string(),
            }
        })
    }
}

#[test]
fn a_server_over_rustls_with_the_algorithms_of_boards_refuses_each_attack_and_says_why() {
    let world = World::new();
    let mut wrong = Vec::new();
    for (attack, wanted) in ATTACKS_ON_SERVERS {
        let said = world.said(*attack);
        if !said.contains(wanted) {
            wrong.push(format!("{attack:?}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_hello_that_is_cut_at_any_byte_is_an_unexpected_end() {
    let world = World::new();
    for length in 0..=world.clients.hello_length() {
        let said = world.said(AttackOnServer::CutHello(length));
        assert!(said.contains("unexpected end"), "after {length}: {said}");
    }
}
