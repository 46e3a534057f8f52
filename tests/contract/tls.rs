//! The contract on TLS, over memory, over TCP and over itself.

mod adversary;
mod apart;
mod closes;
mod config;
mod cuts;
mod distrust;
mod dropped_once;
mod drops;
mod ends;
mod failures;
mod halves;
mod hostile;
mod injections;
mod keys;
mod names;
mod peers;
mod programs;
mod refusals;
mod rustcrypto;
mod serving;
mod session;
mod silence;
mod traps;
mod unwrapping;

use std::time::Duration;

use futures_util::future::try_join;
use tacket::testing::{
    Makers, MemoryPair, MemoryStream, check_half_closeable_stream, check_one_way_stream,
    check_two_way_stream,
};
use tacket::{
    Error as _, Fault, Listener as _, LocalAddress as _, ReceiveStream, SendStream as _, Split,
    Stream, timeout,
};
use tacket_std::{MonotonicClock, TcpListener, TcpStream};
use tacket_tests::{Authority, NAME, Patience, examine};
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::rustls::{self, SupportedProtocolVersion};
use tacket_tls::{ClientConfig, ServerConfig, TlsStream};

/// What both ends of a test need to make TLS of their transports.
pub(crate) struct Parties {
    client: ClientConfig,
    server: ServerConfig,
}

impl Parties {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        Self {
            client: authority.client_config(),
            server: authority.server_config(),
        }
    }

    /// Both sides speak this version of TLS only.
    fn speaking(version: &'static SupportedProtocolVersion) -> Self {
        let authority = Authority::new();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.root()).expect("a root");
        let provider = rustls::crypto::ring::default_provider().into();
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            client: client.into(),
            server: rustls_server(&authority, &[version]).into(),
        }
    }

    /// Some for each version of TLS.
    fn of_each_version() -> impl Iterator<Item = Self> {
        [&TLS12, &TLS13].into_iter().map(Self::speaking)
    }

    /// Each ticket of the server, which comes with its first data, takes several records.
    fn with_tickets_in_parts() -> Self {
        let authority = Authority::new();
        let mut server = rustls_server(&authority, rustls::ALL_VERSIONS);
        server.max_fragment_size = Some(64);
        Self {
            client: authority.client_config(),
            server: server.into(),
        }
    }

    /// A client and a server that have not spoken yet.
    pub(crate) fn pair<L, R>(&self, (left, right): (L, R)) -> (TlsStream<L>, TlsStream<R>) {
        (
            TlsStream::client(left, &self.client, NAME).expect("a name"),
            TlsStream::server(right, &self.server).expect("a configuration"),
        )
    }

    /// A client and a server that know each other.
    pub(crate) async fn acquainted<L: Split, R: Split>(
        &self,
        transports: (L, R),
    ) -> (TlsStream<L>, TlsStream<R>) {
        let (mut client, mut server) = self.pair(transports);
        shake_hands(&mut client, &mut server).await;
        (client, server)
    }
}

/// A server in the words of rustls, for a test to change.
fn rustls_server(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ServerConfig {
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let provider = rustls::crypto::ring::default_provider().into();
    rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together")
}

/// Runs `test`, which must not hang.
fn run<T>(test: impl Future<Output = T>) -> T {
    let clock = MonotonicClock::new();
    let limit = Duration::from_secs(60);
    let bounded = async { timeout(&clock, limit, test).await.expect("it hangs") };
    tacket_std::run(bounded).expect("an event loop")
}

async fn shake_hands<L: Split, R: Split>(client: &mut TlsStream<L>, server: &mut TlsStream<R>) {
    let handshakes = async {
        let client = async { client.do_handshake().await.map_err(drop) };
        let server = async { server.do_handshake().await.map_err(drop) };
        try_join(client, server).await
    };
    handshakes.await.expect("they trust each other");
}

/// How much arrives before the end, or why it is none.
async fn receive_to_end(rx: &mut impl ReceiveStream) -> Result<usize, Fault> {
    let (mut total, mut buf) = (0, [0; 4096]);
    loop {
        match rx.receive_some(&mut buf).await {
            Ok(0) => return Ok(total),
            Ok(count) => total += count,
            Err(error) => return Err(error.fault()),
        }
    }
}

/// All three checks, on pairs that `make` makes and that are `acquainted` where they have to clog.
fn examine_all<S: Stream, R: Stream>(
    patience: Patience,
    make: impl AsyncFn() -> (S, R),
    acquainted: impl AsyncFn() -> (S, R),
) {
    examine(patience, async |e| {
        check_one_way_stream(e, Makers::new(&make, &acquainted)).await;
    })
    .assert_clean(&[]);
    examine(patience, async |e| {
        check_two_way_stream(e, Makers::new(&make, &acquainted)).await;
    })
    .assert_clean(&[]);
    examine(patience, async |e| {
        check_half_closeable_stream(e, Makers::new(&make, &acquainted)).await;
    })
    .assert_clean(&[]);
}

/// Covers SSL-13.
#[test]
fn tls_over_memory_keeps_the_contract() {
    let parties = Parties::new();
    let pair = MemoryPair::new([0; 2000], [0; 2000]);
    let open = || pair.open().expect("the last pair is gone");
    examine_all(
        Patience::memory(),
        async || parties.pair(open()),
        async || parties.acquainted(open()).await,
    );
}

#[test]
fn https_compatible_tls_over_memory_keeps_the_contract() {
    let parties = Parties::new();
    let pair = MemoryPair::new([0; 2000], [0; 2000]);
    let open = || pair.open().expect("the last pair is gone");
    let relax = |(client, server): (TlsStream<_>, TlsStream<_>)| {
        (client.https_compatible(), server.https_compatible())
    };
    examine_all(
        Patience::memory(),
        // A close before the handshake leaves nobody to shake hands with.
        async || relax(parties.acquainted(open()).await),
        async || relax(parties.acquainted(open()).await),
    );
}

#[test]
fn tls_over_tcp_keeps_the_contract() {
    let parties = Parties::new();
    examine_all(
        Patience::system(),
        async || parties.pair(connect().await),
        async || parties.acquainted(connect().await).await,
    );
}

/// Covers SSL-30.
#[test]
fn tls_over_itself_keeps_the_contract() {
    // Without optimization, futures within futures within futures need a large stack.
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let examining = thread.spawn(|| {
        let (outer, inner) = (Parties::new(), Parties::new());
        let pair = MemoryPair::new([0; 2000], [0; 2000]);
        let open = || pair.open().expect("the last pair is gone");
        examine_all(
            Patience::memory(),
            async || inner.pair(outer.pair(open())),
            async || inner.acquainted(outer.pair(open())).await,
        );
    });
    let examined = examining.expect("a thread").join();
    examined.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

async fn connect() -> (TcpStream, TcpStream) {
    let address = "127.0.0.1:0".parse().expect("an address");
    let mut listener = TcpListener::bind(address).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let pair = try_join(TcpStream::connect(address), listener.accept()).await;
    pair.expect("a connection on loopback")
}

/// Room for whatever a test sends.
fn memory() -> MemoryPair<Vec<u8>> {
    MemoryPair::new(vec![0; 100_000], vec![0; 100_000])
}

/// Runs `test` on a client and a server over memory that know each other.
fn with_session<T>(
    test: impl for<'p> AsyncFnOnce(
        TlsStream<MemoryStream<'p, Vec<u8>>>,
        TlsStream<MemoryStream<'p, Vec<u8>>>,
    ) -> T,
) -> T {
    let (parties, memory) = (Parties::new(), memory());
    run(async {
        let (client, server) = parties.acquainted(memory.open().expect("a new pair")).await;
        test(client, server).await
    })
}

/// Runs `test` on a client that knows its server, and on the transport of a server that stopped speaking TLS.
fn with_silenced_server<T>(
    test: impl for<'p> AsyncFnOnce(TlsStream<MemoryStream<'p, Vec<u8>>>, MemoryStream<'p, Vec<u8>>) -> T,
) -> T {
    let (parties, memory) = (Parties::new(), memory());
    let (left, mut right) = memory.open().expect("a new pair");
    run(async {
        let (client, mut server) = parties.acquainted((left, &mut right)).await;
        server.send_all(b"before").await.expect("sends");
        drop(server);
        test(client, right).await
    })
}
