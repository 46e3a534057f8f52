//! Addresses of the standard library, as the stack has them.

use core::net::{IpAddr, SocketAddr};

use embassy_net::{IpAddress, IpEndpoint, Stack};

/// The addresses that the stack has now, those of IPv4 and of IPv6.
pub(crate) fn own(stack: Stack<'static>) -> [Option<IpAddress>; 2] {
    let ipv4 = stack.config_v4().map(|ipv4| ipv4.address.address().into());
    #[cfg(feature = "proto-ipv6")]
    let ipv6 = stack.config_v6().map(|ipv6| ipv6.address.address().into());
    #[cfg(not(feature = "proto-ipv6"))]
    let ipv6 = None;
    [ipv4, ipv6]
}

/// Whether the stack has an address of this version of IP. Without one, smoltcp 0.13.1 makes one up for IPv6.
pub(crate) fn has_own(stack: Stack<'static>, ip: IpAddr) -> bool {
    let [ipv4, ipv6] = own(stack);
    if ip.is_ipv4() { ipv4 } else { ipv6 }.is_some()
}

/// The same address for the stack, if it can have such.
pub(crate) fn to_stack(ip: IpAddr) -> Option<IpAddress> {
    match ip {
        IpAddr::V4(ip) => Some(ip.into()),
        #[cfg(feature = "proto-ipv6")]
        IpAddr::V6(ip) => Some(ip.into()),
        #[cfg(not(feature = "proto-ipv6"))]
        IpAddr::V6(_) => None,
    }
}

/// The same address and port for the stack, if it can have such.
pub(crate) fn endpoint_to_stack(address: SocketAddr) -> Option<IpEndpoint> {
    let ip = to_stack(address.ip())?;
    Some(IpEndpoint::new(ip, address.port()))
}

/// The same address and port from the stack.
pub(crate) fn from_stack(endpoint: IpEndpoint) -> SocketAddr {
    SocketAddr::new(endpoint.addr.into(), endpoint.port)
}
