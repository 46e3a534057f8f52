//! Clients without a heap, and servers of rustls for them.

use rand_core_0_6::OsRng;
use tacket::testing::{MemoryPair, MemoryStream};
use tacket::{Split, Stream};
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    Anchors, GuardAes128, GuardSuite, GuardTrust, GuardedClientConfig, GuardedEngine, ServerConfig,
    TlsStorage, TlsStream,
};

use super::certificates::NOW;

pub(super) type Guarded<S, C = GuardAes128> = TlsStream<S, GuardedEngine<'static, C>>;
pub(super) type Memory<'p> = MemoryStream<'p, Vec<u8>>;

/// Enough for whatever a server sends.
const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;
const TX: usize = 1024;

/// A server, and a client that trusts it.
pub(super) struct Parties {
    pub(super) client: &'static GuardedClientConfig<'static>,
    pub(super) server: ServerConfig,
}

impl Parties {
    pub(super) fn new() -> Self {
        let authority = Authority::new();
        Self {
            client: Box::leak(Box::new(trusting(&authority))),
            server: authority.server_config(),
        }
    }

    /// They have not spoken yet.
    pub(super) fn pair<L, R>(&self, (left, right): (L, R)) -> (Guarded<L>, TlsStream<R>) {
        (
            client::<RX, TX, _, _>(left, self.client),
            TlsStream::server(right, &self.server).expect("a configuration"),
        )
    }

    /// They know each other.
    pub(super) async fn acquainted<L: Split, R: Split>(
        &self,
        transports: (L, R),
    ) -> (Guarded<L>, TlsStream<R>) {
        let (mut client, mut server) = self.pair(transports);
        let shaking = futures_util::future::join(client.do_handshake(), server.do_handshake());
        let (shaken, accepted) = shaking.await;
        assert!(shaken.is_ok() && accepted.is_ok(), "they trust each other");
        (client, server)
    }
}

/// A client's configuration. What it refers to stays.
pub(super) fn trusting(authority: &Authority) -> GuardedClientConfig<'static> {
    let roots = Box::leak(Box::new([authority.root()]));
    let anchors = Box::leak(Box::new(Anchors::from_certificates(roots).expect("a root")));
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
    GuardedClientConfig::new(trust, NAME, NOW).expect("a name")
}

/// A client with memory of its own, which stays.
pub(super) fn client<const RX: usize, const TX: usize, S, C: GuardSuite>(
    transport: S,
    config: &'static GuardedClientConfig<'static, C>,
) -> Guarded<S, C> {
    let storage = Box::leak(Box::new(TlsStorage::<RX, TX>::new()));
    TlsStream::guarded_client(transport, config, &mut OsRng, storage).expect("random bytes")
}

/// Room for whatever a test sends.
pub(super) fn memory() -> MemoryPair<Vec<u8>> {
    MemoryPair::new(vec![0; 100_000], vec![0; 100_000])
}

/// Runs `test` on a client and a server over memory that know each other.
pub(super) fn with_session<T>(
    test: impl for<'p> AsyncFnOnce(Guarded<Memory<'p>>, TlsStream<Memory<'p>>) -> T,
) -> T {
    let (parties, memory) = (Parties::new(), memory());
    super::run(async {
        let (client, server) = parties.acquainted(memory.open().expect("a new pair")).await;
        test(client, server).await
    })
}

/// Which a protocol can take.
pub(super) const fn is_stream<S: Stream>(_: &S) {}
