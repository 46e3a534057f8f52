//! Being asked to stop.

use core::fmt;

use crate::error::{IoError, Operation};
#[cfg(unix)]
use crate::signal_unix::Listener;
#[cfg(windows)]
use crate::signal_windows::Listener;

/// Hears that this program is asked to stop: by Ctrl-C (`SIGINT`), or by `SIGTERM`, which is how services are stopped. On Windows, by
/// Ctrl-C or Ctrl-Break; when the console closes, or the user leaves, Windows ends the program and waits for nothing.
///
/// While there is one of these, on whatever thread, the first such signal does not end the program: it ends the wait of each
/// of them. A second signal ends the program as if there were none of these, so that a stop which takes too long can be cut short. So does the
/// first, once all are dropped.
///
/// A terminal sends Ctrl-C to the children of the program as well, unless they are in a process group of their own.
///
/// To have been asked is final, and concerns the whole program: whoever waits later learns of it at once.
///
/// ```
/// use core::time::Duration;
/// use futures_util::future::try_join;
/// use tacket::{AsyncResource, ServeStatistics, Server};
/// use tacket_std::{MonotonicClock, StopSignal, TcpListener, TcpStream};
///
/// type Failure = Box<dyn core::error::Error>;
///
/// /// Serves until Ctrl-C, and then until the last client is done, or ten seconds are over.
/// async fn serve(listener: TcpListener) -> Result<ServeStatistics, Failure> {
///     let mut signal = StopSignal::new()?;
///     let server = Server::<_, _, _>::new(listener, MonotonicClock::new(), async |stream: TcpStream| {
///         stream.close().await // or something more useful
///     });
///     let stopping = async {
///         signal.received().await?;
///         server.stop(Duration::from_secs(10));
///         Ok::<(), Failure>(())
///     };
///     let serving = async { Ok(server.run::<8>().await?) };
///     let (served, ()) = try_join(serving, stopping).await?;
///     Ok(served)
/// }
/// ```
pub struct StopSignal {
    listener: Listener,
}

impl StopSignal {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// The process is out of descriptors: [`Fault::Capacity`](tacket::Fault::Capacity). On Windows, something else in this program handles
    /// Ctrl-C.
    pub fn new() -> Result<Self, IoError> {
        let listener = Listener::new().map_err(failed)?;
        Ok(Self { listener })
    }

    /// Waits until the program is asked to stop; at once, if it has been.
    ///
    /// # Errors
    ///
    /// Outside [`run`](crate::run) it cannot wait: [`Fault::Unsupported`](tacket::Fault::Unsupported).
    ///
    /// # Cancel safety
    ///
    /// Safe. The next wait hears of a signal that came meanwhile.
    pub async fn received(&mut self) -> Result<(), IoError> {
        self.listener.received().await.map_err(failed)
    }

    /// Whether the program has been asked to stop.
    #[must_use]
    pub fn is_received(&self) -> bool {
        self.listener.is_received()
    }
}

fn failed(error: std::io::Error) -> IoError {
    IoError::new(Operation::Signal, error)
}

impl fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopSignal")
            .field("received", &self.is_received())
            .finish_non_exhaustive()
    }
}
