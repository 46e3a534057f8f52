//! A peer that follows a script.

use core::cell::RefCell;
use core::fmt;
use core::task::{Context, Poll, Waker};

use embedded_io_async::ErrorKind;

use super::ScriptedStream;
use crate::{Error, Fault};

/// A step of a [`Script`], as the program under test sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// The program sends these bytes, in pieces of any size.
    Send(&'a [u8]),
    /// The program sends its end: by `send_eof` or `close`.
    SendEnd,
    /// The program receives these bytes, in pieces as large as it asks for.
    Receive(&'a [u8]),
    /// The program receives the end of the stream.
    ReceiveEnd,
    /// The connection fails. Every operation reports it from now on.
    Fail(Fault),
}

/// What a program has done with a [`ScriptedStream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// A write of so many bytes was begun.
    Write(usize),
    /// A flush.
    Flush,
    /// A wait for room was begun.
    Wait,
    /// The end was to be sent.
    SendEof,
    /// A receive into so many bytes of buffer was begun.
    Receive(usize),
    /// A close was begun.
    Close,
    /// The stream was dropped.
    Drop,
}

/// A peer in a test that does what its steps say, in their order, and notes what the program does. It notes the first `C` calls.
///
/// An operation whose turn has not come waits. One that is not in the script fails with [`ScriptError::Unexpected`], as all do
/// after it; so does one behind the last step. A program that waits where the script has nothing for it hangs: put a
/// [`timeout`](crate::timeout()) around it, or a [`VirtualClock`](super::VirtualClock), which notices.
///
/// ```
/// use tacket::testing::{Call, Script, Step};
/// use tacket::{AsyncResource, ReceiveStream, SendStream, Stream};
///
/// async fn greet<S: Stream>(mut stream: S) -> Result<usize, S::Error> {
///     stream.send_all(b"HELLO").await?;
///     let count = stream.receive_some(&mut [0; 8]).await?;
///     stream.close().await?;
///     Ok(count)
/// }
///
/// let script = Script::<16>::new(&[Step::Send(b"HELLO"), Step::Receive(b"HI"), Step::SendEnd]);
/// assert_eq!(embassy_futures::block_on(greet(script.open())), Ok(2));
/// assert_eq!(script.outcome(), Ok(()));
/// let calls = [Call::Write(5), Call::Flush, Call::Receive(8), Call::Close, Call::Drop];
/// assert!(script.calls().eq(calls));
/// ```
pub struct Script<'a, const C: usize = 32> {
    state: RefCell<State<'a, C>>,
}

struct State<'a, const C: usize> {
    steps: &'a [Step<'a>],
    /// Which step is next.
    at: usize,
    /// How many of its bytes are done.
    done: usize,
    ended: bool,
    error: Option<ScriptError>,
    calls: [Option<Call>; C],
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

impl<'a, const C: usize> Script<'a, C> {
    /// A script of these steps.
    #[must_use]
    pub const fn new(steps: &'a [Step<'a>]) -> Self {
        Self {
            state: RefCell::new(State {
                steps,
                at: 0,
                done: 0,
                ended: false,
                error: None,
                calls: [None; C],
                sender: None,
                receiver: None,
            }),
        }
    }

    /// A stream to the peer. One that is opened later goes on in the script where an earlier one has left it.
    pub const fn open(&self) -> ScriptedStream<'_, 'a, C> {
        ScriptedStream::new(self)
    }

    /// Whether the program has played the whole script and nothing else.
    ///
    /// # Errors
    ///
    /// The number of the step that it has not played, or left.
    pub fn outcome(&self) -> Result<(), ScriptError> {
        let state = self.state.borrow();
        match (state.error, state.step()) {
            (Some(error @ ScriptError::Unexpected { .. }), _) => Err(error),
            (Some(_), _) | (None, None) => Ok(()),
            (None, Some(_)) => Err(ScriptError::Unplayed { step: state.at }),
        }
    }

    /// What the program has done, in order.
    pub fn calls(&self) -> impl Iterator<Item = Call> {
        (0..C).map_while(|index| self.state.borrow().calls.get(index).copied().flatten())
    }

    pub(super) fn note(&self, call: Call) {
        let mut state = self.state.borrow_mut();
        if let Some(place) = state.calls.iter_mut().find(|place| place.is_none()) {
            *place = Some(call);
        }
    }

    pub(super) fn poll_write(
        &self,
        cx: &Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, ScriptError>> {
        self.state.borrow().check_sending()?;
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.play(cx, false, |state| match state.step() {
            Some(Step::Send(wanted)) => {
                let left = wanted.get(state.done..).unwrap_or_default();
                let count = left.len().min(data.len());
                if left.get(..count) != data.get(..count) {
                    return Play::Unexpected;
                }
                Play::Done(count, count)
            }
            Some(Step::Receive(_) | Step::ReceiveEnd) => Play::Wait,
            _ => Play::Unexpected,
        })
    }

    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), ScriptError>> {
        self.state.borrow().check_sending()?;
        self.play(cx, false, |state| match state.step() {
            Some(Step::Receive(_) | Step::ReceiveEnd) => Play::Wait,
            _ => Play::Done((), 0),
        })
    }

    pub(super) fn poll_end(&self, cx: &Context<'_>) -> Poll<Result<(), ScriptError>> {
        if self.state.borrow().ended {
            return Poll::Ready(Ok(()));
        }
        self.play(cx, false, |state| match state.step() {
            Some(Step::SendEnd) => {
                state.ended = true;
                Play::Over(())
            }
            Some(Step::Receive(_) | Step::ReceiveEnd) => Play::Wait,
            _ => Play::Unexpected,
        })
    }

    pub(super) fn poll_read(
        &self,
        cx: &Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, ScriptError>> {
        self.play(cx, true, |state| match state.step() {
            Some(Step::Receive(given)) => {
                let left = given.get(state.done..).unwrap_or_default();
                let count = left.len().min(buf.len());
                if let (Some(room), Some(data)) = (buf.get_mut(..count), left.get(..count)) {
                    room.copy_from_slice(data);
                }
                Play::Done(count, count)
            }
            Some(Step::ReceiveEnd) => Play::Over(0),
            None if state.has_ended() => Play::Done(0, 0),
            Some(Step::Send(_) | Step::SendEnd) if !state.has_ended() => Play::Wait,
            Some(Step::Send(_) | Step::SendEnd) => Play::Done(0, 0),
            _ => Play::Unexpected,
        })
    }

    /// Plays a part of a step, unless the connection has failed.
    fn play<T>(
        &self,
        cx: &Context<'_>,
        receives: bool,
        part: impl FnOnce(&mut State<'a, C>) -> Play<T>,
    ) -> Poll<Result<T, ScriptError>> {
        let mut state = self.state.borrow_mut();
        state.skip_empty();
        if let (None, Some(Step::Fail(fault))) = (state.error, state.step()) {
            state.error = Some(ScriptError::Failed(fault));
        }
        if let Some(error) = state.error {
            return Poll::Ready(Err(error));
        }
        let played = match part(&mut state) {
            Play::Wait => {
                let waiter = match receives {
                    true => &mut state.receiver,
                    false => &mut state.sender,
                };
                let before = waiter.replace(cx.waker().clone());
                drop(state);
                drop(before);
                return Poll::Pending;
            }
            Play::Unexpected => {
                let step = state.at;
                Err(*state.error.insert(ScriptError::Unexpected { step }))
            }
            Play::Done(played, count) => {
                state.done += count;
                state.skip_empty();
                Ok(played)
            }
            Play::Over(played) => {
                (state.at, state.done) = (state.at + 1, 0);
                state.skip_empty();
                Ok(played)
            }
        };
        // Whoever waits for its turn looks again.
        let wakers = [state.sender.take(), state.receiver.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Ready(played)
    }
}

/// What becomes of a step.
enum Play<T> {
    Wait,
    Unexpected,
    /// So many of its bytes are done.
    Done(T, usize),
    /// All of it is.
    Over(T),
}

impl<'a, const C: usize> State<'a, C> {
    fn step(&self) -> Option<Step<'a>> {
        self.steps.get(self.at).copied()
    }

    /// Goes past steps whose bytes are all done.
    fn skip_empty(&mut self) {
        while let Some(Step::Send(data) | Step::Receive(data)) = self.step()
            && self.done >= data.len()
        {
            (self.at, self.done) = (self.at + 1, 0);
        }
    }

    /// Whether the program has received the end.
    fn has_ended(&self) -> bool {
        let played = self.steps.get(..self.at).unwrap_or_default();
        played.contains(&Step::ReceiveEnd)
    }

    fn check_sending(&self) -> Result<(), ScriptError> {
        match (self.ended, self.error) {
            (true, _) => Err(ScriptError::Closed),
            (_, Some(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl<const C: usize> fmt::Debug for Script<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Script")
            .field("step", &state.at)
            .field("error", &state.error)
            .finish_non_exhaustive()
    }
}

/// The error of a [`ScriptedStream`], and how a [`Script`] was not played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptError {
    /// The end was sent earlier.
    Closed,
    /// A receive was given an empty buffer.
    EmptyBuffer,
    /// The program did something else than this step of the script, counted from 0.
    Unexpected {
        /// Which step was next.
        step: usize,
    },
    /// The program has left before this step, counted from 0.
    Unplayed {
        /// Which step is next.
        step: usize,
    },
    /// The script says so.
    Failed(Fault),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the end of the stream was sent earlier"),
            Self::EmptyBuffer => f.write_str("cannot receive into an empty buffer"),
            Self::Unexpected { step } => write!(f, "this is not step {step} of the script"),
            Self::Unplayed { step } => write!(f, "step {step} of the script was not played"),
            Self::Failed(fault) => write!(f, "the script says: {fault}"),
        }
    }
}

impl core::error::Error for ScriptError {}

impl embedded_io_async::Error for ScriptError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for ScriptError {
    fn fault(&self) -> Fault {
        match self {
            Self::Closed => Fault::Closed,
            Self::EmptyBuffer => Fault::InvalidInput,
            Self::Unexpected { .. } | Self::Unplayed { .. } => Fault::Other,
            Self::Failed(fault) => *fault,
        }
    }
}
