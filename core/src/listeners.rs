//! Several listeners as one, and those of a port.

use core::future::pending;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use embassy_futures::select::select_array;
use embedded_io_async::ErrorType;

use crate::{AsyncResource, Error as _, Fault, Listen, Listener, LocalAddress as _};

/// Several listeners, as one that accepts on all of them.
///
/// When clients wait at several, these take turns. What fails one, fails all: so with several, each that lacks room makes the others wait too.
///
/// ```
/// use tacket::{Listen, Listeners};
///
/// /// Listens on both ports.
/// async fn listen<N: Listen>(network: &N) -> Result<Listeners<N::Listener, 2>, N::Error> {
///     Ok(Listeners::new([
///         network.listen(([0, 0, 0, 0], 80).into()).await?,
///         network.listen(([0, 0, 0, 0], 8080).into()).await?,
///     ]))
/// }
/// ```
#[derive(Debug)]
pub struct Listeners<L, const K: usize> {
    /// Those there are, of which one is the least.
    listeners: [Option<L>; K],
    /// Whose turn it is.
    first: usize,
}

impl<L, const K: usize> Listeners<L, K> {
    /// All of `listeners`, of which there must be one at least, or no client ever comes.
    pub fn new(listeners: [L; K]) -> Self {
        Self::of(listeners.map(Some))
    }

    const fn of(listeners: [Option<L>; K]) -> Self {
        Self {
            listeners,
            first: 0,
        }
    }

    /// As many listeners, each made of one of these: to put a layer over all of them.
    #[must_use]
    pub fn map<M>(self, mut layer: impl FnMut(L) -> M) -> Listeners<M, K> {
        Listeners {
            listeners: self.listeners.map(|listener| listener.map(&mut layer)),
            first: self.first,
        }
    }

    /// The listeners, to ask them for their addresses.
    pub fn each(&self) -> impl Iterator<Item = &L> {
        self.listeners.iter().flatten()
    }
}

impl<L: ErrorType, const K: usize> ErrorType for Listeners<L, K> {
    type Error = L::Error;
}

impl<L: Listener, const K: usize> AsyncResource for Listeners<L, K> {
    /// Closes all of them, also when one fails.
    ///
    /// # Errors
    ///
    /// The first that one has.
    ///
    /// # Cancel safety
    ///
    /// Safe. Those that were not closed yet are dropped, which closes them too.
    async fn close(self) -> Result<(), L::Error> {
        let mut result = Ok(());
        for listener in self.listeners.into_iter().flatten() {
            result = result.and(listener.close().await);
        }
        result
    }
}

impl<L: Listener, const K: usize> Listener for Listeners<L, K> {
    type Stream = L::Stream;

    async fn accept(&mut self) -> Result<L::Stream, L::Error> {
        let first = self.first;
        let mut listeners = self.listeners.each_mut();
        listeners.rotate_left(first);
        let accepting = listeners.map(async |listener| match listener {
            Some(listener) => listener.accept().await,
            None => pending().await,
        });
        let (accepted, place) = select_array(accepting).await;
        self.first = (first + place + 1) % K;
        accepted
    }
}

/// Listens on `port` of every address, those of IPv4 first.
///
/// Where the network has only one version of IP, or [one listener for both](Listen::DUAL_STACK), there is one listener. Port 0 lets the network
/// choose one, the same for both if it is free for both; ask [each](Listeners::each) for its address.
///
/// # Errors
///
/// What [`Listen::listen`] has for either; neither listens then. That a version of IP is [unsupported](Fault::Unsupported) is one only if both are.
///
/// # Cancel safety
///
/// Safe. A dropped future listens nowhere.
///
/// # Examples
///
/// ```
/// use core::net::SocketAddr;
/// use tacket::{Listen, LocalAddress, open_tcp_listeners};
///
/// /// Where clients reach this host.
/// async fn addresses<N: Listen>(network: &N) -> Result<Vec<SocketAddr>, N::Error> {
///     let listeners = open_tcp_listeners(network, 0).await?;
///     listeners.each().map(|listener| listener.local_addr()).collect()
/// }
/// ```
pub async fn open_tcp_listeners<N: Listen>(
    network: &N,
    port: u16,
) -> Result<Listeners<N::Listener, 2>, N::Error> {
    let v4 = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let v4 = match network.listen(v4.into()).await {
        Err(error) if N::DUAL_STACK || error.fault() != Fault::Unsupported => return Err(error),
        Ok(listener) if N::DUAL_STACK => return Ok(Listeners::of([Some(listener), None])),
        listener => listener.ok(),
    };
    let same = match &v4 {
        Some(listener) => listener.local_addr()?.port(),
        None => port,
    };
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let v6 = match network.listen((v6, same).into()).await {
        // What was free for one version of IP may be in use for the other.
        Err(error) if port == 0 && error.fault() != Fault::Unsupported => {
            network.listen((v6, 0).into()).await
        }
        listener => listener,
    };
    match v6 {
        Err(error) if v4.is_none() || error.fault() != Fault::Unsupported => Err(error),
        v6 => Ok(Listeners::of([v4, v6.ok()])),
    }
}
