//! Things that must be closed.

use embedded_io_async::ErrorType;

/// Something that holds a connection, a port or another thing outside the program.
///
/// There are two ways to end it, and each takes the resource by value, so that use after close and a second close do
/// not compile:
///
/// * [`close`](Self::close), gracefully: what was sent is delivered, the peer sees a proper end. It may wait.
/// * [`close_forcefully`](Self::close_forcefully), or just dropping it: everything is released at once, without grace.
///   Where the layer below can tell the peer that this end was not a proper one, it does.
///
/// ```compile_fail,E0382
/// # async fn f<S: tacket::Stream>(mut s: S) -> Result<(), S::Error> {
/// s.close().await?;
/// s.send_all(b"too late").await?; // does not compile: `s` is gone
/// # Ok(()) }
/// ```
///
/// ```compile_fail,E0382
/// # async fn f<S: tacket::Stream>(s: S) -> Result<(), S::Error> {
/// s.close().await?;
/// s.close().await?; // nor does a second close
/// # Ok(()) }
/// ```
pub trait AsyncResource: ErrorType + Sized {
    /// Closes gracefully, and may wait for that.
    ///
    /// The resource is gone whatever this returns. A peer that has already left is not a failure.
    ///
    /// # Errors
    ///
    /// The grace failed: what was sent before may not have arrived. It never means "still open".
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has closed the resource forcefully.
    async fn close(self) -> Result<(), Self::Error>;

    /// Closes at once, without grace and without waiting. The same as dropping.
    fn close_forcefully(self) {
        drop(self);
    }
}
