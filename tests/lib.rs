//! What the tests share: an examination of a stream, recorded clause by clause, certificates,
//! a ping-pong to count the costs of, a fuzzer's programs, and firmware.

extern crate alloc;

#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test whose peer says something else cannot go on, and runs on a desktop"
)]
mod attacks;
mod authority;
mod figures;
#[expect(clippy::large_futures, reason = "programs run on a desktop")]
mod fuzz_pool;
#[expect(clippy::large_futures, reason = "programs run on a desktop")]
mod fuzz_tls;
#[expect(clippy::expect_used, reason = "what measures says that it may panic")]
#[expect(clippy::large_futures, reason = "servers run on a desktop")]
mod heap_guests;
mod images;
mod median;
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot make its certificates cannot go on"
)]
mod owner;
mod parts;
mod pingpong;
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test whose client says something else cannot go on"
)]
mod scripted;
mod sizes;
#[expect(clippy::large_futures, reason = "servers run on a desktop")]
mod tls_guests;

use alloc::collections::BTreeSet;
use core::fmt::Write as _;
use core::time::Duration;

use tacket::Clock;
use tacket::testing::{Clause, Examiner, Outcome, Report};
use tacket_std::MonotonicClock;

pub use attacks::{
    ATTACKS_ON_CLIENTS, ATTACKS_ON_SERVERS, AttackOnClient, AttackOnServer, AttackOutcome,
    HostileClients, HostileServers,
};
pub use authority::{Authority, NAME};
pub use figures::{read_figures, write_figures};
pub use fuzz_pool::Program;
pub use fuzz_tls::{
    DtlsProgram, Gauge, TlsConfigProgram, TlsGuardProgram, TlsPeerProgram, TlsProgram,
    TlsProviderProgram, TlsVerifierProgram, Used,
};
pub use heap_guests::{Clients, HeapGuest, Role, Suite, crowded_hello, telemetry_tls_server};
pub use images::{
    direct_image, example, heap_image, names_image, part_image, test_image, tls_contract_image,
    tls_heap_image, tls_image,
};
pub use median::median;
pub use owner::{Owner, authority_params, sec1, server_params};
pub use parts::{PARTS, flash_of_part, instructions_of_a_wake, sizes_of_parts};
pub use pingpong::pingpong;
pub use scripted::{
    ALERT, CHANGE, DATA, HANDSHAKE, Opening, Scripted, Sealing, answers, certificate, certificates,
    extensions, message, record,
};
pub use sizes::Sizes;
pub use tls_guests::{
    TlsBudget, TlsCosts, certified, provision, tls_budget, tls_costs, to_hex, trusting,
};

/// Keeps the outcome of every clause.
#[derive(Debug, Default)]
pub struct Recorder {
    clauses: Vec<(Clause, Outcome)>,
}

impl Report for &mut Recorder {
    fn clause(&mut self, clause: &Clause, outcome: &Outcome) {
        self.clauses.push((*clause, *outcome));
    }
}

impl Recorder {
    /// All clauses with their outcomes, in the order in which they ran.
    #[must_use]
    pub fn clauses(&self) -> &[(Clause, Outcome)] {
        &self.clauses
    }

    /// All clauses with their outcomes, one a line.
    #[must_use]
    pub fn text(&self) -> String {
        self.clauses
            .iter()
            .fold(String::new(), |mut text, (clause, outcome)| {
                let _ = writeln!(text, "{clause}: {outcome}");
                text
            })
    }

    /// The ids of the clauses that came out as `wanted` says.
    pub fn ids(&self, wanted: impl Fn(&Outcome) -> bool) -> BTreeSet<&'static str> {
        self.clauses
            .iter()
            .filter(|(_, outcome)| wanted(outcome))
            .map(|(clause, _)| clause.id)
            .collect()
    }

    /// The ids of the broken clauses.
    #[must_use]
    pub fn failed(&self) -> BTreeSet<&'static str> {
        self.ids(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The ids of the clauses that could not be tried.
    #[must_use]
    pub fn skipped(&self) -> BTreeSet<&'static str> {
        self.ids(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    /// The ids of the clauses that are kept.
    #[must_use]
    pub fn passed(&self) -> BTreeSet<&'static str> {
        self.ids(|outcome| matches!(outcome, Outcome::Passed))
    }

    /// Demands that every clause is kept, and that none was skipped but those named.
    ///
    /// # Panics
    ///
    /// With the whole report, if a clause is broken or an unexpected one was skipped.
    pub fn assert_clean(&self, may_skip: &[&'static str]) {
        let may_skip = may_skip.iter().copied().collect();
        assert!(
            self.failed().is_empty() && self.skipped() == may_skip,
            "\n{}",
            self.text()
        );
        assert!(!self.clauses.is_empty(), "nothing was checked");
    }
}

/// How patient an examination is.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests fill it in")]
pub struct Patience {
    /// For one clause.
    pub limit: Duration,
    /// For a stream to settle before it counts as clogged.
    pub settle: Duration,
    /// How many bytes go each way in full duplex.
    pub duplex_bytes: u64,
}

impl Patience {
    /// For streams in memory, where nothing takes time.
    #[must_use]
    pub const fn memory() -> Self {
        Self {
            limit: Duration::from_secs(10),
            settle: Duration::from_millis(1),
            duplex_bytes: 1 << 20,
        }
    }

    /// For streams of the operating system.
    #[must_use]
    pub const fn system() -> Self {
        Self {
            limit: Duration::from_secs(60),
            settle: Duration::from_millis(10),
            duplex_bytes: 1 << 20,
        }
    }

    /// For streams that will hang: short.
    #[must_use]
    pub const fn short() -> Self {
        Self {
            limit: Duration::from_millis(600),
            settle: Duration::from_millis(1),
            duplex_bytes: 1 << 12,
        }
    }
}

/// Runs `check` on the desktop's executor, in 64 KiB of scratch memory, and returns what it reported.
///
/// # Panics
///
/// If the system gives no event loop.
#[expect(
    clippy::expect_used,
    reason = "the length is the one that was asked for"
)]
pub fn examine(
    patience: Patience,
    check: impl AsyncFnOnce(&mut Examiner<'_, MonotonicClock, &mut Recorder>),
) -> Recorder {
    let mut scratch = vec![0; 1 << 16].into_boxed_slice();
    let scratch: &mut [u8; 1 << 16] = (&mut *scratch).try_into().expect("as long as made");
    examine_in(scratch, patience, check)
}

/// Runs `check` on the desktop's executor, in this scratch memory, and returns what it reported.
///
/// # Panics
///
/// If the system gives no event loop.
#[expect(
    clippy::expect_used,
    reason = "a test without an event loop cannot go on"
)]
pub fn examine_in<const N: usize>(
    scratch: &mut [u8; N],
    patience: Patience,
    check: impl AsyncFnOnce(&mut Examiner<'_, MonotonicClock, &mut Recorder>),
) -> Recorder {
    let clock = MonotonicClock::new();
    tacket_std::run(examine_by(&clock, scratch, patience, check)).expect("an event loop")
}

/// Runs `check` by this clock, in this scratch memory, and returns what it reported.
pub async fn examine_by<C: Clock, const N: usize>(
    clock: &C,
    scratch: &mut [u8; N],
    patience: Patience,
    check: impl AsyncFnOnce(&mut Examiner<'_, C, &mut Recorder>),
) -> Recorder {
    let mut recorder = Recorder::default();
    let mut examiner = Examiner::new(clock, scratch, &mut recorder)
        .limit(patience.limit)
        .settle(patience.settle)
        .duplex_bytes(patience.duplex_bytes);
    check(&mut examiner).await;
    recorder
}

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
