//! What a server does with a client.

/// Handles clients: an async function that takes a stream, or a type of its own.
///
/// The type of an async function has no name. A server in a `static`, whose workers are tasks that cannot be generic, needs one
/// ([`worker`](crate::Server::worker) has an example); so does a handler that wraps another.
///
/// ```
/// use tacket::{AsyncResource, Handler, SendStream, Stream};
///
/// /// Greets each client, and closes.
/// struct Greeter {
///     greeting: &'static str,
/// }
///
/// impl<S: Stream> Handler<S> for Greeter {
///     type Error = S::Error;
///
///     async fn handle(&self, mut stream: S) -> Result<(), S::Error> {
///         stream.send_all(self.greeting.as_bytes()).await?;
///         stream.close().await
///     }
/// }
/// ```
pub trait Handler<S> {
    /// What goes wrong with a client.
    type Error;

    /// Handles this client, to its end. The stream is the handler's: to close it gracefully, [`close`](crate::AsyncResource::close) it.
    ///
    /// # Errors
    ///
    /// Whatever the handler says. The server counts and reports it, and goes on.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, it drops its stream.
    fn handle(&self, stream: S) -> impl Future<Output = Result<(), Self::Error>>;
}

impl<S, E, F: AsyncFn(S) -> Result<(), E>> Handler<S> for F {
    type Error = E;

    // Not an async function: that would keep the stream beside the handler that it went to.
    #[allow(
        clippy::manual_async_fn,
        reason = "the future of the function itself is the smallest"
    )]
    fn handle(&self, stream: S) -> impl Future<Output = Result<(), E>> {
        self(stream)
    }
}
