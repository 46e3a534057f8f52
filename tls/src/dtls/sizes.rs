//! How long datagrams and messages may be, and what has room for them.

use core::net::SocketAddr;

use super::record::LONGEST;

/// As long as a datagram can be.
pub(super) const LONGEST_DATAGRAM: usize = 1 << 16;
/// The most bytes of plain text that one attempt of a handshake is shown, repetitions included: whoever has proven an address and nothing else can have so many wait for what is
/// missing. It is for a flight of 4 KiB that is sent again for twenty minutes, or one of 8 KiB a dozen times.
pub(super) const LONGEST_HANDSHAKE: u32 = 1 << 17;
/// How many datagrams, or records by 1.3, wait in an engine, in either direction: a flight of the handshake in the smallest datagrams.
pub(super) const QUEUE: usize = 64;
/// More than an engine ever has to say at once. The longest is the certificate of a peer, in as many records as wait; for that, `dimpl` panics where there is no room, rather than
/// ask for it.
pub(super) const ENGINE_BUFFER: usize = QUEUE * LONGEST;
/// How much longer a record is than its message, at most: its header, the nonce of AES in DTLS 1.2 and the tag.
pub(super) const OVERHEAD: usize = 13 + 8 + 16;
/// The longest message that a record can carry.
const LONGEST_MESSAGE: usize = 1 << 14;
/// The smallest datagrams that can be asked for: the hello of a client has to fit into one.
pub(super) const SMALLEST: usize = 256;

// The longest message fits into a record.
const _: () = assert!(LONGEST_MESSAGE + OVERHEAD < u16::MAX as usize);

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
    if longest < LONGEST_MESSAGE {
        longest
    } else {
        LONGEST_MESSAGE
    }
}
