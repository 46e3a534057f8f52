//! Clients that wait for a handler, and handlers at work.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::config::DtlsServerConfig;

/// What a server has, as long as it serves.
pub(super) struct Serving {
    pub(super) config: DtlsServerConfig,
    /// How many handlers may be at work.
    limit: usize,
    handlers: usize,
    /// Admitted clients that no handler has yet, and until when their cookies are good. At most as many as there are free handlers, plus clients that
    /// replace one with a handler.
    clients: VecDeque<(u64, Duration)>,
}

impl Serving {
    pub(super) const fn new(config: DtlsServerConfig, limit: usize) -> Self {
        Self {
            config,
            limit,
            handlers: 0,
            clients: VecDeque::new(),
        }
    }

    /// Whether there is a handler for one more client.
    pub(super) fn has_room(&self) -> bool {
        self.handlers + self.clients.len() < self.limit
    }

    /// A client waits from now on. If the one `before` it from its address does, too, it has that one's place; that one is returned, since no handler will.
    pub(super) fn admit(&mut self, id: u64, until: Duration, before: Option<u64>) -> Option<u64> {
        let mut waiting = self.clients.iter_mut();
        match waiting.find(|(known, _)| Some(*known) == before) {
            Some(place) => {
                *place = (id, until);
                before
            }
            None => {
                self.clients.push_back((id, until));
                None
            }
        }
    }

    /// The next client, which has a handler now.
    pub(super) fn next_client(&mut self) -> Option<(u64, Duration)> {
        if self.handlers >= self.limit {
            return None;
        }
        let next = self.clients.pop_front()?;
        self.handlers += 1;
        Some(next)
    }

    pub(super) const fn handler_is_done(&mut self) {
        self.handlers = self.handlers.saturating_sub(1);
    }

    /// Those who wait.
    pub(super) fn into_clients(self) -> impl Iterator<Item = u64> {
        self.clients.into_iter().map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::dtls::DtlsPsk;

    const UNTIL: Duration = Duration::from_secs(60);
    const LATER: Duration = Duration::from_secs(90);

    fn serving(limit: usize) -> Serving {
        let known = DtlsPsk::new("sensor 17", [7; 32]).expect("a key");
        let config = DtlsServerConfig::with_psks([known]).expect("a key");
        Serving::new(config, limit)
    }

    #[test]
    fn there_is_room_for_as_many_as_wait_and_are_handled() {
        let mut serving = serving(2);
        for id in 1..=2 {
            assert!(serving.has_room());
            assert_eq!(serving.admit(id, UNTIL, None), None);
        }
        assert!(!serving.has_room());
        assert_eq!(serving.next_client(), Some((1, UNTIL)));
        assert!(!serving.has_room());
        serving.handler_is_done();
        assert!(serving.has_room());
        // More than there have been are not done.
        serving.handler_is_done();
        assert_eq!(serving.admit(3, UNTIL, None), None);
        assert!(!serving.has_room());
        assert!(serving.into_clients().eq([2, 3]));
    }

    #[test]
    fn a_client_that_begins_anew_keeps_its_place_and_waits_if_it_has_a_handler() {
        let mut serving = serving(1);
        serving.admit(1, UNTIL, None);
        assert_eq!(serving.admit(2, LATER, Some(1)), Some(1));
        assert_eq!(serving.next_client(), Some((2, LATER)));
        assert_eq!(serving.admit(3, LATER, Some(2)), None);
        assert_eq!(serving.admit(4, LATER, Some(3)), Some(3));
        assert_eq!(serving.next_client(), None);
        serving.handler_is_done();
        assert_eq!(serving.next_client(), Some((4, LATER)));
        assert_eq!(serving.into_clients().collect::<Vec<_>>(), []);
    }
}
