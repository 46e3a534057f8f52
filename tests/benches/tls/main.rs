//! How fast records are sealed and opened in one thread, without any network: by a `TlsStream`, by rustls' unbuffered interface
//! used directly, and by the cipher alone. The same provider and cipher suite, interleaved in one run; the medians count. A
//! ratio is the median of those within a round, so that what slows the machine for a while slows both.
//!
//! `tls_throughput [MIB [ROUNDS]]`

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::expect_used,
    reason = "a measurement that goes wrong may as well stop"
)]

mod alone;
mod cipher;
mod pump;

use std::time::{Duration, Instant};

use tacket_tests::{Authority, NAME, median};
use tacket_tls::rustls::crypto::ring::cipher_suite::{
    TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256,
};
use tacket_tls::rustls::{self, SupportedCipherSuite};

/// What is sent or received at once.
const PIECE: usize = 64 * 1024;

/// How much is opened before the clock stops for more to be sealed.
const BATCH: usize = 512 * 1024;

/// The configurations of both ends, with one cipher suite.
struct Ends {
    client: rustls::ClientConfig,
    server: rustls::ServerConfig,
}

impl Ends {
    fn new(suite: SupportedCipherSuite) -> Self {
        let provider = || {
            let mut provider = rustls::crypto::ring::default_provider();
            provider.cipher_suites = vec![suite];
            provider.into()
        };
        let authority = Authority::new();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.root()).unwrap();
        let (certificate, key) = authority.certify(&[NAME], |_| {});
        Self {
            client: rustls::ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth(),
            server: rustls::ServerConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
                .unwrap(),
        }
    }
}

/// One way of doing it.
trait Contender {
    /// Seals `pieces` pieces, and returns how long that took.
    fn seal(&mut self, pieces: usize) -> Duration;

    /// Opens `pieces` pieces that were sealed before, and returns how long that took.
    fn open(&mut self, pieces: usize) -> Duration;
}

/// Times `work`.
fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| {
        number
            .parse()
            .expect("usage: tls_throughput [MIB [ROUNDS]]")
    });
    let (mib, rounds) = (numbers.next().unwrap_or(256), numbers.next().unwrap_or(9));
    let pieces = mib * 1024 * 1024 / PIECE;
    println!("{mib} MiB in pieces of {PIECE} bytes, medians of {rounds} rounds, MB/s");
    println!(
        "{:24} {:>9} {:>9} {:>9} {:>12} {:>12}",
        "", "cipher", "rustls", "pump", "pump/rustls", "pump/cipher"
    );
    for (name, suite, algorithm) in [
        (
            "AES-128-GCM",
            TLS13_AES_128_GCM_SHA256,
            &ring::aead::AES_128_GCM,
        ),
        (
            "ChaCha20-Poly1305",
            TLS13_CHACHA20_POLY1305_SHA256,
            &ring::aead::CHACHA20_POLY1305,
        ),
    ] {
        let ends = Ends::new(suite);
        let mut contenders: [Box<dyn Contender>; 3] = [
            Box::new(cipher::Cipher::new(algorithm)),
            Box::new(alone::Alone::new(&ends)),
            Box::new(pump::Pump::new(&ends)),
        ];
        let mut times = [const { [Vec::new(), Vec::new(), Vec::new()] }; 2];
        for round in 0..=rounds {
            for (index, contender) in contenders.iter_mut().enumerate() {
                let taken = [contender.seal(pieces), contender.open(pieces)];
                // The first round warms up.
                if round > 0 {
                    times[0][index].push(taken[0]);
                    times[1][index].push(taken[1]);
                }
            }
        }
        for (what, times) in ["seal", "open"].into_iter().zip(times) {
            let [cipher, rustls, pump] =
                times.map(|times: Vec<Duration>| times.iter().map(Duration::as_secs_f64).collect());
            let rate =
                |times: &Vec<f64>| (pieces * PIECE) as f64 / median(times.iter().copied()) / 1e6;
            let ratio = |other: &Vec<f64>| {
                let pairs = other.iter().zip(&pump);
                median(pairs.map(|(other, pump)| other / pump))
            };
            println!(
                "{:24} {:9.0} {:9.0} {:9.0} {:12.3} {:12.3}",
                format!("{name}, {what}"),
                rate(&cipher),
                rate(&rustls),
                rate(&pump),
                ratio(&rustls),
                ratio(&cipher),
            );
        }
    }
}
