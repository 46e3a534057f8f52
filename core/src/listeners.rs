//! Several listeners as one.

use embassy_futures::select::select_array;
use embedded_io_async::ErrorType;

use crate::{AsyncResource, Listener};

/// Several listeners, as one that accepts on all of them.
///
/// When clients wait at several, these take turns. What fails one, fails all: so with several, each that lacks room makes the others wait too.
///
/// ```
/// use tacket::{Listen, Listeners};
///
/// /// Listens on both ports.
/// async fn listen<N: Listen>(network: &N) -> Result<Listeners<N::Listener, 2>, N::Error> {
///     Ok(Listeners::new([
///         network.listen(([0, 0, 0, 0], 80).into()).await?,
///         network.listen(([0, 0, 0, 0], 8080).into()).await?,
///     ]))
/// }
/// ```
#[derive(Debug)]
pub struct Listeners<L, const K: usize> {
    listeners: [L; K],
    /// Whose turn it is.
    first: usize,
}

impl<L, const K: usize> Listeners<L, K> {
    /// All of `listeners`, of which there must be one at least, or no client ever comes.
    pub const fn new(listeners: [L; K]) -> Self {
        Self {
            listeners,
            first: 0,
        }
    }

    /// The listeners, to ask them for their addresses.
    pub const fn each(&self) -> &[L; K] {
        &self.listeners
    }
}

impl<L: ErrorType, const K: usize> ErrorType for Listeners<L, K> {
    type Error = L::Error;
}

impl<L: Listener, const K: usize> AsyncResource for Listeners<L, K> {
    /// Closes all of them, also when one fails.
    ///
    /// # Errors
    ///
    /// The first that one has.
    ///
    /// # Cancel safety
    ///
    /// Safe. Those that were not closed yet are dropped, which closes them too.
    async fn close(self) -> Result<(), L::Error> {
        let mut result = Ok(());
        for listener in self.listeners {
            result = result.and(listener.close().await);
        }
        result
    }
}

impl<L: Listener, const K: usize> Listener for Listeners<L, K> {
    type Stream = L::Stream;

    async fn accept(&mut self) -> Result<L::Stream, L::Error> {
        let first = self.first;
        let mut listeners = self.listeners.each_mut();
        listeners.rotate_left(first);
        let (accepted, place) = select_array(listeners.map(L::accept)).await;
        self.first = (first + place + 1) % K;
        accepted
    }
}
