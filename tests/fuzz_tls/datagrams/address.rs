//! Who is where.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// How many clients of ours there are.
pub(super) const CLIENTS: usize = 4;

const SERVER_V4: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 9, 9, 9), 5684);
const SERVER_V6: (Ipv6Addr, u16) = (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9), 5684);

/// Those of the clients come first: two on one host, and one of IPv6. All others are strangers'.
pub(super) fn address(who: u8) -> SocketAddr {
    match who {
        0 => (Ipv4Addr::new(10, 0, 0, 1), 4000).into(),
        1 => (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), 4000).into(),
        2 => (Ipv4Addr::new(10, 0, 0, 1), 4001).into(),
        3 => (Ipv4Addr::new(10, 0, 0, 2), 4000).into(),
        who => (Ipv4Addr::new(10, 1, 0, who), 4000).into(),
    }
}

/// One of so many that nobody else has.
pub(super) fn crowd(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    (Ipv4Addr::new(172, 16, high, low), 4000).into()
}

/// Where the server is, for somebody there.
pub(super) fn server_for(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => SERVER_V4.into(),
        SocketAddr::V6(_) => SERVER_V6.into(),
    }
}

pub(super) fn is_server(address: SocketAddr) -> bool {
    address == server_for(address)
}
