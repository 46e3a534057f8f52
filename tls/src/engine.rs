//! What a TLS implementation must do for a [`TlsStream`](crate::TlsStream).

use core::fmt::Debug;
use core::ops::DerefMut;
use core::pin::Pin;

use crate::buffer::{Buffer, Sink};
use crate::error::EngineError;
use crate::memory::Memory;

/// A TLS implementation that only computes: bytes in, bytes out. It never waits.
///
/// Sealed: the engines are those of this crate.
pub trait Engine: SansIo {}

impl<E: SansIo> Engine for E {}

/// The inside of [`Engine`]. Everything is synchronous, so that no drop can fall between two of its effects.
#[expect(unnameable_types, reason = "engines are sealed")]
pub trait SansIo: Debug + Sized {
    /// What its buffers lie in.
    type Memory: Memory;
    /// Where a stream keeps what is large.
    type Held<T>: DerefMut<Target = T>;
    /// What is known after the handshake.
    type Negotiated;
    /// What the engine gives away for the time of a handshake.
    type Opening;
    /// What it gets back.
    type Opened;

    /// Whether what [`step`](Self::step) adds to the output may have to wait.
    const DEFERS_OUTPUT: bool;

    /// Whether a handshake that was dropped or failed on its way goes on with the next operation.
    const RESUMES_HANDSHAKE: bool;

    /// Keeps `value`.
    fn hold<T>(value: T) -> Self::Held<T>;

    /// Gives the value back.
    fn release<T>(held: Self::Held<T>) -> T;

    /// `future`, where it is large or seldom needed, and there is another place for it than the operation that waits for it.
    ///
    /// # Cancel safety
    ///
    /// As safe as `future`.
    fn aside<F: Future>(future: F) -> impl Future<Output = F::Output>;

    /// The first step of a handshake. `None`: one was begun and dropped, and this engine cannot go on from there.
    fn begin(&mut self) -> Option<Self::Opening>;

    /// What lives as long as the handshake. It is polled by [`shake`](Self::shake) only.
    ///
    /// # Cancel safety
    ///
    /// Not safe. What it was given is gone; [`begin`](Self::begin) says whether the engine can do without.
    fn open(opening: Self::Opening) -> impl Future<Output = Self::Opened>;

    /// [`step`](Self::step) during the handshake.
    fn shake(
        &mut self,
        opening: Pin<&mut impl Future<Output = Self::Opened>>,
        incoming: &mut Buffer<Self::Memory>,
        output: &mut Buffer<Self::Memory>,
    ) -> Result<(), EngineError>;

    /// Goes as far as `incoming` allows, and takes what it has used from it.
    ///
    /// Own messages are added to `output`. Received data goes to `sink`; without one, or when that is full, it stops there.
    fn step(
        &mut self,
        incoming: &mut Buffer<Self::Memory>,
        output: &mut Buffer<Self::Memory>,
        sink: Option<&mut Sink<'_, Self::Memory>>,
    ) -> Result<(), EngineError>;

    /// How many of `wanted` bytes [`seal`](Self::seal) should be given, where `staged` bytes wait in an output of `limit`, so that
    /// no record is parted for want of room.
    fn fitting(&self, wanted: usize, staged: usize, limit: usize) -> usize;

    /// Adds records with all of `data` to `output`. Received data that is in the way goes to `sink`.
    ///
    /// `incoming` may be an empty stand-in while [`is_joining`](Self::is_joining) is false.
    fn seal(
        &mut self,
        incoming: &mut Buffer<Self::Memory>,
        output: &mut Buffer<Self::Memory>,
        sink: &mut Sink<'_, Self::Memory>,
        data: &[u8],
    ) -> Result<(), EngineError>;

    /// Adds the authenticated end of the sending direction to `output`; otherwise as [`seal`](Self::seal). `Ok(false)`: there is no
    /// room for it.
    fn end(
        &mut self,
        incoming: &mut Buffer<Self::Memory>,
        output: &mut Buffer<Self::Memory>,
        sink: &mut Sink<'_, Self::Memory>,
    ) -> Result<bool, EngineError>;

    /// Changes the keys of the sending direction, and asks the peer to do the same: adds the message that says so to `output`;
    /// otherwise as [`seal`](Self::seal). `Ok(false)`: that is not possible while [`is_joining`](Self::is_joining).
    fn update_keys(
        &mut self,
        incoming: &mut Buffer<Self::Memory>,
        output: &mut Buffer<Self::Memory>,
        sink: &mut Sink<'_, Self::Memory>,
    ) -> Result<bool, EngineError>;

    /// Whether what was agreed on has [`update_keys`](Self::update_keys).
    fn has_key_updates(&self) -> bool;

    /// After an error: adds the alert that tells the peer, if there is one, to `output`.
    fn alert(&mut self, output: &mut Buffer<Self::Memory>);

    /// Whether the handshake still needs messages of the peer.
    fn is_handshaking(&self) -> bool;

    /// Whether the handshake stopped for want of room in the output.
    fn needs_room(&self) -> bool;

    /// Whether what [`step`](Self::step) adds to `output` can wait until something else is sent.
    fn output_can_wait(&self) -> bool;

    /// Whether records in the incoming buffer are parts of a message that is not complete.
    fn is_joining(&self) -> bool;

    /// How many bytes of received data are in the engine, for the next sink with room.
    fn held_data(&self) -> usize;

    /// Whether the peer's authenticated end has come.
    fn has_ended(&self) -> bool;

    /// What was agreed. `None` during the handshake.
    fn negotiated(&self) -> Option<Self::Negotiated>;

    /// The error for an incoming message that is longer than any real one.
    fn too_long(&self) -> EngineError;
}
