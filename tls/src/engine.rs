//! What a TLS implementation must do for a [`TlsStream`](crate::TlsStream).

use core::fmt::Debug;

use crate::buffer::{Buffer, Sink};
use crate::error::EngineError;
use crate::negotiated::Negotiated;

/// A TLS implementation that only computes: bytes in, bytes out. It never waits.
///
/// Sealed: the engines are those of this crate.
pub trait Engine: SansIo {}

impl<E: SansIo> Engine for E {}

/// The inside of [`Engine`]. Everything is synchronous, so that no drop can fall between two of its effects.
#[expect(unnameable_types, reason = "engines are sealed")]
pub trait SansIo: Debug {
    /// Goes as far as `incoming` allows, and takes what it has used from it.
    ///
    /// Own messages are added to `output`. Received data goes to `sink`; without one, or when that is full, it stops there.
    fn step(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: Option<&mut Sink<'_>>,
    ) -> Result<(), EngineError>;

    /// Adds records with all of `data` to `output`. Received data that is in the way goes to `sink`.
    ///
    /// `incoming` may be an empty stand-in while [`is_joining`](Self::is_joining) is false.
    fn seal(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: &mut Sink<'_>,
        data: &[u8],
    ) -> Result<(), EngineError>;

    /// Adds the authenticated end of the sending direction to `output`; otherwise as [`seal`](Self::seal).
    fn end(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: &mut Sink<'_>,
    ) -> Result<(), EngineError>;

    /// Changes the keys of the sending direction, and asks the peer to do the same: adds the message that says so to `output`;
    /// otherwise as [`seal`](Self::seal). `Ok(false)`: that is not possible while [`is_joining`](Self::is_joining).
    fn update_keys(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: &mut Sink<'_>,
    ) -> Result<bool, EngineError>;

    /// Whether what was agreed on has [`update_keys`](Self::update_keys).
    fn has_key_updates(&self) -> bool;

    /// After an error: adds the alert that tells the peer, if there is one, to `output`.
    fn alert(&mut self, output: &mut Buffer);

    /// Whether the handshake still needs messages of the peer.
    fn is_handshaking(&self) -> bool;

    /// Whether what [`step`](Self::step) adds to `output` can wait until something else is sent.
    fn output_can_wait(&self) -> bool;

    /// Whether records in the incoming buffer are parts of a message that is not complete.
    fn is_joining(&self) -> bool;

    /// Whether the peer's authenticated end has come.
    fn has_ended(&self) -> bool;

    /// What was agreed. `None` during the handshake.
    fn negotiated(&self) -> Option<Negotiated>;

    /// The error for an incoming message that is longer than any real one.
    fn too_long(&self) -> EngineError;
}
