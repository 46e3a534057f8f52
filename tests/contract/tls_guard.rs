//! TLS without a heap: what stands between a peer and `embedded-tls`.

mod answers;
mod attacks;
mod attacks_aes256;
mod certificates;
mod clients;
mod cuts;
mod drops;
mod guarded;
mod numbers;
mod recording;
mod session;
mod storage;
mod transports;
mod verifier;
mod verifier_damage;
mod verifier_handshake;
mod verifier_names;
mod verifier_paths;
mod verifier_trust;
mod world;

use std::time::Duration;

use tacket::timeout;
use tacket_std::MonotonicClock;

/// Runs `test`, which must not hang.
fn run<T>(test: impl Future<Output = T>) -> T {
    let clock = MonotonicClock::new();
    let limit = Duration::from_secs(60);
    let bounded = async { timeout(&clock, limit, test).await.expect("it hangs") };
    tacket_std::run(bounded).expect("an event loop")
}
