//! Where connections come from.

use crate::{AsyncResource, Error, Stream};

/// A source of incoming connections.
///
/// ```
/// use tacket::{Error as _, Fault, Listener};
///
/// async fn next<L: Listener>(listener: &mut L) -> Option<L::Stream> {
///     match listener.accept().await {
///         Ok(stream) => Some(stream),
///         Err(error) if error.fault() == Fault::Capacity => None, // full for now; the listener is fine
///         Err(_) => None,                                         // this listener will not accept again
///     }
/// }
/// ```
pub trait Listener: AsyncResource<Error: Error> {
    /// The connections it hands out.
    type Stream: Stream;

    /// Waits for the next connection and returns it.
    ///
    /// Connections that failed before they could be handed out are passed over in silence. No handshake of a higher
    /// layer happens here, so a slow client holds up nobody.
    ///
    /// # Errors
    ///
    /// [`Fault::Capacity`](crate::Fault::Capacity): the process or the pool is full; the listener stays usable, and
    /// a later call may succeed. Any other fault: the listener has failed for good.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has lost no connection.
    async fn accept(&mut self) -> Result<Self::Stream, Self::Error>;
}
