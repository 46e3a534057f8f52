//! The peers: each does the same as its users would write it, with `TCP_NODELAY` on both ends. What is on top of TCP is in `layer`.

pub(crate) mod raw_mio;
pub(crate) mod smol;
pub(crate) mod tacket;
pub(crate) mod tokio;

use core::net::{Ipv4Addr, SocketAddr};

use crate::speed::game::{Arrivals, Asker, Pieces};

/// Where all listen: on loopback, at a port that the system chooses.
pub(crate) const ANYWHERE: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Tells who waits for it where a server listens.
pub(crate) type Ready = fn(SocketAddr);

/// Plays the parts. One that goes wrong panics.
pub(crate) trait Peer {
    /// Plays both ends of a ping-pong, each in a task of its own.
    fn ping_pong(&self, asker: Asker) -> Asker;

    /// Asks `server` until `asker` has no more questions.
    fn ask(&self, server: SocketAddr, asker: Asker) -> Asker;

    /// Sends back what one client sends, until it ends.
    fn answer(&self, ready: Ready);

    /// Plays both ends of a transfer, each in a task of its own.
    fn bulk(&self, pieces: Pieces, arrivals: Arrivals) -> Arrivals;

    /// Sends all pieces and the end.
    fn send(&self, receiver: SocketAddr, pieces: Pieces);

    /// Receives until the end.
    fn receive(&self, ready: Ready, arrivals: Arrivals) -> Arrivals;

    /// Sends back what any client sends, for ever.
    fn serve(&self, ready: Ready);

    /// Connects, sends a byte, demands it back and closes, `count` times, with a server that handles each connection in a task of
    /// its own.
    fn short(&self, count: u64);
}

/// Byte number `number` of those that a short connection carries.
pub(crate) const fn byte(number: u64) -> [u8; 1] {
    [number as u8]
}
