//! A network: the pool over one stack.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use embassy_net::Stack;
use embedded_io_async::ErrorType;
#[cfg(feature = "udp")]
use tacket::Bind;
#[cfg(feature = "dns")]
use tacket::Resolve;
use tacket::{Clock, Connect, Listen};

#[cfg(feature = "udp")]
use crate::UdpSocket;
use crate::pool::Pool;
#[cfg(feature = "dns")]
use crate::resolve;
use crate::{
    EmbassyClock, NetError, Options, PoolState, PoolStorage, TcpListener, TcpStream, Usage,
};

/// A network: an embassy-net stack, and the pool of sockets on it. Copies are handles to the same.
///
/// Its [`run`](Self::run) has to be polled, by a task of its own, beside that of the stack itself: it finishes what dropped
/// streams leave behind, and keeps listeners armed.
///
/// ```no_run
/// # // Without a time driver this links nowhere.
/// use embassy_net::Stack;
/// use static_cell::{ConstStaticCell, StaticCell};
/// use tacket_embassy::{Net, Options, PoolState, PoolStorage};
///
/// /// Four TCP sockets of 3 KiB each.
/// static STORAGE: ConstStaticCell<PoolStorage<4, 1536, 1536>> =
///     ConstStaticCell::new(PoolStorage::new());
/// static STATE: StaticCell<PoolState<4>> = StaticCell::new();
///
/// fn network(stack: Stack<'static>) -> Net {
///     let state = STATE.init(PoolState::new());
///     Net::new(stack, STORAGE.take(), state, Options::new()) // now spawn a task that runs `net.run()`
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Net {
    pool: &'static Pool,
}

impl Net {
    /// Makes the sockets of a pool on `stack`, over the buffers in `storage`.
    ///
    /// They stay there for ever, and so nothing of the network has to be allocated later. The stack needs a place for each
    /// socket: `StackResources<{ TCP + UDP }>`, and 1 more for the resolver of names, and 1 more for DHCP, if these are used.
    ///
    /// # Panics
    ///
    /// If `stack` has fewer free places.
    pub fn new<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize>(
        stack: Stack<'static>,
        storage: &'static mut PoolStorage<TCP, RX, TX, UDP>,
        state: &'static mut PoolState<TCP, UDP>,
        options: Options,
    ) -> Self {
        Self {
            pool: state.fill(stack, storage, options),
        }
    }

    pub(crate) const fn pool(self) -> &'static Pool {
        self.pool
    }

    /// Finishes closes and resets, and arms sockets for listeners, for ever.
    ///
    /// # Cancel safety
    ///
    /// Safe. What it had not finished waits until it is run again. It may be run by one task at a time.
    pub async fn run(self) -> ! {
        self.pool.run().await
    }

    /// What the pool has given out and had to refuse.
    #[must_use]
    pub fn usage(self) -> Usage {
        self.pool.usage()
    }
}

impl ErrorType for Net {
    type Error = NetError;
}

impl Connect for Net {
    type Stream = TcpStream;

    async fn connect(&self, peer: SocketAddr) -> Result<TcpStream, NetError> {
        TcpStream::connect(*self, peer).await
    }

    /// The stack connects from its one address of the peer's version of IP: `local` is that, or unspecified.
    async fn connect_from(&self, local: IpAddr, peer: SocketAddr) -> Result<TcpStream, NetError> {
        self.pool.local_endpoint(SocketAddr::new(local, 0))?;
        if local.is_ipv4() != peer.is_ipv4() {
            return Err(NetError::InvalidAddress);
        }
        TcpStream::connect(*self, peer).await
    }
}

impl Listen for Net {
    type Listener = TcpListener;

    const DUAL_STACK: bool = true;

    async fn listen(&self, local: SocketAddr) -> Result<TcpListener, NetError> {
        TcpListener::bind(*self, local)
    }
}

#[cfg(feature = "udp")]
impl Bind for Net {
    type Datagram = UdpSocket;

    async fn bind(&self, local: SocketAddr) -> Result<UdpSocket, NetError> {
        UdpSocket::bind(*self, local)
    }
}

#[cfg(feature = "dns")]
impl Resolve for Net {
    async fn resolve(&self, host: &str, addresses: &mut [IpAddr]) -> Result<usize, NetError> {
        resolve::resolve(self.pool.stack, host, addresses).await
    }
}

impl Clock for Net {
    fn now(&self) -> Duration {
        EmbassyClock::new().now()
    }

    async fn sleep_until(&self, deadline: Duration) {
        EmbassyClock::new().sleep_until(deadline).await;
    }
}
