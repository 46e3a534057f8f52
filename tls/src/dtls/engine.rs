//! What an implementation of DTLS must do for one association: no await, no I/O, no clock.

use core::fmt;
use core::time::Duration;

use super::error::DtlsProblem;
use super::negotiated::DtlsNegotiated;

/// One end of one association.
///
/// After each call, and until there is nothing more, [`next`](Self::next) has what came of it. After an error the association is over.
pub(super) trait Engine: fmt::Debug {
    /// A datagram has come.
    fn receive(&mut self, now: Duration, datagram: &[u8]) -> Result<(), DtlsProblem>;

    /// Time has gone on.
    fn tick(&mut self, now: Duration) -> Result<(), DtlsProblem>;

    /// Makes a record of `message`. Not before the handshake is done.
    fn send(&mut self, message: &[u8]) -> Result<(), DtlsProblem>;

    /// Tells the peer the end.
    fn close(&mut self);

    /// What happens next. Its bytes are at the front of `buf`, which has [`ENGINE_BUFFER`](super::sizes::ENGINE_BUFFER).
    fn next(&mut self, buf: &mut [u8]) -> Result<Option<Output>, DtlsProblem>;

    /// Whether it speaks DTLS 1.3. Before it knows, it says no.
    fn is_13(&self) -> bool;

    /// What was agreed, once the handshake is done.
    fn negotiated(&self) -> DtlsNegotiated;

    /// Whether one key may protect only so many messages, as far as is known: nonces are random, or it is DTLS 1.3.
    fn wears_keys_out(&self) -> bool;

    /// When to [`tick`](Self::tick), as of the last time that there was nothing more.
    fn deadline(&self) -> Option<Duration>;
}

/// What an engine has to say, and how many bytes of it there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// To be sent to the peer.
    Datagram(usize),
    /// The handshake is done, and the peer is who it should be.
    Established,
    /// Received from the peer.
    Message(usize),
    /// The peer has said that there is nothing more.
    End,
}

/// What is settled before a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The most bytes of a datagram.
    pub(super) mtu: usize,
    /// After how long what was not answered is sent again, the first time.
    pub(super) retransmit: Duration,
}
