//! Errors of a socket that sends a handshake: how many in a row, before somebody hears of it.

use alloc::boxed::Box;
use core::any::Any;
use core::fmt;

/// One or two attempts can fail because of the network, and pass.
const ATTEMPTS: u32 = 3;

/// The attempts in a row whose datagrams the socket did not send.
#[derive(Default)]
pub(super) struct SendErrors {
    in_a_row: u32,
    /// The socket's error, whose type the table does not know.
    last: Option<Box<dyn Any>>,
}

impl SendErrors {
    /// The socket has taken something, or something has come.
    pub(super) fn are_over(&mut self) {
        *self = Self::default();
    }

    /// One more attempt could not be sent.
    pub(super) fn another(&mut self, error: Box<dyn Any>) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.last = Some(error);
    }

    /// Whether there have been too many.
    pub(super) const fn are_too_many(&self) -> bool {
        self.in_a_row >= ATTEMPTS
    }

    /// The last one's error, if there have been too many. They are counted anew then.
    pub(super) fn take(&mut self) -> Option<Box<dyn Any>> {
        match self.are_too_many() {
            true => core::mem::take(self).last,
            false => None,
        }
    }
}

impl fmt::Debug for SendErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} errors in a row", self.in_a_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_row_are_too_many_and_then_three_more() {
        let mut send_errors = SendErrors::default();
        let told = (1..=10_u32).map(|number| {
            send_errors.another(Box::new(number));
            let told = send_errors.take()?;
            told.downcast_ref::<u32>().copied()
        });
        let expected = [
            None,
            None,
            Some(3),
            None,
            None,
            Some(6),
            None,
            None,
            Some(9),
            None,
        ];
        assert!(told.eq(expected));
        for _ in 0..10 {
            send_errors.are_over();
            (0..2).for_each(|_| send_errors.another(Box::new(0)));
            assert!(send_errors.take().is_none());
        }
    }
}
