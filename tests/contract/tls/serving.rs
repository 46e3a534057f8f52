//! TLS listeners, and the helpers that connect and serve, over any network.

mod clients;
mod guarded_opening;
mod opening;

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use tacket::testing::{SeededExecutor, SimHost, SimNet};
use tacket::{Listeners, LocalAddress, Network, timeout};
use tacket_embassy::Options;
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_tests::{Authority, NAME};
use tacket_tls::{ClientConfig, ServerConfig, TlsListener, TlsStream};

/// Two networks that reach each other, perhaps the same one twice.
struct Ends<N> {
    client: N,
    server: N,
    /// The server, as clients call it.
    host: String,
    /// What a client has for its handshake.
    limit: Duration,
}

/// More than anything that works takes, by the clock of the network.
const LIMIT: Duration = Duration::from_secs(60);

fn on_std(claim: impl AsyncFnOnce(&Ends<tacket_std::Net>)) {
    let network = tacket_std::Net::new();
    let ends = Ends {
        client: network,
        server: network,
        host: "127.0.0.1".to_owned(),
        limit: Duration::from_millis(500),
    };
    let outcome = tacket_std::run(timeout(&network, LIMIT, claim(&ends)));
    outcome.expect("an event loop").expect("it hangs");
}

fn on_embassy(claim: impl AsyncFnOnce(&Ends<tacket_embassy::Net>)) {
    let wire = Wire::new(1, Impairments::none());
    let net = |side| wire.net::<16, 2048, 2048, 2>(side, Options::new());
    let ends = Ends {
        client: net(Side::Left),
        server: net(Side::Right),
        host: Side::Right.ipv4().to_string(),
        limit: Duration::from_secs(10),
    };
    let claim = timeout(&ends.client, LIMIT, claim(&ends));
    wire.run(claim).expect("it hangs");
}

fn on_sim(claim: impl AsyncFnOnce(&Ends<SimHost>)) {
    let executor = SeededExecutor::new(1);
    let net = SimNet::new(&executor);
    let host = |address: &str| net.host(&[address.parse().expect("an address")]);
    let ends = Ends {
        client: host("10.0.0.1"),
        server: host("10.0.0.2"),
        host: NAME.to_owned(),
        limit: Duration::from_secs(10),
    };
    net.set_name(NAME, &["10.0.0.2".parse().expect("an address")]);
    let claim = timeout(&ends.client, LIMIT, claim(&ends));
    executor.run(claim).expect("it hangs");
}

/// Holds all networks to a claim about any.
macro_rules! on_all {
    ($claim:expr) => {
        on_std($claim);
        on_embassy($claim);
        on_sim($claim);
    };
}
use on_all;

impl<N: Network> Ends<N> {
    /// Whom clients trust, and a server that has the right name.
    fn parties(&self) -> (ClientConfig, ServerConfig) {
        let authority = Authority::new();
        let server = authority.server_config_for(&[&self.host], |_| {});
        (authority.client_config(), server)
    }

    /// Where the server is.
    async fn address(&self) -> IpAddr {
        let mut addresses = [IpAddr::from([0; 4])];
        let found = self.client.resolve(&self.host, &mut addresses).await;
        assert_eq!(found.expect("it is known"), 1);
        addresses[0]
    }

    /// A listener for `config`, and where it listens.
    async fn listener(&self, config: &ServerConfig) -> (TlsListener<N::Listener>, SocketAddr) {
        let listener = self.server.listen((self.address().await, 0).into()).await;
        let listener = TlsListener::new(listener.expect("a free port"), config);
        let listener = listener.expect("a configuration");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    /// A client that has not spoken yet.
    async fn connect(&self, to: SocketAddr, config: &ClientConfig) -> TlsStream<N::Stream> {
        let transport = self.client.connect(to).await.expect("it listens");
        TlsStream::client(transport, config, self.host.as_str()).expect("a name")
    }
}

/// The port of listeners on any address.
pub(super) fn port<L: LocalAddress>(listeners: &Listeners<L, 2>) -> u16 {
    let first = listeners.each().next().expect("one at least");
    first.local_addr().expect("an address").port()
}
