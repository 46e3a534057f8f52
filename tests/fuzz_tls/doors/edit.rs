//! What is done to something that the peer says.

use super::message::{change_extensions, mend_length, message, replace_list};
use crate::fuzz_tls::input::Input;

pub(super) const HANDSHAKE: u8 = 22;

/// A message of the handshake, or what another record has in it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The number of the keys that protect it.
    pub(super) keys: Option<usize>,
    pub(super) typ: u8,
    pub(super) content: Vec<u8>,
    /// So many zeros are added inside of the protection.
    pub(super) padding: usize,
    /// It goes in records with so much of it at most.
    pub(super) piece: usize,
}

impl Item {
    pub(super) const fn new(keys: Option<usize>, typ: u8, content: Vec<u8>) -> Self {
        Self {
            keys,
            typ,
            content,
            padding: 0,
            piece: usize::MAX,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Edit {
    Flip {
        at: u16,
        bits: u8,
    },
    Splice {
        at: u16,
        removed: u8,
        bytes: Vec<u8>,
        mends: bool,
    },
    Drop,
    Repeat(u8),
    /// The next one goes before it.
    Delay,
    /// Something else goes before it, protected as it is.
    Precede {
        typ: u8,
        content: Vec<u8>,
    },
    /// It gets another type, of message or of record.
    Retype {
        typ: u8,
        is_of_record: bool,
    },
    Lengthen {
        pages: u8,
    },
    Expose,
    Pad(u16),
    Part(u8),
    RemoveExtension(u8),
    RepeatExtension(u8),
    SwapExtensions(u8, u8),
    FillExtension(u8, Vec<u8>),
    AddExtension {
        typ: u16,
        body: Vec<u8>,
    },
    FillList(u8, Vec<u8>),
}

impl Edit {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        let kind = input.byte();
        match kind % 18 {
            0 => Self::Flip {
                at: input.wide(),
                bits: input.byte(),
            },
            kind @ 1..=2 => Self::Splice {
                at: input.wide(),
                removed: input.byte(),
                bytes: input.counted_bytes(),
                mends: kind == 1,
            },
            3 => Self::Drop,
            4 => Self::Repeat(input.byte()),
            5 => Self::Delay,
            6 => Self::Precede {
                typ: input.byte(),
                content: input.counted_bytes(),
            },
            7 => Self::Precede {
                typ: HANDSHAKE,
                content: message(input.byte(), &input.counted_bytes()),
            },
            8 => Self::Retype {
                typ: input.byte(),
                is_of_record: kind & 0x80 != 0,
            },
            9 => Self::Lengthen {
                pages: input.byte(),
            },
            10 => match kind & 0x80 {
                0 => Self::Pad(input.wide()),
                _ => Self::Expose,
            },
            11 => Self::Part(input.byte()),
            12 => Self::RemoveExtension(input.byte()),
            13 => Self::RepeatExtension(input.byte()),
            14 => Self::SwapExtensions(input.byte(), input.byte()),
            15 => Self::FillExtension(input.byte(), input.counted_bytes()),
            16 => Self::AddExtension {
                typ: input.wide(),
                body: input.counted_bytes(),
            },
            _ => Self::FillList(input.byte(), input.counted_bytes()),
        }
    }

    /// What becomes of `item`, and whether the next goes before it.
    pub(super) fn apply(&self, items: &mut Vec<Item>) -> bool {
        let Some(item) = items.last_mut() else {
            return false;
        };
        let content = &mut item.content;
        match self {
            Self::Flip { at, bits } => {
                let at = usize::from(*at) % content.len().max(1);
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Self::Splice {
                at,
                removed,
                bytes,
                mends,
            } => {
                let at = usize::from(*at) % (content.len() + 1);
                let end = content.len().min(at + usize::from(*removed));
                content.splice(at..end, bytes.iter().copied());
                if *mends && item.typ == HANDSHAKE {
                    mend_length(content);
                }
            }
            Self::Drop => {
                items.pop();
            }
            Self::Repeat(count) => {
                let item = item.clone();
                for _ in 0..1 + count % 64 {
                    items.push(item.clone());
                }
            }
            Self::Delay => return true,
            Self::Precede { typ, content } => {
                let before = Item::new(item.keys, *typ, content.clone());
                items.insert(items.len() - 1, before);
            }
            Self::Retype { typ, is_of_record } => match content.first_mut() {
                Some(first) if !is_of_record => *first = *typ,
                _ => item.typ = *typ,
            },
            Self::Lengthen { pages } => {
                content.resize(content.len() + usize::from(*pages) * 256, 0);
                if item.typ == HANDSHAKE {
                    mend_length(content);
                }
            }
            Self::Expose => item.keys = None,
            Self::Pad(count) => item.padding = usize::from(*count) % (1 << 14),
            Self::Part(piece) => item.piece = usize::from(*piece).max(1),
            _ => self.apply_to_hello(content),
        }
        false
    }

    /// The changes of what is in lists.
    fn apply_to_hello(&self, message: &mut Vec<u8>) {
        if let Self::FillList(which, content) = self {
            return replace_list(message, usize::from(*which), content);
        }
        change_extensions(message, |extensions| {
            let count = extensions.len();
            let place = |at: u8| usize::from(at) % count.max(1);
            match self {
                Self::RemoveExtension(at) if count > 0 => {
                    extensions.remove(place(*at));
                }
                Self::RepeatExtension(at) => {
                    let repeated = extensions.get(place(*at)).cloned();
                    extensions.extend(repeated);
                }
                Self::SwapExtensions(one, other) if count > 0 => {
                    extensions.swap(place(*one), place(*other));
                }
                Self::FillExtension(at, body) => {
                    if let Some((_, old)) = extensions.get_mut(place(*at)) {
                        old.clone_from(body);
                    }
                }
                Self::AddExtension { typ, body } => {
                    extensions.insert(0, (*typ, body.clone()));
                }
                _ => {}
            }
        });
    }
}
