//! What is between the ends, and what it does to what they say.

use alloc::collections::VecDeque;

use futures_util::FutureExt as _;
use tacket::HalfCloseable as _;
use tacket::Split as _;
use tacket::testing::{MemoryError, MemoryStream};

type Memory<'p> = MemoryStream<'p, Vec<u8>>;

/// How much is held back at most.
const MOST_HELD: usize = 1 << 16;

const HEADER: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToServer,
    ToClient,
}

/// What the wire does, from now on or to what it holds at the moment.
#[derive(Clone, Debug)]
pub(super) enum Trick {
    /// Passes on at most so many bytes at a time.
    Pieces(usize),
    Hold(Direction),
    Release(Direction),
    Flip {
        direction: Direction,
        at: u8,
        bits: u8,
    },
    /// Adds bytes, which may become a record by their first three and a length.
    Inject {
        direction: Direction,
        is_record: bool,
        bytes: Vec<u8>,
    },
    /// Changes the order of the first two records.
    Swap(Direction),
    /// Passes the first record on twice.
    Repeat(Direction),
    /// Loses the first record.
    Lose(Direction),
    Cut {
        is_in_order: bool,
    },
}

/// Between a client and a server.
#[derive(Debug)]
pub(super) struct Wire<'p> {
    /// Towards the client, and towards the server. None once it is cut.
    ends: Option<(Memory<'p>, Memory<'p>)>,
    piece: usize,
    ways: [Way; 2],
}

#[derive(Debug, Default)]
struct Way {
    held: VecDeque<u8>,
    is_held: bool,
    has_ended: bool,
    /// The other end was told so.
    has_told: bool,
}

impl<'p> Wire<'p> {
    pub(super) fn new(ends: (Memory<'p>, Memory<'p>)) -> Self {
        Self {
            ends: Some(ends),
            piece: MOST_HELD,
            ways: Default::default(),
        }
    }

    fn way(&mut self, direction: Direction) -> &mut Way {
        let [there, back] = &mut self.ways;
        match direction {
            Direction::ToServer => there,
            Direction::ToClient => back,
        }
    }

    pub(super) fn play(&mut self, trick: &Trick) {
        match trick {
            Trick::Pieces(piece) => self.piece = *piece,
            Trick::Hold(direction) => self.way(*direction).is_held = true,
            Trick::Release(direction) => self.way(*direction).is_held = false,
            Trick::Flip {
                direction,
                at,
                bits,
            } => {
                let held = &mut self.way(*direction).held;
                let at = usize::from(*at) % held.len().max(1);
                if let Some(byte) = held.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Trick::Inject {
                direction,
                is_record,
                bytes,
            } => {
                let held = &mut self.way(*direction).held;
                match bytes.split_first() {
                    Some((typ, content)) if *is_record => {
                        held.extend([20 + typ % 8, 3, 3, 0]);
                        held.extend(u8::try_from(content.len()));
                        held.extend(content);
                    }
                    _ => held.extend(bytes),
                }
            }
            Trick::Swap(direction) => {
                let way = self.way(*direction);
                let (first, second) = (way.take_record(), way.take_record());
                for byte in second.into_iter().chain(first).rev() {
                    way.held.push_front(byte);
                }
            }
            Trick::Repeat(direction) => {
                let way = self.way(*direction);
                let record = way.take_record();
                for byte in [&*record, &record].concat().into_iter().rev() {
                    way.held.push_front(byte);
                }
            }
            Trick::Lose(direction) => drop(self.way(*direction).take_record()),
            Trick::Cut { is_in_order } => self.cut(*is_in_order),
        }
    }

    /// Passes everything on again.
    pub(super) fn release(&mut self) {
        for way in &mut self.ways {
            way.is_held = false;
        }
    }

    pub(super) fn cut(&mut self, is_in_order: bool) {
        if !is_in_order {
            self.ends = None;
        }
        if let Some((near, far)) = &mut self.ends {
            for end in [near, far] {
                let _ = end.send_eof().now_or_never();
            }
        }
    }

    /// Moves what it can. Returns whether it did anything.
    pub(super) fn step(&mut self) -> bool {
        let mut moved = false;
        let mut is_lost = false;
        if let Some((near, far)) = &mut self.ends {
            let ((near_tx, near_rx), (far_tx, far_rx)) = (near.split(), far.split());
            let [there, back] = &mut self.ways;
            for (way, rx, tx) in [(there, near_rx, far_tx), (back, far_rx, near_tx)] {
                let mut piece = [0; 4096];
                if way.held.len() < MOST_HELD && !way.has_ended {
                    match rx.try_receive(&mut piece) {
                        Ok(0) => way.has_ended = true,
                        Ok(count) => {
                            way.held.extend(piece.iter().take(count));
                            moved = true;
                        }
                        Err(MemoryError::WouldBlock) => {}
                        Err(_) => is_lost |= way.held.is_empty(),
                    }
                }
                let (front, _) = way.held.as_slices();
                let front = front.get(..self.piece.min(front.len())).unwrap_or_default();
                if !way.is_held && !front.is_empty() {
                    match tx.try_write(front) {
                        Ok(count) => {
                            way.held.drain(..count);
                            moved = true;
                        }
                        Err(MemoryError::WouldBlock) => {}
                        // Nobody is there to take it.
                        Err(_) => way.held.clear(),
                    }
                }
                if way.has_ended && !way.has_told && !way.is_held && way.held.is_empty() {
                    let _ = tx.send_eof().now_or_never();
                    way.has_told = true;
                    moved = true;
                }
            }
        }
        if is_lost {
            self.ends = None;
        }
        moved | is_lost
    }
}

impl Way {
    /// The first record that it holds; if that is not whole, nothing.
    fn take_record(&mut self) -> Vec<u8> {
        let length = match (self.held.get(3), self.held.get(4)) {
            (Some(&high), Some(&low)) => HEADER + usize::from(u16::from_be_bytes([high, low])),
            _ => return Vec::new(),
        };
        match length <= self.held.len() {
            true => self.held.drain(..length).collect(),
            false => Vec::new(),
        }
    }
}
