//! A peer in concert with the middle: what it proves and protects is what the stream is told, not what it said itself.
//!
//! The middle's changes are made where the peer takes the hash of its own messages. So its signature, the end of its part and its keys
//! fit what was changed, as those of a server that means no good would. It may also know a key that rustls cannot be told of, and then
//! keeps its certificate to itself.

use alloc::collections::VecDeque;
use core::cell::RefCell;

use tacket_tls::rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use tacket_tls::rustls::crypto::hmac::Tag;
use tacket_tls::rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};

use super::changes::Changes;
use super::edit::{Edit, HANDSHAKE, Item};
use super::message::{CERTIFICATE, CERTIFICATE_VERIFY, CLIENT_HELLO, FINISHED, SERVER_HELLO};
use super::middle::split;

/// A key that client and server know, and their name for it.
pub(super) const KNOWN_KEY: [u8; 32] = [0x5a; 32];
pub(super) const KNOWN_AS: &[u8] = b"sensor 17";

const PRE_SHARED_KEY: u16 = 41;

thread_local! {
    static CONCERT: RefCell<Option<Concert>> = const { RefCell::new(None) };
}

struct Concert {
    changes: Changes,
    has_psk: bool,
    /// What has become of each message, until it is said.
    told: VecDeque<Vec<Item>>,
    is_over: bool,
}

/// From now on, the peer makes these changes itself. With a pre-shared key, it sends no certificate.
pub(super) fn begin(edits: &[(u8, Edit)], has_psk: bool) {
    CONCERT.set(Some(Concert {
        changes: Changes::new(edits),
        has_psk,
        told: VecDeque::new(),
        is_over: false,
    }));
}

pub(super) fn end() {
    CONCERT.set(None);
}

pub(super) fn is_on() -> bool {
    CONCERT.with_borrow(Option::is_some)
}

/// What has become of the next message that the peer says. `None`: it is not in concert, or its part is over.
pub(super) fn next() -> Option<Vec<Item>> {
    CONCERT.with_borrow_mut(|concert| concert.as_mut()?.told.pop_front())
}

impl Concert {
    fn change(&mut self, item: Item) -> Vec<Item> {
        let typ = item.content.first().copied();
        let is_hidden = matches!(typ, Some(CERTIFICATE | CERTIFICATE_VERIFY));
        let mut items = match self.has_psk {
            true if is_hidden => {
                self.changes.skip();
                return Vec::new();
            }
            _ => self.changes.apply(item),
        };
        if typ == Some(SERVER_HELLO) {
            if self.has_psk {
                let body = vec![0, 0];
                Edit::AddExtension {
                    typ: PRE_SHARED_KEY,
                    body,
                }
                .apply(&mut items);
            }
            // What comes next is a change of ciphers, which is in no hash.
            self.changes.skip();
        }
        self.is_over |= typ == Some(FINISHED);
        items
    }
}

/// What the stream has in the place of these messages.
fn in_place_of(data: &[u8]) -> Option<Vec<u8>> {
    CONCERT.with_borrow_mut(|concert| {
        let concert = concert.as_mut().filter(|concert| !concert.is_over)?;
        let first = data.first().copied();
        if first == Some(CLIENT_HELLO) {
            return None;
        }
        let keys = (first != Some(SERVER_HELLO)).then_some(0);
        let (mut items, mut heard) = (Vec::new(), Vec::new());
        split(keys, HANDSHAKE, data, &mut items);
        for item in items {
            let told = concert.change(item);
            for item in told.iter().filter(|item| item.typ == HANDSHAKE) {
                heard.extend_from_slice(&item.content);
            }
            concert.told.push_back(told);
        }
        Some(heard)
    })
}

/// A hash of what the stream is told.
pub(super) struct Heard(pub(super) &'static dyn Hash);

struct Hearing(Box<dyn Context>);

impl Hash for Heard {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Hearing(self.0.start()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.0.hash(data)
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }
}

impl Context for Hearing {
    fn fork_finish(&self) -> Output {
        self.0.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.fork()))
    }

    fn finish(self: Box<Self>) -> Output {
        self.0.finish()
    }

    fn update(&mut self, data: &[u8]) {
        match in_place_of(data) {
            Some(heard) => self.0.update(&heard),
            None => self.0.update(data),
        }
    }
}

/// A derivation of keys that begins with the one that both know (RFC 8446, 7.1), if they know one.
pub(super) struct Knowing(pub(super) &'static dyn Hkdf);

impl Hkdf for Knowing {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        let has_psk =
            CONCERT.with_borrow(|concert| concert.as_ref().is_some_and(|concert| concert.has_psk));
        match salt {
            None if has_psk => self.0.extract_from_secret(None, &KNOWN_KEY),
            _ => self.0.extract_from_zero_ikm(salt),
        }
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.0.extract_from_secret(salt, secret)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        self.0.expander_for_okm(okm)
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        self.0.hmac_sign(key, message)
    }
}
