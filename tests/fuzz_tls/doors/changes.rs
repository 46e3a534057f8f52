//! What is changed of all that the peer says.

use core::mem;

use super::edit::{Edit, Item};

#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    edits: Vec<(u8, Edit)>,
    /// How many items there were.
    count: usize,
    delayed: Vec<Item>,
}

impl Changes {
    pub(super) fn new(edits: &[(u8, Edit)]) -> Self {
        Self {
            edits: edits.to_vec(),
            ..Self::default()
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// One item passes that nothing is done to.
    pub(super) const fn skip(&mut self) {
        self.count += 1;
    }

    /// What becomes of the next item.
    pub(super) fn apply(&mut self, item: Item) -> Vec<Item> {
        let mut items = vec![item];
        let mut is_delayed = false;
        for (place, edit) in &self.edits {
            if usize::from(*place) == self.count {
                is_delayed |= edit.apply(&mut items);
            }
        }
        self.count += 1;
        if is_delayed {
            self.delayed.extend(items);
            Vec::new()
        } else {
            items.extend(mem::take(&mut self.delayed));
            items
        }
    }

    /// The next item is to be changed so.
    pub(super) fn edit_next(&mut self, edit: Edit) {
        let place = u8::try_from(self.count).unwrap_or(u8::MAX);
        self.edits.push((place, edit));
    }
}
