//! How long datagrams and messages may be.

use core::net::SocketAddr;

/// How much longer a record is than its message, at most: its header, the nonce of AES in DTLS 1.2 and the tag.
pub(super) const OVERHEAD: usize = 13 + 8 + 16;
/// The longest message that a record can carry.
const LONGEST: usize = 1 << 14;
/// The smallest datagrams that can be asked for: the hello of a client has to fit into one.
pub(super) const SMALLEST: usize = 256;

// The longest message fits into a record.
const _: () = assert!(LONGEST + OVERHEAD < u16::MAX as usize);

/// The bytes of UDP that a packet of 1500 bytes carries.
pub(super) const fn usual_mtu(peer: SocketAddr) -> usize {
    match peer {
        SocketAddr::V4(_) => 1500 - 20 - 8,
        SocketAddr::V6(_) => 1500 - 40 - 8,
    }
}

/// Those that every way carries, which a handshake keeps to: nobody would say why it is not answered.
pub(super) const fn surest_mtu(peer: SocketAddr) -> usize {
    match peer {
        SocketAddr::V4(_) => 576 - 20 - 8,
        SocketAddr::V6(_) => 1280 - 40 - 8,
    }
}

/// The longest message that fits into a datagram.
pub(super) const fn longest_message(mtu: usize) -> usize {
    let longest = mtu.saturating_sub(OVERHEAD);
    if longest < LONGEST { longest } else { LONGEST }
}
