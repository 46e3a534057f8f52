//! Connecting to a name: all of its addresses in a race.

mod error;
mod order;
mod race;

pub use error::OpenError;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use error::{Cause, Peer};

use crate::{Clock, Connect, Resolve};

/// How long an attempt has for itself before the next one starts beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// How to connect to a name that has up to `A` addresses.
///
/// ```
/// use core::net::Ipv4Addr;
/// use core::time::Duration;
/// use tacket::ConnectOptions;
///
/// let one_by_one = ConnectOptions::new().stagger(None);
/// let from_anywhere_by_ipv4 = ConnectOptions::new().local(Ipv4Addr::UNSPECIFIED.into());
/// let many = ConnectOptions::new().addresses::<32>().stagger(Some(Duration::from_millis(100)));
/// # let _ = (one_by_one, from_anywhere_by_ipv4, many);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectOptions<const A: usize = 8> {
    stagger: Option<Duration>,
    local: Option<IpAddr>,
}

impl ConnectOptions {
    /// The defaults: 250 ms between attempts, up to 8 addresses, from whichever address of this side fits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stagger: Some(STAGGER),
            local: None,
        }
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl<const A: usize> ConnectOptions<A> {
    /// How long an attempt has before the next one starts beside it. With `None`, one starts when that before it has failed.
    #[must_use]
    pub const fn stagger(mut self, delay: Option<Duration>) -> Self {
        self.stagger = delay;
        self
    }

    /// Connects from this address of this side; an unspecified one means any of its version of IP, and only of that.
    #[must_use]
    pub const fn local(mut self, address: IpAddr) -> Self {
        self.local = Some(address);
        self
    }

    /// For up to `B` addresses. Each takes the memory of an attempt.
    #[must_use]
    pub const fn addresses<const B: usize>(self) -> ConnectOptions<B> {
        ConnectOptions {
            stagger: self.stagger,
            local: self.local,
        }
    }
}

/// Connects to `port` of `host`, a name or an address in its usual notation, as soon as any of its addresses answers.
///
/// The addresses are tried in the resolver's order, but the second attempt is by another version of IP than the first one, if there is
/// one (RFC 8305, section 4). Each has [`ConnectOptions::stagger`] for itself; then, or as soon as it has failed, the next one starts,
/// and those before go on. The first to connect wins, and all others are given up. There is no limit to the time that it all takes; put
/// [`timeout`](crate::timeout()) around it.
///
/// # Errors
///
/// An [`OpenError`]: the name has no address, or too many; or all attempts failed, and then it has the error of each.
///
/// # Cancel safety
///
/// Safe. Dropped, it gives up all attempts.
///
/// # Examples
///
/// ```
/// use tacket::{AsyncResource, ConnectOptions, Network, SendStream, open_tcp_stream};
///
/// /// Sends a line to port 7000 of a host.
/// async fn report<N: Network>(network: &N, host: &str, line: &str) -> Option<()> {
///     let opening = open_tcp_stream(network, host, 7000, ConnectOptions::new());
///     let mut stream = opening.await.ok()?;
///     stream.send_all(line.as_bytes()).await.ok()?;
///     stream.close().await.ok()
/// }
/// ```
pub async fn open_tcp_stream<N, const A: usize>(
    network: &N,
    host: &str,
    port: u16,
    options: ConnectOptions<A>,
) -> Result<N::Stream, OpenError<N::Error, A>>
where
    N: Connect + Resolve + Clock,
{
    let failed = |cause| OpenError::new(Peer::new(host, port), cause);
    let mut addresses = [UNSPECIFIED; A];
    let found = match network.resolve(host, &mut addresses).await {
        Ok(found) => found,
        Err(error) => return Err(failed(Cause::Resolve(error))),
    };
    let addresses = match addresses.get_mut(..found) {
        None => return Err(failed(Cause::TooManyAddresses(found))),
        Some([]) => return Err(failed(Cause::NoAddress)),
        Some(addresses) => addresses,
    };
    order::mix_versions(addresses);
    let connect = async |place: usize| {
        // Places are those of the addresses.
        let ip = addresses.get(place).copied();
        let peer = SocketAddr::new(ip.unwrap_or(UNSPECIFIED), port);
        match options.local {
            Some(local) => network.connect_from(local, peer).await,
            None => network.connect(peer).await,
        }
        .map_err(|error| (peer, error))
    };
    race::first(network, found, options.stagger, connect)
        .await
        .map_err(|errors| failed(Cause::Attempts(errors)))
}
