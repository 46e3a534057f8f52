//! Connecting to a listener of the same process.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{Connect, LocalAddress};

/// Connects to `listener`, wherever it listens: one that listens on any address is reached by loopback.
///
/// # Errors
///
/// Those of the network, and of the listener if it does not know its address.
///
/// # Cancel safety
///
/// Safe. A dropped attempt is given up.
///
/// ```
/// use tacket::testing::connect_to_listener;
/// use tacket::{Listen, Listener, Network};
///
/// /// A pair of connected streams of any network.
/// async fn pair<N: Network>(network: &N, listener: &mut N::Listener) -> Result<(N::Stream, N::Stream), N::Error> {
///     let client = connect_to_listener(network, listener).await?;
///     Ok((client, listener.accept().await?))
/// }
/// ```
pub async fn connect_to_listener<N, L>(network: &N, listener: &L) -> Result<N::Stream, N::Error>
where
    N: Connect,
    L: LocalAddress<Error = N::Error>,
{
    let address = listener.local_addr()?;
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    network.connect(SocketAddr::new(ip, address.port())).await
}
