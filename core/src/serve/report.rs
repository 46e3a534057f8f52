//! What a server tells.

/// Something that happened while clients were served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeEvent<A, E> {
    /// A handler failed. Its client is gone; the others are not concerned.
    Failed(E),
    /// There is no room for another client now. The next try is in 100 ms.
    Full(A),
}

/// Hears of what goes wrong while clients are served: a function, or `()`, which does not care.
pub trait ServeReport<A, E> {
    /// This happened. It holds up the worker that it happened to.
    fn report(&self, event: ServeEvent<A, E>);
}

impl<A, E> ServeReport<A, E> for () {
    fn report(&self, _: ServeEvent<A, E>) {}
}

impl<A, E, F: Fn(ServeEvent<A, E>)> ServeReport<A, E> for F {
    fn report(&self, event: ServeEvent<A, E>) {
        self(event);
    }
}

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeStatistics {
    /// Clients that were accepted.
    pub accepted: u64,
    /// Clients that are served now.
    pub active: usize,
    /// The most of them at the same time.
    pub most_active: usize,
    /// Handlers that were content.
    pub completed: u64,
    /// Handlers that failed.
    pub failed: u64,
    /// Handlers that were dropped before they were done: because the time to drain was over, or with their worker.
    pub cut: u64,
    /// How often there was no room for another client.
    pub full: u64,
}

impl ServeStatistics {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        Self {
            accepted: 0,
            active: 0,
            most_active: 0,
            completed: 0,
            failed: 0,
            cut: 0,
            full: 0,
        }
    }
}
