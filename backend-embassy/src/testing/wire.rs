//! A wire with a stack at each end.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::hash::{Hash as _, Hasher as _};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::task::{Context, Waker};
use core::time::Duration;
use std::hash::DefaultHasher;

use embassy_net::{Ipv4Cidr, Ipv6Cidr, Stack, StackResources, StaticConfigV4, StaticConfigV6};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_time::Instant;

use super::executor::Executor;
use super::impairments::{Fate, Impairments};
use crate::clock::ticks;
use crate::{Net, Options, PoolState, PoolStorage};

/// The sockets that a stack has room for.
const SOCKETS: usize = 64;

const MTU: usize = 1500;

/// An end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a wire has two ends")]
pub enum Side {
    /// The stack with the addresses 10.0.0.1 and fd00::1.
    Left,
    /// The stack with the addresses 10.0.0.2 and fd00::2.
    Right,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    const fn host(self) -> u8 {
        match self {
            Self::Left => 1,
            Self::Right => 2,
        }
    }

    /// The address of the stack at this end, in version 4.
    #[must_use]
    pub const fn ipv4(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, self.host())
    }

    /// The address of the stack at this end, in version 6.
    #[must_use]
    pub const fn ipv6(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, self.host() as u16)
    }

    /// A port of the stack at this end, in version 4.
    #[must_use]
    pub const fn port(self, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.ipv4()), port)
    }
}

/// Two real stacks in one process, joined by a wire, in virtual time.
///
/// Its memory is given back when it is dropped, but for the stacks and the pools: embassy's sockets live for ever.
///
/// ```
/// use futures_util::future::try_join;
/// use tacket::{AsyncResource, Listener, ReceiveStream, SendStream};
/// use tacket_embassy::testing::{Impairments, Side, Wire};
/// use tacket_embassy::{NetError, Options, TcpListener, TcpStream};
///
/// let wire = Wire::new(7, Impairments::none().loss(0.1));
/// let client = wire.net::<2, 1024, 1024, 0>(Side::Left, Options::new());
/// let server = wire.net::<2, 1024, 1024, 0>(Side::Right, Options::new());
///
/// let (received, ()) = wire.run(async {
///     let mut listener = TcpListener::bind(server, Side::Right.port(80))?;
///     let serving = async {
///         let mut buf = [0; 16];
///         let count = listener.accept().await?.receive_some(&mut buf).await?;
///         Ok::<_, NetError>(buf[..count].to_vec())
///     };
///     let sending = async {
///         let mut stream = TcpStream::connect(client, Side::Right.port(80)).await?;
///         stream.send_all(b"hello").await?;
///         stream.close().await.or(Ok(())) // the server does not wait for the end
///     };
///     try_join(serving, sending).await
/// })?;
/// assert_eq!(received, b"hello");
/// # Ok::<(), NetError>(())
/// ```
pub struct Wire {
    medium: Rc<RefCell<Medium>>,
    stacks: [Stack<'static>; 2],
    executor: Executor,
}

impl Wire {
    /// A wire, and a stack at each of its ends. Whatever is left to chance follows from `seed`.
    #[must_use]
    pub fn new(seed: u64, impairments: Impairments) -> Self {
        let medium = Rc::new(RefCell::new(Medium {
            impairments,
            fate: Fate::of(seed),
            is_cut: false,
            filter: None,
            sequence: 0,
            arriving: [Arriving::default(), Arriving::default()],
            carried: Carried::default(),
        }));
        let executor = Executor::default();
        let stacks = [Side::Left, Side::Right].map(|side| {
            let port = Port {
                medium: Rc::clone(&medium),
                side,
            };
            let resources = Box::leak(Box::new(StackResources::<SOCKETS>::new()));
            let seed = seed ^ u64::from(side.host()).rotate_right(8);
            let (stack, mut runner) = embassy_net::new(port, addresses(side), resources, seed);
            executor.spawn(async move { runner.run().await });
            stack
        });
        Self {
            medium,
            stacks,
            executor,
        }
    }

    /// The stack at an end.
    #[must_use]
    pub const fn stack(&self, side: Side) -> Stack<'static> {
        let [left, right] = self.stacks;
        match side {
            Side::Left => left,
            Side::Right => right,
        }
    }

    /// A network on the stack at an end, with a pool of its own, whose task runs beside everything else.
    #[must_use]
    pub fn net<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize>(
        &self,
        side: Side,
        options: Options,
    ) -> Net {
        let storage = Box::leak(Box::new(PoolStorage::<TCP, RX, TX, UDP>::new()));
        let state = Box::leak(Box::new(PoolState::new()));
        let net = Net::new(self.stack(side), storage, state, options);
        self.spawn(async move { net.run().await });
        net
    }

    /// Adds a task that runs beside those of [`run`](Self::run), until it is done or the wire is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.executor.spawn(task);
    }

    /// Drives `future` and everything beside it on the calling thread, until `future` is done.
    ///
    /// # Panics
    ///
    /// If it would hang: everybody waits and nothing is due, a hundred days have passed (connections keep each other alive for ever), or the
    /// tasks wake each other without end while no time passes.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.executor.run(future)
    }

    /// Changes what the wire does to packets from now on.
    pub fn impair(&self, impairments: Impairments) {
        self.medium.borrow_mut().impairments = impairments;
    }

    /// Lets nothing through until it is [mended](Self::mend). What is under way arrives.
    pub fn cut(&self) {
        self.medium.borrow_mut().is_cut = true;
    }

    /// Lets packets through again.
    pub fn mend(&self) {
        self.medium.borrow_mut().is_cut = false;
    }

    /// Shows each packet to `filter`, with the side that sends it. What it answers with false is lost.
    ///
    /// A packet starts with its IP header. There is one filter; this one takes the place of the last.
    pub fn filter(&self, filter: impl FnMut(Side, &[u8]) -> bool + 'static) {
        self.medium.borrow_mut().filter = Some(Box::new(filter));
    }

    /// Puts a packet on the wire towards `side`, as if from somebody else. It arrives whatever the impairments.
    pub fn inject(&self, side: Side, packet: &[u8]) {
        let mut medium = self.medium.borrow_mut();
        let delay = medium.impairments.delay;
        medium.arrive(side, packet.to_vec(), delay);
    }

    /// What the wire has carried and lost.
    #[must_use]
    pub fn carried(&self) -> Carried {
        self.medium.borrow().carried
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("carried", &self.carried())
            .finish_non_exhaustive()
    }
}

/// What a wire has carried, both directions together, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Carried {
    /// Given to the wire.
    pub sent: u64,
    /// Lost by chance, by a cut or by a filter.
    pub lost: u64,
    /// Arrived twice.
    pub doubled: u64,
    /// A checksum over the headers of everything that was sent, and when: equal for equal runs of one program.
    pub trace: u64,
}

fn addresses(side: Side) -> embassy_net::Config {
    let mut config = embassy_net::Config::default();
    let mut ipv4 = StaticConfigV4 {
        address: Ipv4Cidr::new(side.ipv4(), 24),
        gateway: None,
        dns_servers: Default::default(),
    };
    let _ = ipv4.dns_servers.push(side.other().ipv4());
    config.ipv4 = embassy_net::ConfigV4::Static(ipv4);
    config.ipv6 = embassy_net::ConfigV6::Static(StaticConfigV6 {
        address: Ipv6Cidr::new(side.ipv6(), 64),
        gateway: None,
        dns_servers: Default::default(),
    });
    config
}

type Filter = Box<dyn FnMut(Side, &[u8]) -> bool>;

/// What is between the stacks.
struct Medium {
    impairments: Impairments,
    fate: Fate,
    is_cut: bool,
    filter: Option<Filter>,
    /// Of packets that arrive at the same time, the first sent is the first received.
    sequence: u64,
    arriving: [Arriving; 2],
    carried: Carried,
}

/// Packets under way to one side.
#[derive(Default)]
struct Arriving {
    packets: BTreeMap<(u64, u64), Vec<u8>>,
    receiver: Option<Waker>,
}

impl Medium {
    fn arriving(&mut self, side: Side) -> &mut Arriving {
        let [left, right] = &mut self.arriving;
        match side {
            Side::Left => left,
            Side::Right => right,
        }
    }

    fn send(&mut self, from: Side, packet: Vec<u8>) {
        self.note(from, &packet);
        let passes = self
            .filter
            .as_mut()
            .is_none_or(|filter| filter(from, &packet));
        let arrivals = self.fate.arrivals(&self.impairments);
        match arrivals {
            [Some(delay), again] if passes && !self.is_cut => {
                if let Some(delay) = again {
                    self.carried.doubled += 1;
                    self.arrive(from.other(), packet.clone(), delay);
                }
                self.arrive(from.other(), packet, delay);
            }
            _ => self.carried.lost += 1,
        }
    }

    fn arrive(&mut self, side: Side, packet: Vec<u8>, delay: Duration) {
        self.sequence += 1;
        let place = (
            Instant::now().saturating_add(ticks(delay)).as_ticks(),
            self.sequence,
        );
        let arriving = self.arriving(side);
        arriving.packets.insert(place, packet);
        if let Some(receiver) = arriving.receiver.take() {
            receiver.wake();
        }
    }

    fn note(&mut self, from: Side, packet: &[u8]) {
        // The headers are enough: they hold a checksum of the rest.
        let headers = packet.get(..60).unwrap_or(packet);
        let mut hasher = DefaultHasher::new();
        (self.carried.trace, Instant::now().as_ticks(), from.host()).hash(&mut hasher);
        (headers, packet.len()).hash(&mut hasher);
        self.carried.trace = hasher.finish();
        self.carried.sent += 1;
    }
}

impl Arriving {
    /// The next packet, if it has arrived. If not, the receiver is woken then.
    fn next(&mut self, cx: &Context<'_>) -> Option<Vec<u8>> {
        match self.packets.first_entry() {
            Some(first) if first.key().0 <= Instant::now().as_ticks() => {
                return Some(first.remove());
            }
            Some(first) => embassy_time_driver::schedule_wake(first.key().0, cx.waker()),
            None => {}
        }
        self.receiver = Some(cx.waker().clone());
        None
    }
}

/// Where a stack meets the wire.
struct Port {
    medium: Rc<RefCell<Medium>>,
    side: Side,
}

struct Received(Vec<u8>);

struct Sending(Rc<RefCell<Medium>>, Side);

impl Driver for Port {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received, Sending)> {
        let packet = self.medium.borrow_mut().arriving(self.side).next(cx)?;
        Some((Received(packet), self.transmit(cx)?))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sending> {
        Some(Sending(Rc::clone(&self.medium), self.side))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ip
    }
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

impl TxToken for Sending {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = alloc::vec![0; len];
        let result = f(&mut packet);
        self.0.borrow_mut().send(self.1, packet);
        result
    }
}
