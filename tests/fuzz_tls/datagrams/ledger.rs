//! Which messages there are, and who has got them.

use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use std::collections::{HashMap, HashSet};

/// More messages than any program has.
const MOST: usize = 512;
/// The number, and what the server is to do.
const HEAD: usize = 5;

/// What the server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Echo,
    EchoAndClose,
    Drop,
}

/// Every message is made here, arrives at most once, and at the peer of who has sent it.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Where from, if that is somebody whom the server should believe.
    sent: RefCell<HashMap<u32, Option<SocketAddr>>>,
    served: RefCell<HashSet<u32>>,
    returned: RefCell<HashSet<u32>>,
    next: Cell<u32>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let numbers = || RefCell::new(HashSet::with_capacity(MOST));
        Self {
            sent: RefCell::default(),
            served: numbers(),
            returned: numbers(),
            next: Cell::new(1),
        }
    }

    /// A message of this length, or a little longer.
    pub(super) fn message(
        &self,
        from: SocketAddr,
        is_trusted: bool,
        wish: Wish,
        length: usize,
    ) -> Vec<u8> {
        let number = self.next.replace(self.next.get() + 1);
        let sender = is_trusted.then_some(from);
        self.sent.borrow_mut().insert(number, sender);
        let mut text = number.to_be_bytes().to_vec();
        text.push(match wish {
            Wish::Echo => 0,
            Wish::EchoAndClose => 1,
            Wish::Drop => 2,
        });
        text.extend((HEAD..length).map(|place| filler(number, place)));
        text
    }

    /// The server has this message of this peer.
    pub(super) fn served(&self, peer: SocketAddr, text: &[u8]) -> Wish {
        let (number, wish) = read(text);
        let sent = self.sent.borrow().get(&number).copied();
        assert_eq!(sent, Some(Some(peer)), "message {number} is not of {peer}");
        assert!(
            self.served.borrow_mut().insert(number),
            "{number} came twice"
        );
        wish
    }

    /// A client has its message back.
    pub(super) fn returned(&self, client: SocketAddr, text: &[u8]) {
        let (number, _) = read(text);
        let sent = self.sent.borrow().get(&number).copied();
        assert_eq!(sent, Some(Some(client)), "{number} is not of {client}");
        let is_served = self.served.borrow().contains(&number);
        assert!(is_served, "the server has never sent {number}");
        let is_first = self.returned.borrow_mut().insert(number);
        assert!(is_first, "{number} came back twice");
    }

    pub(super) fn returns(&self) -> usize {
        self.returned.borrow().len()
    }
}

fn read(text: &[u8]) -> (u32, Wish) {
    let head = text.first_chunk().expect("an authentic message");
    let [a, b, c, d, wish]: [u8; HEAD] = *head;
    let number = u32::from_be_bytes([a, b, c, d]);
    let is_authentic = |(place, byte): (usize, &u8)| *byte == filler(number, place);
    assert!(
        text.iter().enumerate().skip(HEAD).all(is_authentic),
        "{number} was changed"
    );
    let wish = match wish {
        0 => Wish::Echo,
        1 => Wish::EchoAndClose,
        _ => Wish::Drop,
    };
    (number, wish)
}

fn filler(number: u32, place: usize) -> u8 {
    let [.., low] = number.to_be_bytes();
    let [.., place] = place.to_be_bytes();
    low.wrapping_add(place.wrapping_mul(7))
}
