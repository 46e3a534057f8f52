//! A handler whose panics are its client's alone.

use alloc::borrow::Cow;
use core::any::Any;
use core::fmt;
use core::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tacket::Handler;

/// A handler, of which a panic is one more way to fail: the server counts and reports it, and goes on.
///
/// Without it, a panic leaves [`Server::run`](tacket::Server::run) and with it every client. The panic hook runs as ever,
/// so the message and the place are on standard error too. What the handler shares with others
/// is as the panic left it. A handler that panics while it is dropped, because the server's time was over, is not caught. In a program with `panic = "abort"` nothing can be caught.
///
/// ```
/// use tacket::{Clock, Listener, Server};
/// use tacket_std::CatchPanic;
///
/// async fn serve<L: Listener>(listener: L, clock: &impl Clock) {
///     let handler = CatchPanic::new(async |_: L::Stream| -> Result<(), L::Error> { todo!() });
///     let _served = Server::<_, _, _>::new(listener, clock, handler).run::<4>().await;
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchPanic<H> {
    handler: H,
}

impl<H> CatchPanic<H> {
    /// Catches what panics in `handler`.
    pub const fn new(handler: H) -> Self {
        Self { handler }
    }
}

impl<S, H: Handler<S>> Handler<S> for CatchPanic<H> {
    type Error = CatchPanicError<H::Error>;

    async fn handle(&self, stream: S) -> Result<(), Self::Error> {
        // In a block of its own, for what panics before there is a future.
        let handling = async { self.handler.handle(stream).await };
        match AssertUnwindSafe(handling).catch_unwind().await {
            Ok(handled) => handled.map_err(CatchPanicError::Handler),
            Err(payload) => Err(CatchPanicError::Panicked(message(payload))),
        }
    }
}

/// What a panic said. It says something else only where it was not made by `panic!`.
fn message(payload: Box<dyn Any + Send>) -> Cow<'static, str> {
    let payload = match payload.downcast::<String>() {
        Ok(message) => return Cow::Owned(*message),
        Err(payload) => payload,
    };
    match payload.downcast::<&'static str>() {
        Ok(message) => Cow::Borrowed(*message),
        Err(payload) => {
            core::mem::forget(payload); // dropping it could panic once more
            Cow::Borrowed("a panic without a message")
        }
    }
}

/// How a handler failed whose panics are caught.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatchPanicError<E> {
    /// By its error.
    Handler(E),
    /// By a panic, with this message.
    Panicked(Cow<'static, str>),
}

impl<E> fmt::Display for CatchPanicError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(_) => f.write_str("the handler failed"),
            Self::Panicked(message) => write!(f, "the handler panicked: {message}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for CatchPanicError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Handler(error) => Some(error),
            Self::Panicked(_) => None,
        }
    }
}
