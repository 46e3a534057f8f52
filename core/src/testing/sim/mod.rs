//! A network of hosts in memory, whose faults a seed decides.

mod connection;
mod datagram;
mod error;
mod host;
mod link;
mod listener;
mod segment;
mod stream;
mod trace;
mod world;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use rand_core::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

pub use datagram::{SimDatagram, SimDatagramReceiver, SimDatagramSender, SimPacket};
pub use error::SimError;
pub use host::SimHost;
pub use link::Link;
pub use listener::SimListener;
pub use stream::{SimReceiving, SimSending, SimStream};
pub use trace::{SimEvent, SimEventKind};

use super::SeededExecutor;
use world::Shared;

/// A network of hosts in memory: streams, listeners, names and datagrams, on the virtual clock of an executor.
///
/// Each [`SimHost`] is a [`Network`](crate::Network), so any program over networks runs on it. Links delay, lose, double and
/// reorder what they carry; they can be cut and mended. The executor's seed decides all that is left to chance, so the same seed
/// gives the same [events](Self::events).
///
/// It works while the executor [runs](SeededExecutor::run), in one run. It is a handle; clones are the same network.
///
/// ```
/// use core::net::{IpAddr, Ipv4Addr, SocketAddr};
/// use core::time::Duration;
/// use tacket::testing::{Link, SeededExecutor, SimError, SimNet};
/// use tacket::{AsyncResource, Clock, ConnectOptions, Listen, Listener, ReceiveStream, SendStream, open_tcp_stream};
///
/// let executor = SeededExecutor::new(7);
/// let net = SimNet::new(&executor);
/// let device = net.host(&[IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))]);
/// let client = net.host(&[IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2))]);
/// net.set_name("device.example", &[IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))]);
/// net.set_link(&device, &client, Link::new().delay(Duration::from_millis(50)).loss(0.1));
///
/// executor.spawn(async move {
///     let mut listener = device.listen(SocketAddr::from(([0, 0, 0, 0], 80))).await?;
///     let mut stream = listener.accept().await?;
///     stream.send_all(b"hello").await?;
///     stream.close().await
/// });
/// let greeted = executor.run(async {
///     let opening = open_tcp_stream(&client, "device.example", 80, ConnectOptions::new());
///     let mut stream = opening.await.expect("it listens");
///     stream.receive_some(&mut [0; 8]).await
/// });
/// assert_eq!(greeted, Ok(5));
/// assert!(executor.now() >= Duration::from_millis(100)); // there and back
/// ```
#[derive(Clone, Debug)]
pub struct SimNet {
    shared: Rc<Shared>,
}

impl SimNet {
    /// A network without hosts, on the clock of `executor` and with its seed.
    #[must_use]
    pub fn new(executor: &SeededExecutor<'_>) -> Self {
        // Another sequence than the executor's own: what the network draws does not change the schedule's draws.
        let random = Xoshiro256PlusPlus::seed_from_u64(!executor.seed());
        let shared = Rc::new(Shared::new(executor.clock(), random));
        executor.spawn(Rc::clone(&shared).deliver());
        Self { shared }
    }

    /// Adds a host with these addresses. It also has those of loopback.
    ///
    /// # Panics
    ///
    /// When another host has one of them, or one is unspecified, of loopback, or multicast.
    pub fn host(&self, addresses: &[IpAddr]) -> SimHost {
        let id = self.shared.with(|world| world.add_host(addresses));
        SimHost::new(Rc::clone(&self.shared), id)
    }

    /// What is between hosts that have no link of their own. [`Link::new`] unless set.
    pub fn set_usual_link(&self, link: Link) {
        self.shared.with(|world| world.set_usual_link(link));
    }

    /// What is between these two from now on.
    pub fn set_link(&self, a: &SimHost, b: &SimHost, link: Link) {
        self.shared.with(|world| world.set_link(a.id, b.id, link));
    }

    /// How many bytes a stream takes that its peer has not received; 64 KiB unless set, and at least 1.
    pub fn set_window(&self, bytes: usize) {
        self.shared.with(|world| world.window = bytes.max(1));
    }

    /// Cuts the link between two hosts: datagrams are lost, streams try again for 30 seconds.
    pub fn cut(&self, a: &SimHost, b: &SimHost) {
        self.shared.with(|world| world.cut(a.id, b.id));
    }

    /// Mends a link that was cut.
    pub fn mend(&self, a: &SimHost, b: &SimHost) {
        self.shared.with(|world| world.mend(a.id, b.id));
    }

    /// Resets all connections between two hosts, at both ends at once.
    pub fn reset(&self, a: &SimHost, b: &SimHost) {
        self.shared.with(|world| world.reset(a.id, b.id));
    }

    /// Gives a name these addresses, in this order; none of them takes the name away.
    pub fn set_name(&self, name: &str, addresses: &[IpAddr]) {
        self.shared.with(|world| {
            let addresses = addresses.to_vec();
            world.names.insert(name.to_string(), addresses);
        });
    }

    /// How long it takes to ask for a name; no time unless set.
    pub fn set_lookup_time(&self, time: Duration) {
        self.shared.with(|world| world.lookup_time = time);
    }

    /// Shows every datagram to `hook` before it is on its way. It can lose, delay, double, reroute and change it.
    ///
    /// ```
    /// # use tacket::testing::{SeededExecutor, SimNet};
    /// # let net = SimNet::new(&SeededExecutor::new(1));
    /// net.set_hook(|packet| {
    ///     if packet.data.starts_with(b"secret") {
    ///         packet.arrivals.clear(); // lost
    ///     }
    /// });
    /// ```
    pub fn set_hook(&self, hook: impl FnMut(&mut SimPacket) + 'static) {
        self.shared.set_hook(Some(Box::new(hook)));
    }

    /// Takes the hook away.
    pub fn remove_hook(&self) {
        self.shared.set_hook(None);
    }

    /// What has happened so far, in its order.
    #[must_use]
    pub fn events(&self) -> Vec<SimEvent> {
        self.shared.with(|world| world.trace.clone())
    }
}
