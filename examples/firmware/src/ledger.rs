//! What the static memory of a program is for, in bytes, as it tells at its start.

use core::fmt;

use embassy_executor::raw::TaskPool;
use tacket_board::{StackUsage, report, static_ram};
use tacket_tls::TlsStorage;

use crate::memory::Handlers;

/// Reports what the static memory of a program is for, a line for each part, then their sum and what is beside it.
///
/// Each line is `RAM`, a number of bytes, and what they are for.
pub struct Ledger {
    declared: usize,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self { declared: 0 }
    }

    pub(crate) fn add(&mut self, bytes: usize, what: fmt::Arguments<'_>) {
        self.declared += bytes;
        report!("RAM {bytes:>6} {what}");
    }

    /// Adds a task, which takes as much as [`task_bytes`] says.
    pub fn task(mut self, bytes: usize) -> Self {
        self.add(bytes, format_args!("the task"));
        self
    }

    /// Adds buffers of the protocol.
    pub fn buffers(mut self, bytes: usize) -> Self {
        self.add(bytes, format_args!("buffers of the protocol"));
        self
    }

    /// Adds the heap.
    pub fn heap(mut self, bytes: usize) -> Self {
        self.add(bytes, format_args!("the heap"));
        self
    }

    /// Says how much of the task is for so many handlers, of which each takes `bytes`.
    pub fn handlers(self, count: usize, bytes: usize) -> Self {
        let all = count * bytes;
        report!("RAM {all:>6} of that: {count} handlers of {bytes}");
        self
    }

    /// Reports the sum, and what the program has beside it: the driver's buffers, and tasks of the board.
    pub fn close(self) {
        let (declared, all) = (self.declared, static_ram());
        let rest = all.saturating_sub(declared);
        report!("RAM {declared:>6} declared, in all");
        report!("RAM {rest:>6} beside it: the board, and tasks of the network");
        report!("RAM {all:>6} static");
        report!("RAM {:>6} for the stack", StackUsage::region());
    }
}

/// Memory that a program has beside its network.
pub trait Part {
    /// It, unused: zeros, so that it takes no flash.
    const EMPTY: Self;

    /// Adds it to a ledger.
    fn list(ledger: &mut Ledger);
}

impl Part for () {
    const EMPTY: Self = ();

    fn list(_: &mut Ledger) {}
}

impl<const RX: usize, const TX: usize> Part for TlsStorage<RX, TX> {
    const EMPTY: Self = Self::new();

    fn list(ledger: &mut Ledger) {
        let bytes = size_of::<Self>();
        ledger.add(bytes, format_args!("a session of TLS, {RX} and {TX}"));
    }
}

impl<A: Part, B: Part> Part for (A, B) {
    const EMPTY: Self = (A::EMPTY, B::EMPTY);

    fn list(ledger: &mut Ledger) {
        A::list(ledger);
        B::list(ledger);
    }
}

impl<const N: usize> Part for Handlers<N> {
    const EMPTY: Self = Self;

    fn list(_: &mut Ledger) {}
}

/// How many bytes of static memory a task takes that runs what `body` returns.
pub const fn task_bytes<A, B, F: Future + 'static>(_body: &impl FnOnce(A, B) -> F) -> usize {
    size_of::<TaskPool<F, 1>>()
}

/// How many bytes what `function` returns takes: a future, where it is async.
pub const fn output_bytes<A, B, F>(_function: &impl FnOnce(A, B) -> F) -> usize {
    size_of::<F>()
}
