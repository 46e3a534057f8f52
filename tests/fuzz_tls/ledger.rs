//! What was sent, and so what may arrive.

use core::cell::Cell;

use tacket::testing::Pattern;

/// One direction's account.
#[derive(Debug)]
pub(super) struct Ledger {
    /// How many bytes the sending end has taken.
    taken: Cell<usize>,
    /// How many bytes have arrived.
    arrived: Cell<usize>,
    /// The sending end may have sent its end.
    has_ended: Cell<bool>,
    /// The sending end was closed or dropped.
    pub(super) is_gone: Cell<bool>,
    seed: u64,
}

impl Ledger {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            taken: Cell::new(0),
            arrived: Cell::new(0),
            has_ended: Cell::new(false),
            is_gone: Cell::new(false),
            seed,
        }
    }

    /// The next `count` bytes to be sent.
    pub(super) fn next(&self, count: usize) -> Vec<u8> {
        let mut pattern = Pattern::new(self.seed);
        pattern.skip(self.taken.get());
        let mut data = vec![0; count];
        pattern.fill(&mut data);
        data
    }

    /// The sending end may take so many, or has.
    pub(super) fn offer(&self, count: usize) {
        self.taken.set(self.taken.get() + count);
    }

    /// Of what was offered, so many were not taken.
    pub(super) fn withdraw(&self, count: usize) {
        self.taken.set(self.taken.get() - count);
        assert!(
            self.arrived.get() <= self.taken.get(),
            "more has arrived than was sent"
        );
    }

    pub(super) fn end(&self) {
        self.has_ended.set(true);
    }

    /// Checks what has arrived.
    pub(super) fn arrive(&self, data: &[u8]) {
        let arrived = self.arrived.get() + data.len();
        assert!(arrived <= self.taken.get(), "more arrives than was sent");
        let mut sent = Pattern::new(self.seed);
        sent.skip(self.arrived.get());
        let verified = sent.verify(data);
        assert!(verified.is_ok(), "what arrives is not what was sent");
        self.arrived.set(arrived);
    }

    /// Checks an end that only the peer can have sent.
    pub(super) fn arrive_at_end(&self) {
        assert!(self.has_ended.get(), "an end that nobody sent");
        self.assert_complete();
    }

    pub(super) fn assert_complete(&self) {
        assert_eq!(self.arrived.get(), self.taken.get(), "data is missing");
    }
}
