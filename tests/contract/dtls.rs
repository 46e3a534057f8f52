//! DTLS on the simulated network: its channels, its cookies and its ends.

mod channels;
mod drops;
mod ends;
mod flawed;
mod hellos;
mod negotiated;
mod reborn;
mod refusals;
mod seeds;
mod telemetry;
mod timing;
mod trust;
mod wakes;

use core::net::SocketAddr;
use core::pin::pin;
use core::time::Duration;
use std::net::IpAddr;
use std::rc::Rc;

use futures_util::future::{Either, select};
use tacket::testing::{
    SeededExecutor, SimDatagram, SimError, SimEvent, SimEventKind, SimHost, SimNet,
};
use tacket::{Bind as _, Clock as _, Handler, LocalAddress as _};
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    DtlsChannel, DtlsClientConfig, DtlsEndpoint, DtlsError, DtlsIdentity, DtlsServerConfig,
    DtlsTrust,
};

const SERVER: &str = "10.0.0.1";
const CLIENT: &str = "10.0.0.2";

type Endpoint = DtlsEndpoint<SimDatagram>;
type Error = DtlsError<SimError>;
type Channel = DtlsChannel<SimDatagram>;

/// Two hosts, and whom they trust.
struct World {
    net: SimNet,
    server: SimHost,
    client: SimHost,
    authority: Rc<Authority>,
}

impl World {
    fn new(executor: &SeededExecutor<'_>) -> Self {
        Self::of(executor, Rc::new(Authority::new()))
    }

    fn of(executor: &SeededExecutor<'_>, authority: Rc<Authority>) -> Self {
        let net = SimNet::new(executor);
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let server = net.host(&[ip(SERVER), ip("2001:db8::1")]);
        let client = net.host(&[ip(CLIENT), ip("2001:db8::2")]);
        Self {
            net,
            server,
            client,
            authority,
        }
    }

    fn server_config(&self) -> DtlsServerConfig {
        DtlsServerConfig::new(self.identity())
    }

    fn identity(&self) -> DtlsIdentity {
        let (certificate, key) = self.authority.certify(&[NAME], |_| {});
        DtlsIdentity::new(&certificate, &key).expect("they belong together")
    }

    fn client_config(&self) -> DtlsClientConfig {
        let trust = DtlsTrust::in_roots([self.authority.root()]).expect("a root");
        DtlsClientConfig::new(trust).expect("random bytes")
    }

    /// Configurations of a client and a server, for DTLS 1.2 or 1.3.
    fn configs(&self, dtls13: bool) -> (DtlsClientConfig, DtlsServerConfig) {
        let (client, server) = (self.client_config(), self.server_config());
        match dtls13 {
            true => (
                client.with_dtls13().expect("it has certificates"),
                server.with_dtls13().expect("it has certificates"),
            ),
            false => (client, server),
        }
    }
}

/// A client and a server, each at an endpoint of its own.
struct Pair<'m, 'e> {
    executor: &'m SeededExecutor<'e>,
    world: World,
    server: Endpoint,
    server_config: DtlsServerConfig,
    /// The server's.
    address: SocketAddr,
    client: Endpoint,
    client_config: DtlsClientConfig,
    /// The client's address.
    from: SocketAddr,
}

impl Pair<'_, '_> {
    /// A channel of the client to the server, which takes the place of the one before.
    fn connect(&self) -> Channel {
        self.connect_from(&self.client)
    }

    /// One of another client.
    fn connect_from(&self, client: &Endpoint) -> Channel {
        let channel = client.connect(self.address, &self.client_config, NAME);
        channel.expect("open")
    }

    /// The datagrams that were sent to the server so far.
    fn sent(&self) -> Vec<(Duration, usize)> {
        sent_to(&self.world.net, self.address)
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.executor.now() + duration;
        self.executor.sleep_until(until).await;
    }
}

/// Runs `talk` with a client and a server, and with a channel between them that has done nothing yet.
fn meet<T>(talk: impl AsyncFnOnce(Pair<'_, '_>, Channel) -> T) -> T {
    meet_by(1, false, talk)
}

/// The same by this seed, and by DTLS 1.2 or 1.3.
fn meet_by<T>(seed: u64, dtls13: bool, talk: impl AsyncFnOnce(Pair<'_, '_>, Channel) -> T) -> T {
    let executor = SeededExecutor::new(seed);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, from) = endpoint(&world.client).await;
        let (client_config, server_config) = world.configs(dtls13);
        let pair = Pair {
            executor: &executor,
            world,
            server,
            server_config,
            address,
            client,
            client_config,
            from,
        };
        let channel = pair.connect();
        talk(pair, channel).await
    })
}

/// An endpoint of `host` at a port that is free, and its address.
async fn endpoint(host: &SimHost) -> (Endpoint, SocketAddr) {
    endpoint_at(host, "0.0.0.0:0").await
}

async fn endpoint_at(host: &SimHost, local: &str) -> (Endpoint, SocketAddr) {
    let local = local.parse().expect("an address");
    let socket = host.bind(local).await.expect("a free port");
    let address = socket.local_addr().expect("an address");
    let endpoint = DtlsEndpoint::new(socket, host.clone());
    (endpoint.expect("random bytes"), address)
}

/// Sends each message back.
async fn echo(channel: Channel) -> Result<(), Error> {
    let mut message = [0; 2000];
    while let Some(length) = channel.receive(&mut message).await? {
        channel.send(&message[..length]).await?;
    }
    Ok(())
}

/// Runs `client` while `server` serves.
async fn while_serving<T>(
    server: &Endpoint,
    config: &DtlsServerConfig,
    handler: impl Handler<Channel>,
    client: impl Future<Output = T>,
) -> T {
    while_serving_at_most(8, server, config, handler, client).await
}

/// Runs `client` while the server of `pair` serves.
async fn while_served<T>(
    pair: &Pair<'_, '_>,
    handler: impl Handler<Channel>,
    client: impl Future<Output = T>,
) -> T {
    while_serving(&pair.server, &pair.server_config, handler, client).await
}

/// Runs `client` while `server` serves so many at most.
async fn while_serving_at_most<T>(
    most: usize,
    server: &Endpoint,
    config: &DtlsServerConfig,
    handler: impl Handler<Channel>,
    client: impl Future<Output = T>,
) -> T {
    let serving = pin!(server.serve(config, most, handler));
    match select(pin!(client), serving).await {
        Either::Left((value, _)) => value,
        Either::Right((served, _)) => panic!("it serves no more: {served:?}"),
    }
}

/// Sends `message` and waits for it to come back.
async fn round(channel: &Channel, message: &[u8]) {
    channel.send(message).await.expect("sends");
    let mut answer = [0; 2000];
    let length = channel.receive(&mut answer).await.expect("receives");
    assert_eq!(length.map(|length| &answer[..length]), Some(message));
}

/// The datagrams that were sent to `peer` so far: when, and how long they were.
fn sent_to(net: &SimNet, peer: SocketAddr) -> Vec<(Duration, usize)> {
    let sent = |event: &SimEvent| match event.what {
        SimEventKind::DatagramSent(length) if event.to == peer => Some((event.at, length)),
        _ => None,
    };
    net.events().iter().filter_map(sent).collect()
}

const SECOND: Duration = Duration::from_secs(1);
