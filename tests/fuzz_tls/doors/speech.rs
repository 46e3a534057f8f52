//! What the stream was told, and what of it has arrived.

use core::cell::{Cell, RefCell};

/// An account of data under the keys of the session.
#[derive(Debug, Default)]
pub(super) struct Speech {
    said: RefCell<Vec<u8>>,
    arrived: Cell<usize>,
    /// How much was said before the first authenticated end.
    end: Cell<Option<usize>>,
}

impl Speech {
    pub(super) fn say(&self, data: &[u8]) {
        self.said.borrow_mut().extend_from_slice(data);
    }

    pub(super) fn end(&self) {
        if self.end.get().is_none() {
            self.end.set(Some(self.said.borrow().len()));
        }
    }

    /// Checks that `data` is what was said next.
    pub(super) fn arrive(&self, data: &[u8]) {
        let end = self.arrived.get() + data.len();
        let said = self.said.borrow();
        assert!(
            said.get(self.arrived.get()..end) == Some(data),
            "what arrives is not what was said"
        );
        self.arrived.set(end);
    }

    /// Checks an end that only who has the keys can have said.
    pub(super) fn arrive_at_end(&self) {
        let end = self.end.get();
        assert!(end.is_some(), "an end that nobody said");
        assert_eq!(end, Some(self.arrived.get()), "data is missing");
    }

    pub(super) fn assert_complete(&self) {
        assert_eq!(
            self.arrived.get(),
            self.said.borrow().len(),
            "data is missing"
        );
    }
}
