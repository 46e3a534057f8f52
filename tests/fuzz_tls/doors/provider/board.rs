//! A board whose random bytes are known, and end when a program says so.

use alloc::collections::VecDeque;
use core::cell::RefCell;

use tacket::testing::Pattern;
use tacket_tls::RustCrypto;
use tacket_tls::rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom};

/// When the random bytes are missing, by the number of the draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drought {
    Never,
    Once(u8),
    From(u8),
}

struct State {
    given: VecDeque<[u8; 32]>,
    count: u8,
    drought: Drought,
    was_dry: bool,
}

impl State {
    const fn new() -> Self {
        Self {
            given: VecDeque::new(),
            count: 0,
            drought: Drought::Never,
            was_dry: false,
        }
    }
}

thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State::new()) };
}

#[derive(Debug)]
struct Board;

impl SecureRandom for Board {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        STATE.with_borrow_mut(|state| {
            let number = state.count;
            state.count = number.saturating_add(1);
            let is_dry = match state.drought {
                Drought::Never => false,
                Drought::Once(dry) => number == dry,
                Drought::From(dry) => number >= dry,
            };
            if is_dry {
                state.was_dry = true;
                return Err(GetRandomFailed);
            }
            match state.given.pop_front() {
                Some(given) if given.len() == buf.len() => buf.copy_from_slice(&given),
                _ => Pattern::new(number.into()).fill(buf),
            }
            Ok(())
        })
    }
}

static ALGORITHMS: RustCrypto = RustCrypto::new(&Board);

/// The algorithms for boards, with this board.
pub(super) fn provider() -> CryptoProvider {
    ALGORITHMS.provider()
}

/// From here on the random bytes are known, and missing as `drought` has it.
pub(super) fn start(drought: Drought) {
    STATE.replace(State {
        drought,
        ..State::new()
    });
}

/// The next secret that is drawn becomes this one.
pub(super) fn give_secret(secret: [u8; 32]) {
    let pad = core::array::from_fn(|index| secret.len().wrapping_add(index).to_le_bytes()[0]);
    let mut other = secret;
    for (byte, pad) in other.iter_mut().zip(&pad) {
        *byte ^= pad;
    }
    STATE.with_borrow_mut(|state| state.given.extend([other, pad]));
}

/// Whether random bytes were asked for that were missing.
pub(super) fn was_dry() -> bool {
    STATE.with_borrow(|state| state.was_dry)
}
