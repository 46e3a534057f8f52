//! What a pool has given out, and what it had to refuse.

use core::cell::Cell;

/// What a pool has given out, has had to refuse, and has cleaned up.
///
/// Counters stop at their highest value instead of starting again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The TCP sockets of the pool.
    pub sockets: usize,
    /// TCP sockets in use: by streams, armed for listeners, or by connections that are still ending.
    pub in_use: usize,
    /// The most that were in use at once.
    pub most_in_use: usize,
    /// Bytes of buffers of the sockets in use, both directions.
    pub bytes_in_use: usize,
    /// The most bytes that were in use at once.
    pub most_bytes_in_use: usize,
    /// Sockets armed for listeners, connections included that wait to be accepted.
    pub armed: usize,
    /// Connections without a handle whose last data is still being delivered.
    pub lingering: usize,
    /// The most that were lingering at once.
    pub most_lingering: usize,
    /// Resets that are still to be sent.
    pub aborting: usize,
    /// Sockets asked for when none was free: to connect, to listen, or for datagrams.
    pub refused: u32,
    /// Clients given up because they did not finish their handshake in time.
    pub half_open: u32,
    /// Closes that became resets: the peer did not acknowledge in time, or went on sending to nobody.
    pub unclean: u32,
}

/// What cannot be counted when asked.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) most_in_use: Cell<usize>,
    pub(crate) most_lingering: Cell<usize>,
    pub(crate) refused: Cell<u32>,
    pub(crate) half_open: Cell<u32>,
    pub(crate) unclean: Cell<u32>,
}

/// One more.
pub(crate) fn count(counter: &Cell<u32>) {
    counter.set(counter.get().saturating_add(1));
}

/// Keeps the highest.
pub(crate) fn raise(most: &Cell<usize>, now: usize) {
    most.set(most.get().max(now));
}
