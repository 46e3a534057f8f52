//! A client without a heap, and a server that knows what was changed of its words.

use alloc::sync::Arc;
use core::time::Duration;
use std::sync::LazyLock;

use rand_core_0_6::{CryptoRng, Error as RandomError, RngCore};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose, PublicKeyData as _,
    date_time_ymd,
};
use ring::digest::{SHA256, digest};
use tacket::StapledStream;
use tacket::testing::{MemoryPipe, Pattern};
use tacket_tls::pki_types::{CertificateDer, UnixTime};
use tacket_tls::rustls::crypto::ring::{self as ring_provider, cipher_suite};
use tacket_tls::rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use tacket_tls::rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier,
};
use tacket_tls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tacket_tls::rustls::version::TLS13;
use tacket_tls::rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, Tls13CipherSuite};
use tacket_tls::{
    Anchors, CertificateClock, ClientCertificate, Fingerprint, GuardSuite, GuardTrust,
    GuardedClientConfig, PreSharedKey, TlsStorage, TlsStream, Validity,
};

use super::algorithms::{Marking, Seeded, standing_clock, start_anew};
use super::concert::{self, Heard, KNOWN_AS, KNOWN_KEY, Knowing};
use super::guard_program::{Belief, Guard};
use super::guarded::Guarded;
use super::keys::{OwnKey, SameP256};
use super::middle::Middle;
use super::peer::Peer;
use super::program::{Acquaintance, Gauge, Options, TlsPeerProgram};
use super::speech::Speech;
use super::subject::Transport;
use super::world::{Surroundings, World};
use crate::NAME;
use crate::fuzz_tls::ledger::Ledger;

/// How many bytes a client without a heap may take from the allocator: what the tests take for what it sends and receives, and what
/// path building takes for its errors where there is an allocator.
const MOST_BYTES: i64 = 1 << 17;

/// Certificates that are the same in each process, of keys of P-256.
pub(super) struct GuardPapers {
    pub(super) certificate: CertificateDer<'static>,
    key: OwnKey,
    pub(super) roots: [CertificateDer<'static>; 1],
    strangers: [CertificateDer<'static>; 1],
    certificates: [Fingerprint; 1],
    keys: [Fingerprint; 1],
    client: ClientCertificate<'static>,
    client_roots: Arc<RootCertStore>,
}

#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
pub(super) static PAPERS: LazyLock<GuardPapers> = LazyLock::new(|| {
    let authority = |name: &str, key: &OwnKey| {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(key).expect("a certificate");
        (root.der().clone(), Issuer::new(params, key.clone()))
    };
    let (root, issuer) = authority("the authority", &OwnKey::p256(1));
    let (stranger, _) = authority("a stranger", &OwnKey::p256(4));
    let key = OwnKey::p256(2);
    let certificate = params(&[NAME]).signed_by(&key, &issuer).expect("signs");
    let certificate = certificate.der().clone();
    let client_key = OwnKey::p256(3);
    let client = params(&[]).signed_by(&client_key, &issuer).expect("signs");
    // SEC1 (RFC 5915): version and key.
    let mut sec1 = vec![0x30, 0x25, 2, 1, 1, 4, 0x20];
    sec1.extend([3; 32]);
    let client = ClientCertificate::new(Vec::leak(client.der().to_vec()), &sec1);
    let mut client_roots = RootCertStore::empty();
    client_roots.add(root.clone()).expect("a root");
    GuardPapers {
        certificates: [Fingerprint::new(sha256(&certificate))],
        keys: [Fingerprint::new(sha256(&key.subject_public_key_info()))],
        certificate,
        key,
        roots: [root],
        strangers: [stranger],
        client: client.expect("they belong together"),
        client_roots: client_roots.into(),
    }
});

#[expect(clippy::expect_used, reason = "the names are known to be valid")]
fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_after = date_time_ymd(2050, 1, 1);
    params.serial_number = Some(vec![1].into());
    params
}

#[expect(clippy::expect_used, reason = "that is how long they are")]
pub(super) fn sha256(data: &[u8]) -> [u8; 32] {
    let hash = digest(&SHA256, data);
    hash.as_ref().try_into().expect("32 bytes")
}

/// A clock that stands still.
pub(super) struct Moment(pub(super) Option<u64>);

impl CertificateClock for Moment {
    fn now(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0?)))
    }
}

static NOW: Moment = Moment(Some(1_800_000_000));
static LATE: Moment = Moment(Some(4_000_000_000));
static NEVER: Moment = Moment(None);

/// The same bytes each time.
struct Same;

impl RngCore for Same {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, buf: &mut [u8]) {
        Pattern::new(77).fill(buf);
    }

    fn try_fill_bytes(&mut self, buf: &mut [u8]) -> Result<(), RandomError> {
        self.fill_bytes(buf);
        Ok(())
    }
}

impl CryptoRng for Same {}

#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
fn trust(belief: Belief) -> GuardTrust<'static> {
    static OTHER: [Fingerprint; 1] = [Fingerprint::new([7; 32])];
    static ANCHORS: LazyLock<[Anchors<'static, 1>; 2]> = LazyLock::new(|| {
        let papers = &*PAPERS;
        [&papers.roots, &papers.strangers]
            .map(|roots| Anchors::from_certificates(roots).expect("a root"))
    });
    let [ours, theirs] = &*ANCHORS;
    let known = |key| PreSharedKey::new(KNOWN_AS, key).expect("a key");
    let trust = match belief {
        Belief::PreSharedKey => return GuardTrust::in_pre_shared_key(known(&KNOWN_KEY)),
        Belief::AnotherPreSharedKey => return GuardTrust::in_pre_shared_key(known(&[8; 32])),
        Belief::Certificate => GuardTrust::in_certificates(&PAPERS.certificates),
        Belief::Key => GuardTrust::in_keys(&PAPERS.keys),
        Belief::AnotherCertificate => GuardTrust::in_certificates(&OTHER),
        Belief::AnotherKey => GuardTrust::in_keys(&OTHER),
        Belief::AnotherAuthority => GuardTrust::in_roots(theirs.as_slice()),
        _ => GuardTrust::in_roots(ours.as_slice()),
    };
    trust.expect("somebody")
}

#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
fn client(guard: Guard) -> GuardedClientConfig<'static> {
    let name = match guard.belief {
        Belief::AnotherName => "other.example",
        _ => NAME,
    };
    let validity = match guard.belief {
        Belief::TooLate => Validity::Now(&LATE),
        Belief::NoTime => Validity::Now(&NEVER),
        _ if guard.is_timeless => Validity::Unchecked,
        _ => Validity::Now(&NOW),
    };
    let config = GuardedClientConfig::new(trust(guard.belief), name, validity);
    let mut config = config.expect("a name");
    if guard.has_alpn {
        config = config.with_alpn(&[b"one", b"two"]).expect("protocols");
    }
    if let Some(max_fragment) = guard.max_fragment {
        config = config.with_max_fragment(max_fragment);
    }
    if guard.has_certificate {
        config = config.with_certificate(PAPERS.client.clone());
    }
    config
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let real = [
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
    ];
    let change = |suite| match suite {
        SupportedCipherSuite::Tls13(suite) => {
            let common = CipherSuiteCommon {
                suite: suite.common.suite,
                hash_provider: Box::leak(Box::new(Heard(suite.common.hash_provider))),
                confidentiality_limit: suite.common.confidentiality_limit,
            };
            SupportedCipherSuite::from(&*Box::leak(Box::new(Tls13CipherSuite {
                common,
                hkdf_provider: Box::leak(Box::new(Knowing(suite.hkdf_provider))),
                aead_alg: Box::leak(Box::new(Marking(suite.aead_alg))),
                quic: None,
            })))
        }
        other => other,
    };
    let provider = CryptoProvider {
        cipher_suites: real.map(change).to_vec(),
        kx_groups: vec![&SameP256],
        secure_random: &Seeded,
        ..ring_provider::default_provider()
    };
    provider.into()
});

#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
fn server(options: Options) -> ServerConfig {
    let (papers, provider) = (&*PAPERS, Arc::clone(&PROVIDER));
    let roots = Arc::clone(&papers.client_roots);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let builder = ServerConfig::builder_with_details(provider, standing_clock())
        .with_protocol_versions(&[&TLS13])
        .expect("a version");
    let builder = match options.acquaintance {
        Acquaintance::None => builder.with_no_client_auth(),
        Acquaintance::Optional => {
            let verifier = verifier.allow_unauthenticated().build();
            builder.with_client_cert_verifier(verifier.expect("there is a root"))
        }
        Acquaintance::Mandatory => {
            builder.with_client_cert_verifier(verifier.build().expect("there is a root"))
        }
    };
    let chain = vec![papers.certificate.clone()];
    let certified = CertifiedKey::new(chain, Arc::new(papers.key.clone()));
    let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    server.session_storage = match options.resumes {
        true => ServerSessionMemoryCache::new(4),
        false => Arc::new(NoServerSessionStorage {}),
    };
    if options.has_alpn {
        server.alpn_protocols = vec![b"two".to_vec()];
    }
    server
}

/// Runs a program.
pub(super) fn meet(program: &TlsPeerProgram, guard: Guard, is_honest: bool, gauge: Gauge) {
    start_anew();
    concert::end();
    if guard.is_in_concert {
        concert::begin(&program.edits, guard.server_has_psk);
    }
    let config = client(guard);
    match guard.has_aes256 {
        false => meet_by(program, guard, is_honest, gauge, &config),
        true => meet_by(program, guard, is_honest, gauge, &config.with_aes256()),
    }
}

fn meet_by<C: GuardSuite>(
    program: &TlsPeerProgram,
    guard: Guard,
    is_honest: bool,
    gauge: Gauge,
    config: &GuardedClientConfig<'_, C>,
) {
    let options = program.options;
    let [there, back] = [(); 2].map(|()| MemoryPipe::new(vec![0; options.room]));
    let (Some((tx, far_rx)), Some((far_tx, rx))) = (there.open(), back.open()) else {
        unreachable!("both are new")
    };
    let transport: Transport<'_> = StapledStream::new(tx, rx);
    let (mut least, mut little, mut one_way, mut both_ways) = (None, None, None, None);
    let made = match guard.room {
        0 => {
            let storage = least.insert(Box::new(TlsStorage::<512, 512>::new()));
            TlsStream::guarded_client(transport, config, &mut Same, storage)
        }
        1 => {
            let storage = little.insert(Box::new(TlsStorage::<2048, 1024>::new()));
            TlsStream::guarded_client(transport, config, &mut Same, storage)
        }
        2 => {
            let storage = one_way.insert(Box::new(TlsStorage::<16_645, 1024>::new()));
            TlsStream::guarded_client(transport, config, &mut Same, storage)
        }
        _ => {
            let storage = both_ways.insert(Box::new(TlsStorage::<16_645, 16_645>::new()));
            TlsStream::guarded_client(transport, config, &mut Same, storage)
        }
    };
    let Ok(mut tls) = made else {
        unreachable!("these bytes do not repeat")
    };
    if options.is_lax {
        tls = tls.https_compatible();
    }
    let (speech, sent) = (Speech::default(), Ledger::new(1));
    let is_edited = !program.edits.is_empty();
    let mut subject = Guarded::new(
        tls,
        guard,
        options.is_lax,
        is_honest,
        is_edited,
        (&speech, &sent),
    );
    let surroundings = Surroundings {
        peer: Peer::server(server(options)),
        middle: Middle::new(&program.edits, options.coalesces),
        wire: (far_tx, far_rx),
        most_bytes: MOST_BYTES,
        gauge,
    };
    World::new(program, surroundings, (&speech, &sent)).live(program, &mut subject);
}
