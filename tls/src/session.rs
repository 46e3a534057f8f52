//! A session between the awaits: the engine, what it has received and has to send, and how it ended.
//!
//! Everything here is synchronous. The state is borrowed within a call, never across two.

#[cfg(feature = "rustls")]
use alloc::boxed::Box;
#[cfg(feature = "rustls")]
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::pin::Pin;

use tacket::{Error, Fault};

use crate::buffer::{Buffer, Sink};
use crate::engine::Engine;
use crate::error::{EngineError, TlsError};
use crate::lock::Lock;
use crate::staged::{Incoming, Outgoing};

/// What the operations of a stream share.
///
/// Who waits for the transport holds the buffer that belongs to that direction, so no state is borrowed across an await.
pub(crate) struct Session<E: Engine> {
    state: RefCell<State<E>>,
    /// Held by who performs the handshake.
    pub(crate) turn: Lock<()>,
    /// Ciphertext that has arrived.
    pub(crate) incoming: Lock<Incoming<E::Memory>>,
    /// Ciphertext to be sent.
    pub(crate) outgoing: Lock<Outgoing<E::Memory>>,
}

struct State<E: Engine> {
    engine: E,
    /// Data that came while something else was done, or more of it than the caller had room for.
    stash: Buffer<E::Memory>,
    /// Messages of the engine that have not gone to `outgoing` yet.
    flight: Buffer<E::Memory>,
    https_compatible: bool,
    established: bool,
    sent_end: bool,
    /// The keys are to be changed before the next data is protected.
    key_update_due: bool,
    /// The transport has ended. Of that alone only an `https_compatible` stream makes an end.
    transport_ended: bool,
    /// The transport sends no more. What it brings can still be received.
    cannot_send: bool,
    failure: Option<Failure>,
}

/// Why nothing works any more.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Broken,
    Truncated,
    Engine(Cause),
}

/// In a box where it is large: every operation has room for it.
#[cfg(feature = "rustls")]
type Cause = Box<EngineError>;
#[cfg(not(feature = "rustls"))]
type Cause = EngineError;

#[cfg(feature = "rustls")]
#[expect(clippy::boxed_local, reason = "it comes in one")]
pub(crate) fn into_error(cause: Cause) -> EngineError {
    *cause
}

#[cfg(feature = "rustls")]
fn into_cause(error: EngineError) -> Cause {
    Box::new(error)
}

#[cfg(not(feature = "rustls"))]
const fn into_cause(error: EngineError) -> Cause {
    error
}

#[cfg(not(feature = "rustls"))]
pub(crate) const fn into_error(cause: Cause) -> EngineError {
    cause
}

impl<E> From<Failure> for TlsError<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Broken => Self::Broken,
            Failure::Truncated => Self::Truncated,
            Failure::Engine(error) => Self::Engine(into_error(error)),
        }
    }
}

/// How far a handshake got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shaken {
    Done,
    NeedInput,
    /// What is staged is to be sent before more can be.
    NeedRoom,
}

/// What an attempt to receive came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Data(usize),
    End,
    NeedInput,
}

/// Memory for the buffers of a session.
#[derive(Debug, Default)]
pub(crate) struct Memories<M> {
    pub(crate) incoming: M,
    pub(crate) outgoing: M,
    pub(crate) stash: M,
    pub(crate) flight: M,
}

impl<E: Engine> Session<E> {
    pub(crate) fn new(engine: E, memories: Memories<E::Memory>) -> Self {
        Self {
            state: RefCell::new(State {
                engine,
                stash: Buffer::over(memories.stash),
                flight: Buffer::over(memories.flight),
                https_compatible: false,
                established: false,
                sent_end: false,
                key_update_due: false,
                transport_ended: false,
                cannot_send: false,
                failure: None,
            }),
            turn: Lock::new(()),
            incoming: Lock::new(Incoming::over(memories.incoming)),
            outgoing: Lock::new(Outgoing::over(memories.outgoing)),
        }
    }

    /// Adds what has arrived by another way.
    #[cfg(feature = "rustls")]
    pub(crate) fn add_received(&mut self, data: &[u8]) {
        self.incoming.get_mut().append(data);
    }

    pub(crate) fn set_https_compatible(&mut self) {
        self.state.get_mut().https_compatible = true;
    }

    pub(crate) fn is_https_compatible(&self) -> bool {
        self.state.borrow().https_compatible
    }

    pub(crate) fn negotiated(&self) -> Option<E::Negotiated> {
        let state = self.state.borrow();
        state.established.then(|| state.engine.negotiated())?
    }

    /// Whether the handshake is done, if nothing has failed that it needs.
    pub(crate) fn is_established(&self) -> Result<bool, Failure> {
        let state = self.state.borrow();
        if state.established {
            state.check()?;
        } else {
            state.check_sending()?;
        }
        Ok(state.established)
    }

    /// Whether data can be protected now.
    pub(crate) fn can_send(&self) -> bool {
        let state = self.state.borrow();
        state.established && !state.sent_end && !state.cannot_send && state.failure.is_none()
    }

    /// Whether nothing has failed that sending needs.
    pub(crate) fn check_sending(&self) -> Result<(), Failure> {
        self.state.borrow().check_sending()
    }

    pub(crate) fn has_sent_end(&self) -> bool {
        self.state.borrow().sent_end
    }

    pub(crate) fn has_received_end(&self) -> bool {
        self.state.borrow().has_received_end()
    }

    /// The first step of the handshake, or of the rest of it.
    pub(crate) fn begin(&self) -> Result<E::Opening, Failure> {
        let state = &mut *self.state.borrow_mut();
        state.check()?;
        let begun = state.engine.begin();
        begun.ok_or_else(|| state.failure.insert(Failure::Broken).clone())
    }

    /// Takes the handshake as far as the input allows.
    pub(crate) fn shake_hands(
        &self,
        opening: Pin<&mut impl Future<Output = E::Opened>>,
        incoming: &mut Incoming<E::Memory>,
        outgoing: &mut Outgoing<E::Memory>,
    ) -> Result<Shaken, Failure> {
        let state = &mut *self.state.borrow_mut();
        state.check()?;
        let State { engine, flight, .. } = state;
        let staged = outgoing.buffer.len();
        let output = if E::DEFERS_OUTPUT {
            &mut *flight
        } else {
            &mut outgoing.buffer
        };
        if let Err(error) = engine.shake(opening, &mut incoming.buffer, output) {
            return Err(state.fail(error));
        }
        if E::DEFERS_OUTPUT && !engine.output_can_wait() {
            outgoing.buffer.append_all(flight);
        }
        outgoing.dirty |= outgoing.buffer.len() > staged;
        if engine.needs_room() {
            return Ok(Shaken::NeedRoom);
        }
        if engine.is_handshaking() {
            return Ok(Shaken::NeedInput);
        }
        incoming.read_less();
        Ok(Shaken::Done)
    }

    pub(crate) fn establish(&self) {
        let mut state = self.state.borrow_mut();
        state.established = true;
        state.flight.shrink(0);
    }

    /// Takes data, or finds out why there is none. Data goes before an end, and both before a failure.
    ///
    /// So it goes on with what arrived before the transport failed. Only an engine that failed is not to be used again.
    pub(crate) fn take(
        &self,
        incoming: &mut Incoming<E::Memory>,
        buf: &mut [u8],
    ) -> Result<Taken, Failure> {
        let state = &mut *self.state.borrow_mut();
        if !state.stash.is_empty() {
            return Ok(Taken::Data(state.stash.take_into(buf)));
        }
        if state.has_received_end() {
            return Ok(Taken::End);
        }
        state.check_receiving()?;
        let State {
            engine,
            stash,
            flight,
            ..
        } = state;
        let mut sink = Sink::to_caller(buf, stash);
        let stepped = engine.step(&mut incoming.buffer, flight, Some(&mut sink));
        let (taken, source) = (sink.taken(), sink.source());
        if let Some(address) = source {
            incoming.align_with(address);
        }
        let failure = stepped.map_err(|error| state.fail(error));
        match (taken, failure) {
            (1.., _) => Ok(Taken::Data(taken)),
            (0, Err(failure)) => Err(failure),
            (0, Ok(())) if state.has_received_end() => Ok(Taken::End),
            (0, Ok(())) => {
                // Whoever received in small parts has waited for nothing before.
                state.stash.shrink(0);
                state.check().map(|()| Taken::NeedInput)
            }
        }
    }

    /// Looks for the peer's authenticated end. Data before it is kept, and found again by each further call.
    pub(crate) fn take_end(&self, incoming: &mut Incoming<E::Memory>) -> Result<Taken, Failure> {
        let state = &mut *self.state.borrow_mut();
        if let Some(found) = state.find_end() {
            return Ok(found);
        }
        state.check_receiving()?;
        let State {
            engine,
            stash,
            flight,
            ..
        } = state;
        let mut sink = Sink::to_stash(stash);
        let stepped = engine.step(&mut incoming.buffer, flight, Some(&mut sink));
        let failure = stepped.map_err(|error| state.fail(error));
        if let Some(found) = state.find_end() {
            return Ok(found);
        }
        failure?;
        if state.transport_ended {
            return Err(Failure::Truncated);
        }
        state.check().map(|()| Taken::NeedInput)
    }

    /// Once the peer's end has come: what was read beyond it.
    #[cfg(feature = "rustls")]
    pub(crate) fn into_trailing(self) -> Vec<u8> {
        self.incoming.into_inner().buffer.filled().to_vec()
    }

    /// Whether what is in the incoming buffer must stay in its place while more is read.
    pub(crate) fn is_joining(&self) -> bool {
        self.state.borrow().engine.is_joining()
    }

    /// Protects as much of `data` as there is room for. `Ok(0)`: there is none.
    pub(crate) fn seal(
        &self,
        outgoing: &mut Outgoing<E::Memory>,
        data: &[u8],
    ) -> Result<usize, Failure> {
        let state = &mut *self.state.borrow_mut();
        state.check_sending()?;
        let (staged, limit) = (outgoing.buffer.len(), outgoing.buffer.limit());
        let count = state.engine.fitting(data.len(), staged, limit);
        let Some(data) = data.get(..count).filter(|data| !data.is_empty()) else {
            return Ok(0);
        };
        self.update_keys_if_due(state, outgoing)?;
        self.produce(state, outgoing, |engine, incoming, output, sink| {
            engine.seal(incoming, output, sink, data)
        })?;
        outgoing.has_new_keys = false;
        Ok(count)
    }

    /// Changes the keys of the sending direction, now or with the next data. `false`: the version has no such thing.
    ///
    /// A change that is under way and has protected nothing is enough: a peer takes only so many in a row.
    #[cfg(feature = "rustls")]
    pub(crate) fn update_keys(&self, outgoing: &mut Outgoing<E::Memory>) -> Result<bool, Failure> {
        let state = &mut *self.state.borrow_mut();
        state.check_sending()?;
        if outgoing.has_new_keys {
            return Ok(true);
        }
        state.key_update_due = state.engine.has_key_updates();
        if !state.key_update_due {
            return Ok(false);
        }
        self.update_keys_if_due(state, outgoing)?;
        Ok(true)
    }

    fn update_keys_if_due(
        &self,
        state: &mut State<E>,
        outgoing: &mut Outgoing<E::Memory>,
    ) -> Result<(), Failure> {
        if state.key_update_due {
            let updated = self.produce(state, outgoing, E::update_keys)?;
            state.key_update_due = !updated;
            outgoing.has_new_keys = updated;
        }
        Ok(())
    }

    /// Ends the sending direction, once. `Ok(false)`: what is staged is to be sent first.
    pub(crate) fn end(&self, outgoing: &mut Outgoing<E::Memory>) -> Result<bool, Failure> {
        let state = &mut *self.state.borrow_mut();
        state.check_sending()?;
        if !state.sent_end {
            state.sent_end = self.produce(state, outgoing, E::end)?;
        }
        Ok(state.sent_end)
    }

    fn produce<T>(
        &self,
        state: &mut State<E>,
        outgoing: &mut Outgoing<E::Memory>,
        produce: impl FnOnce(
            &mut E,
            &mut Buffer<E::Memory>,
            &mut Buffer<E::Memory>,
            &mut Sink<'_, E::Memory>,
        ) -> Result<T, EngineError>,
    ) -> Result<T, Failure> {
        let State {
            engine,
            stash,
            flight,
            ..
        } = state;
        outgoing.dirty = true;
        if !flight.is_empty() {
            outgoing.buffer.append_all(flight);
            flight.shrink(0);
        }
        let mut sink = Sink::to_stash(stash);
        // The engine looks at the input first. While the receiver waits in a read with it, it has nothing whole to see.
        let produced = match self.incoming.try_lock() {
            Some(mut incoming) => produce(
                engine,
                &mut incoming.buffer,
                &mut outgoing.buffer,
                &mut sink,
            ),
            None => produce(
                engine,
                &mut Buffer::over(E::Memory::default()),
                &mut outgoing.buffer,
                &mut sink,
            ),
        };
        outgoing.grown();
        produced.map_err(|error| state.fail(error))
    }

    /// The transport has ended.
    pub(crate) fn transport_ended(&self) {
        let mut state = self.state.borrow_mut();
        state.transport_ended = true;
        if !(state.https_compatible && state.established) {
            state.failure.get_or_insert(Failure::Truncated);
        }
    }

    /// The transport could not be received from.
    pub(crate) fn receiving_failed<T: Error>(&self, error: T) -> TlsError<T> {
        if is_final(&error) {
            let mut state = self.state.borrow_mut();
            state.failure.get_or_insert(Failure::Broken);
        }
        TlsError::Transport(error)
    }

    /// The transport could not be sent to. What the peer sent before can still be received.
    pub(crate) fn sending_failed<T: Error>(&self, error: T) -> TlsError<T> {
        if is_final(&error) {
            self.state.borrow_mut().cannot_send = true;
        }
        TlsError::Transport(error)
    }

    /// The transport takes no bytes, against its contract.
    pub(crate) fn sending_stuck(&self) -> Failure {
        self.state.borrow_mut().cannot_send = true;
        Failure::Broken
    }

    /// More has arrived than belongs to any message.
    pub(crate) fn overflowed(&self) -> Failure {
        let state = &mut *self.state.borrow_mut();
        let error = state.engine.too_long();
        state.fail(error)
    }

    /// After a failure: whether there is an alert to send, which is then in `outgoing`.
    pub(crate) fn last_words(&self, outgoing: &mut Outgoing<E::Memory>) -> bool {
        let state = &mut *self.state.borrow_mut();
        let any = matches!(state.failure, Some(Failure::Engine(_)))
            && !state.flight.is_empty()
            && outgoing.buffer.append_all(&mut state.flight);
        outgoing.dirty |= any;
        any
    }
}

/// Whether a transport that failed so stays failed.
fn is_final<T: Error>(error: &T) -> bool {
    !matches!(
        error.fault(),
        Fault::Busy | Fault::Capacity | Fault::TimedOut
    )
}

impl<E: Engine> State<E> {
    /// The peer's end, or data before it.
    fn find_end(&self) -> Option<Taken> {
        let waiting = self.stash.len() + self.engine.held_data();
        if waiting > 0 {
            Some(Taken::Data(waiting))
        } else {
            self.engine.has_ended().then_some(Taken::End)
        }
    }

    fn has_received_end(&self) -> bool {
        // Before the handshake is done, anyone could have forged it. For the engine that may be so, and our last message not be sent.
        let has_ended = !self.engine.is_handshaking() && self.engine.has_ended();
        has_ended || self.transport_ended && self.https_compatible
    }

    fn check_sending(&self) -> Result<(), Failure> {
        self.check()?;
        if self.cannot_send {
            return Err(Failure::Broken);
        }
        Ok(())
    }

    /// A handshake that cannot be resumed has to be done before anything counts. Otherwise it is enough that the engine has seen all of
    /// the peer's part.
    fn check_receiving(&self) -> Result<(), Failure> {
        match &self.failure {
            Some(failure @ Failure::Engine(_)) => Err(failure.clone()),
            failure if !self.established && !E::RESUMES_HANDSHAKE => {
                Err(failure.clone().unwrap_or(Failure::Broken))
            }
            _ => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, error: EngineError) -> Failure {
        self.engine.alert(&mut self.flight);
        let failure = Failure::Engine(into_cause(error));
        self.failure.get_or_insert(failure).clone()
    }
}

impl<E: Engine> fmt::Debug for Session<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut session = f.debug_struct("Session");
        if let Ok(state) = self.state.try_borrow() {
            session
                .field("engine", &state.engine)
                .field("established", &state.established)
                .field("failure", &state.failure);
        }
        session.finish_non_exhaustive()
    }
}
