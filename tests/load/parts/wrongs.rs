//! What nobody planned.

use core::cell::{Cell, RefCell};

/// How many of them are told in full.
const TOLD: usize = 5;

/// All that went wrong.
#[derive(Debug, Default)]
pub(crate) struct Wrongs {
    count: Cell<u64>,
    first: RefCell<Vec<String>>,
}

impl Wrongs {
    pub(crate) fn add(&self, wrong: String) {
        self.count.set(self.count.get() + 1);
        let mut first = self.first.borrow_mut();
        if first.len() < TOLD {
            first.push(wrong);
        }
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count.get()
    }

    pub(crate) fn first(&self) -> Vec<String> {
        self.first.borrow().clone()
    }
}
