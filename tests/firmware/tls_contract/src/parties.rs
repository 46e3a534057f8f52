//! What both ends are told at the boot: who the server is, the date, and random bytes.

use alloc::sync::Arc;
use alloc::vec;
use core::cell::RefCell;
use core::fmt;

use critical_section::Mutex;
use rand_chacha::ChaCha20Rng;
use rand_core_0_6::RngCore as _;
use static_cell::StaticCell;
use tacket_board::argument;
use tacket_firmware::{Date, Hex, Provision, generator};
use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tacket_tls::rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom};
use tacket_tls::rustls::time_provider::TimeProvider;
use tacket_tls::rustls::version::TLS13;
use tacket_tls::rustls::{self, RootCertStore};
use tacket_tls::{
    CertificateClock as _, ClientConfig, Fingerprint, GuardTrust, GuardedClientConfig, RustCrypto,
    ServerConfig, Validity,
};

/// So that what the server says fits the storage of the guarded client: data of a record, and its header.
const LONGEST_RECORD: usize = 1024 + 5;

static RANDOM: Generator = Generator(Mutex::new(RefCell::new(None)));
static ALGORITHMS: RustCrypto = RustCrypto::new(&RANDOM);

/// What both ends of all pairs share.
pub(crate) struct Parties {
    pub(crate) name: &'static str,
    pub(crate) guarded: &'static GuardedClientConfig<'static>,
    pub(crate) client: ClientConfig,
    pub(crate) server: ServerConfig,
    pub(crate) random: RefCell<ChaCha20Rng>,
}

impl Parties {
    /// As the arguments have it. `None`: there are no random bytes, which has been said.
    pub(crate) fn from_arguments() -> Option<Self> {
        let random = generator()?;
        let mut others = random.clone();
        others.set_stream(1);
        critical_section::with(|section| RANDOM.0.replace(section, Some(others)));
        static PROVISION: StaticCell<Provision> = StaticCell::new();
        let provision = PROVISION.init(Provision::from_arguments());
        let certificate = provision.root();
        let key: Hex<256> = argument("key").expect("the argument key=");
        let certificate = certificate.into_owned();
        let key = PrivateKeyDer::try_from(key.to_vec()).expect("key= is a key");
        let algorithms = Arc::new(ALGORITHMS.provider());
        Some(Self {
            name: &provision.name,
            guarded: pinning(&provision.name),
            client: client(&algorithms, &certificate),
            server: server(&algorithms, certificate, key),
            random: RefCell::new(random),
        })
    }
}

fn pinning(name: &'static str) -> &'static GuardedClientConfig<'static> {
    static PINS: StaticCell<[Fingerprint; 1]> = StaticCell::new();
    static DATE: StaticCell<Date> = StaticCell::new();
    static CONFIG: StaticCell<GuardedClientConfig<'static>> = StaticCell::new();
    let pin: Hex<32> = argument("pin").expect("the argument pin=");
    let pin = Fingerprint::new((*pin).try_into().expect("a hash"));
    let trust = GuardTrust::in_certificates(PINS.init([pin])).expect("one");
    let validity = Validity::Now(DATE.init(Date::from_argument()));
    CONFIG.init(GuardedClientConfig::new(trust, name, validity).expect("a name"))
}

fn client(algorithms: &Arc<CryptoProvider>, certificate: &CertificateDer<'static>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("certificate= is one");
    let config = rustls::ClientConfig::builder_with_details(algorithms.clone(), calendar());
    let config = config
        .with_protocol_versions(&[&TLS13])
        .expect("its suites");
    let config = config.with_root_certificates(roots).with_no_client_auth();
    config.into()
}

fn server(
    algorithms: &Arc<CryptoProvider>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> ServerConfig {
    let config = rustls::ServerConfig::builder_with_details(algorithms.clone(), calendar());
    let config = config
        .with_protocol_versions(&[&TLS13])
        .expect("its suites");
    let config = config.with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key);
    let mut config = config.expect("key= belongs to certificate=");
    config.max_fragment_size = Some(LONGEST_RECORD);
    config.into()
}

fn calendar() -> Arc<dyn TimeProvider> {
    Arc::new(Calendar(Date::from_argument()))
}

/// The date, for rustls.
struct Calendar(Date);

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.now()
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calendar")
    }
}

/// Random bytes, for rustls. There are none before it is given a generator.
struct Generator(Mutex<RefCell<Option<ChaCha20Rng>>>);

impl SecureRandom for Generator {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        critical_section::with(|section| {
            let mut random = self.0.borrow_ref_mut(section);
            let random = random.as_mut().ok_or(GetRandomFailed)?;
            random.fill_bytes(buf);
            Ok(())
        })
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generator")
    }
}
