//! What is between the peer and the protection of what it says.

use alloc::collections::VecDeque;

use tacket_tls::rustls::crypto::cipher::{OutboundChunks, OutboundPlainMessage};
use tacket_tls::rustls::{ContentType, ProtocolVersion};

use super::algorithms::{MARK, seal};
use super::changes::Changes;
use super::concert;
use super::edit::{Edit, HANDSHAKE, Item};
use super::message::{FINISHED, KEY_UPDATE, first_message};
use super::speech::Speech;

const HEADER: usize = 5;
pub(super) const ALERT: u8 = 21;
pub(super) const APPLICATION_DATA: u8 = 23;
const CLOSE_NOTIFY: u8 = 0;

/// The most data that a record may have.
pub(super) const MOST: usize = 1 << 14;

/// A byte of the handshake, and the keys that protect it.
pub(super) type Said = (Option<usize>, u8);

#[derive(Default)]
pub(super) struct Middle {
    changes: Changes,
    coalesces: bool,
    /// The keys that protect what is said next, and how many records each has protected.
    pub(super) keys: Option<usize>,
    numbers: Vec<u64>,
    /// On its way to the stream.
    pub(super) records: VecDeque<u8>,
    /// The last protected record.
    last: Vec<u8>,
    /// The handshake up to the end of the peer's part, as the peer has it, and as the stream has it.
    meant: Vec<Said>,
    told: Vec<Said>,
    is_meant: bool,
}

impl Middle {
    pub(super) fn new(edits: &[(u8, Edit)], coalesces: bool) -> Self {
        Self {
            changes: Changes::new(edits),
            coalesces,
            ..Self::default()
        }
    }

    /// Takes what the peer says, and passes it on, changed.
    pub(super) fn pass(&mut self, said: &mut Vec<u8>, speech: &Speech) {
        let mut items = Vec::new();
        let mut rest = &**said;
        while let Some(&[typ, _, _, high, low]) = rest.first_chunk::<HEADER>() {
            let end = HEADER + usize::from(u16::from_be_bytes([high, low]));
            let Some(content) = rest.get(HEADER..end) else {
                break;
            };
            rest = rest.get(end..).unwrap_or_default();
            match (typ, content) {
                (MARK, [keys, typ, content @ ..]) => {
                    let keys = usize::from(*keys);
                    let is_change = *typ == HANDSHAKE && content.first() == Some(&KEY_UPDATE);
                    self.keys = self.keys.max(Some(keys + usize::from(is_change)));
                    split(Some(keys), *typ, content, &mut items);
                }
                _ => split(None, typ, content, &mut items),
            }
        }
        said.clear();
        let mut changed = Vec::new();
        for item in items {
            self.note(&item);
            // What an accomplice has changed already is not changed again.
            let told = match item.typ {
                HANDSHAKE => concert::next(),
                _ => None,
            };
            match told {
                Some(items) => {
                    self.changes.skip();
                    changed.extend(items);
                }
                None => changed.extend(self.changes.apply(item)),
            }
        }
        self.send(&changed, speech);
    }

    fn note(&mut self, item: &Item) {
        if item.typ == HANDSHAKE && !self.is_meant {
            self.meant
                .extend(item.content.iter().map(|byte| (item.keys, *byte)));
            self.is_meant = item.content.first() == Some(&FINISHED);
        }
    }

    /// The next item is to be changed so.
    pub(super) fn edit_next(&mut self, edit: Edit) {
        self.changes.edit_next(edit);
    }

    /// Whether the peer has said anything.
    pub(super) const fn has_begun(&self) -> bool {
        self.changes.count() > 0
    }

    /// Says this as if the peer had.
    pub(super) fn add(&mut self, item: Item, speech: &Speech) {
        let changed = self.changes.apply(item);
        self.send(&changed, speech);
    }

    /// Says this, protected by the keys that the peer has now.
    pub(super) fn say(&mut self, item: Item, speech: &Speech) {
        self.send(&[item], speech);
    }

    /// Protects what is to be, as records.
    fn send(&mut self, items: &[Item], speech: &Speech) {
        let mut items = items.iter().peekable();
        while let Some(item) = items.next() {
            let mut content = item.content.clone();
            if self.coalesces && item.typ == HANDSHAKE {
                while let Some(next) =
                    items.next_if(|next| (next.typ, next.keys) == (item.typ, item.keys))
                {
                    content.extend_from_slice(&next.content);
                }
            }
            let has_told_all =
                self.is_meant && self.told.len() >= self.meant.len() && !concert::is_on();
            if item.typ == HANDSHAKE && !has_told_all {
                self.told
                    .extend(content.iter().map(|byte| (item.keys, *byte)));
            }
            if content.is_empty() {
                self.record(item, &[], speech);
            }
            // One byte more than there may be is to be seen too.
            for piece in content.chunks(item.piece.min(MOST + 1)) {
                self.record(item, piece, speech);
            }
        }
    }

    fn record(&mut self, item: &Item, content: &[u8], speech: &Speech) {
        let Some(keys) = item.keys else {
            let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
            self.records.extend([item.typ, 3, 3]);
            self.records.extend(length.to_be_bytes());
            self.records.extend(content);
            return;
        };
        if self.numbers.len() <= keys {
            self.numbers.resize(keys + 1, 0);
        }
        let mut padded = Vec::new();
        let (typ, payload) = match item.padding {
            0 => (item.typ, content),
            // The last byte of the padding takes the place of the type (RFC 8446, 5.2).
            padding => {
                padded.extend_from_slice(content);
                padded.push(item.typ);
                padded.resize(padded.len() + padding - 1, 0);
                (0, &*padded)
            }
        };
        let message = OutboundPlainMessage {
            typ: ContentType::from(typ),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        let Some(number) = self.numbers.get_mut(keys) else {
            return;
        };
        let Some(record) = seal(keys, message, *number) else {
            return;
        };
        *number += 1;
        self.last.clone_from(&record);
        self.records.extend(record);
        match (item.typ, content) {
            (APPLICATION_DATA, data) => speech.say(data),
            (ALERT, [_, CLOSE_NOTIFY]) => speech.end(),
            _ => {}
        }
    }

    /// The last record once more.
    pub(super) fn replay(&mut self) {
        self.records.extend(&self.last);
    }

    /// The next record under the keys that the peer has now is lost.
    pub(super) fn lose(&mut self) {
        if let Some(number) = self.keys.and_then(|keys| self.numbers.get_mut(keys)) {
            *number += 1;
        }
    }

    /// What the peer has said of the handshake, and what the stream was told.
    pub(super) fn meant_and_told(&self) -> (&[Said], &[Said]) {
        (&self.meant, &self.told)
    }

    /// Whether the stream was told what the peer has said, to the end of its part of the handshake.
    pub(super) fn has_told_the_truth(&self) -> bool {
        self.is_meant && self.told.starts_with(&self.meant)
    }
}

/// Messages of the handshake come one by one.
pub(super) fn split(keys: Option<usize>, typ: u8, mut content: &[u8], items: &mut Vec<Item>) {
    if typ == HANDSHAKE {
        while let Some((message, rest)) =
            first_message(content).and_then(|length| content.split_at_checked(length))
        {
            items.push(Item::new(keys, typ, message.to_vec()));
            content = rest;
        }
        if content.is_empty() {
            return;
        }
    }
    items.push(Item::new(keys, typ, content.to_vec()));
}
