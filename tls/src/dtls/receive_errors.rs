//! Errors of a socket that receives: which of them to get over, and how.

use core::time::Duration;

/// How many are got over at once: there is one for each datagram that went to a closed port.
const AT_ONCE: u32 = 8;
/// How many in a row, without a wait between, mean that it never goes away: with their pauses, ten seconds of them.
const FOR_GOOD: u32 = 8000;
/// A wait that is shorter is none.
const WAIT: Duration = Duration::from_millis(1);

/// How errors have followed each other.
#[derive(Debug, Default)]
pub(super) struct ReceiveErrors {
    /// With no real wait between, as of a socket that only says that it waits.
    soon: u32,
    /// With no wait at all.
    in_a_row: u32,
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Retry,
    /// Others have their turn first, and time goes on.
    Pause,
    GiveUp,
}

impl ReceiveErrors {
    /// Whether it matters how long the next one is waited for.
    pub(super) const fn are_there(&self) -> bool {
        self.in_a_row > 0
    }

    /// A datagram has come.
    pub(super) fn is_over(&mut self) {
        *self = Self::default();
    }

    /// An error has come, after a wait of this long, if there was one.
    pub(super) fn another(&mut self, waited: Option<Duration>) -> Next {
        if waited.is_some() {
            self.in_a_row = 0;
        }
        if waited.is_some_and(|waited| waited >= WAIT) {
            self.soon = 0;
        }
        self.in_a_row += 1;
        self.soon += 1;
        if self.in_a_row >= FOR_GOOD {
            return Next::GiveUp;
        }
        if self.soon < AT_ONCE {
            return Next::Retry;
        }
        self.soon = 0;
        Next::Pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(errors: &mut ReceiveErrors, count: u32, waited: Option<Duration>) -> usize {
        let next = (0..count).map(|_| errors.another(waited));
        next.filter(|next| *next == Next::Pause).count()
    }

    #[test]
    fn errors_one_after_the_other_are_got_over_at_once_and_a_row_of_them_is_paused_for() {
        let mut errors = ReceiveErrors::default();
        assert_eq!(pauses(&mut errors, 100_000, Some(WAIT)), 0);
        assert_eq!(pauses(&mut errors, AT_ONCE - 2, None), 0);
        assert_eq!(errors.another(None), Next::Pause);
        assert_eq!(pauses(&mut errors, AT_ONCE - 1, None), 0);
        errors.is_over();
        assert_eq!(pauses(&mut errors, AT_ONCE - 1, None), 0);
        assert_eq!(errors.another(None), Next::Pause);
    }

    #[test]
    fn an_error_that_never_goes_away_is_given_up_for_once() {
        let mut errors = ReceiveErrors::default();
        assert_eq!(pauses(&mut errors, FOR_GOOD - 1, None), 999);
        assert_eq!(errors.another(None), Next::GiveUp);
        errors.is_over();
        assert_eq!(pauses(&mut errors, FOR_GOOD - 1, None), 999);
        assert_ne!(errors.another(Some(Duration::ZERO)), Next::GiveUp);
    }

    #[test]
    fn a_socket_that_waits_for_no_time_is_paused_for_and_not_given_up() {
        let mut errors = ReceiveErrors::default();
        let paused = pauses(&mut errors, 100 * FOR_GOOD, Some(WAIT / 2));
        assert_eq!(paused, 100_000);
    }
}
