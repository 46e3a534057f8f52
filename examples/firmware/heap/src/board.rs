//! What rustls asks the board for: random bytes and the date. Here both come with the arguments of the boot.
//!
//! A product replaces this file: it has a generator and a clock of its own, and its key in a place that nobody reads.

use alloc::sync::Arc;
use alloc::vec;
use core::cell::RefCell;

use critical_section::Mutex;
use heapless::String;
use rand_chacha::ChaCha20Rng;
use rand_core_0_6::RngCore as _;
use tacket_board::argument;
use tacket_firmware::{Date, Hex, Provision, generator};
use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tacket_tls::rustls::RootCertStore;
use tacket_tls::rustls::crypto::{GetRandomFailed, SecureRandom};
use tacket_tls::rustls::time_provider::TimeProvider;
use tacket_tls::rustls::version::TLS13;
use tacket_tls::{CertificateClock as _, ClientConfig, RustCrypto, ServerConfig, rustls};

/// Room for a certificate, in DER.
const CERTIFICATE: usize = 768;

/// Room for a key, in DER.
const KEY: usize = 256;

/// The algorithms, over the generator.
static ALGORITHMS: RustCrypto = RustCrypto::new(&GENERATOR);

static GENERATOR: Generator = Generator(Mutex::new(RefCell::new(None)));

/// A generator for the whole program, once there is one. On one core, whoever masks interrupts has it for himself.
struct Generator(Mutex<RefCell<Option<ChaCha20Rng>>>);

impl core::fmt::Debug for Generator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Generator")
    }
}

impl SecureRandom for Generator {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        critical_section::with(|cs| match &mut *self.0.borrow_ref_mut(cs) {
            Some(generator) => {
                generator.fill_bytes(buf);
                Ok(())
            }
            None => Err(GetRandomFailed),
        })
    }
}

/// The date for rustls.
#[derive(Debug)]
struct Calendar(Date);

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.now()
    }
}

/// Makes the generator of random bytes, from those of the argument `entropy`. False, which is reported: there are none, and no handshake will
/// succeed.
#[must_use]
pub fn generate_from_arguments() -> bool {
    let generator = generator();
    let is_there = generator.is_some();
    critical_section::with(|cs| GENERATOR.0.replace(cs, generator));
    is_there
}

/// A client that trusts the authority of these arguments. With the argument `prefer=p256` it exchanges keys with P-256 where it can, and not with X25519.
///
/// # Panics
///
/// When its certificate is none.
#[must_use]
pub fn client_of(provision: &Provision) -> ClientConfig {
    rustls_client_of(provision).into()
}

/// The same, as rustls has it.
///
/// # Panics
///
/// As [`client_of`].
#[must_use]
pub fn rustls_client_of(provision: &Provision) -> rustls::ClientConfig {
    let mut roots = RootCertStore::empty();
    let taken = roots.add(provision.root().into_owned());
    taken.expect("root= is of an authority");
    let calendar = Arc::new(Calendar(Date::from_argument()));
    let mut provider = ALGORITHMS.provider();
    if argument("prefer").is_some_and(|what: String<8>| what == "p256") {
        provider.kx_groups.reverse();
    }
    let config = rustls::ClientConfig::builder_with_details(provider.into(), calendar);
    let config = config.with_protocol_versions(&[&TLS13]);
    config
        .expect("the provider has TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A server that proves who it is with the certificate of the argument `certificate` and its key of the argument `key`, both in hexadecimal.
///
/// # Panics
///
/// When an argument is missing or cannot be read, or the key is not that of the certificate.
#[must_use]
pub fn server_from_arguments() -> ServerConfig {
    rustls_server_from_arguments().into()
}

/// The same, as rustls has it.
///
/// # Panics
///
/// As [`server_from_arguments`].
#[must_use]
pub fn rustls_server_from_arguments() -> rustls::ServerConfig {
    let certificate: Hex<CERTIFICATE> = argument("certificate").expect("the argument certificate=");
    let key: Hex<KEY> = argument("key").expect("the argument key=");
    let certificate = CertificateDer::from(certificate.to_vec());
    let key = PrivateKeyDer::try_from(key.to_vec()).expect("key= is a key");
    let calendar = Arc::new(Calendar(Date::from_argument()));
    let config = rustls::ServerConfig::builder_with_details(ALGORITHMS.provider().into(), calendar);
    let config = config.with_protocol_versions(&[&TLS13]);
    let config = config
        .expect("the provider has TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    config.expect("key= belongs to certificate=")
}
