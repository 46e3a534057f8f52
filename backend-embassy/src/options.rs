//! What can be chosen for a whole pool.

use core::time::Duration;

/// What can be chosen for all sockets of a pool.
///
/// ```
/// use core::time::Duration;
/// use tacket_embassy::Options;
///
/// let options = Options::new().backlog(4).silence(Some(Duration::from_secs(30)));
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub(crate) backlog: usize,
    pub(crate) linger: Duration,
    pub(crate) half_open: Duration,
    pub(crate) silence: Option<Duration>,
}

impl Options {
    /// The defaults: a backlog of 2, 10 s for a close, 10 s for a handshake, and 2 minutes of silence.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            backlog: 2,
            linger: Duration::from_secs(10),
            half_open: Duration::from_secs(10),
            silence: Some(Duration::from_secs(120)),
        }
    }

    /// How many sockets each listener keeps armed: the clients that can connect before they are accepted.
    ///
    /// A client that finds none armed is refused. At least 1. They are taken from the pool, and then not there to connect with.
    #[must_use]
    pub const fn backlog(mut self, sockets: usize) -> Self {
        self.backlog = if sockets == 0 { 1 } else { sockets };
        self
    }

    /// How long a graceful close may wait for the peer's acknowledgement, before it becomes a reset.
    #[must_use]
    pub const fn linger(mut self, limit: Duration) -> Self {
        self.linger = limit;
        self
    }

    /// How long a client may take to finish the handshake of TCP, before its socket is armed for another.
    #[must_use]
    pub const fn half_open(mut self, limit: Duration) -> Self {
        self.half_open = limit;
        self
    }

    /// How long a peer may be silent before the connection counts as lost; `None` is for ever.
    ///
    /// While something that was sent is not acknowledged, it may be silent for 4 minutes at least: one that has no room to receive is asked only once a
    /// minute, and questions get lost. An idle peer is asked for a sign of life four times in that time (keep-alive, RFC 9293, section 3.8.4). The RFC
    /// wants that off by default. It is on here because a pool of few sockets would otherwise lose one with each peer that vanishes.
    #[must_use]
    pub const fn silence(mut self, limit: Option<Duration>) -> Self {
        self.silence = limit;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
