//! The verifier in handshakes of `embedded-tls` with rustls, and what the server hears of it.

use std::collections::VecDeque;
use std::sync::Arc;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_tls::{
    Aes128GcmSha256, CryptoProvider, CryptoRngCore, TlsConfig, TlsConnection, TlsContext, TlsError,
    TlsVerifier,
};
use rand_core_0_6::OsRng;
use rcgen::{
    ExtendedKeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};
use tacket_tests::{Authority, NAME};
use tacket_tls::pki_types::{PrivateKeyDer, ServerName};
use tacket_tls::rustls::crypto::ring::default_provider;
use tacket_tls::rustls::crypto::ring::sign::any_supported_type;
use tacket_tls::rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use tacket_tls::rustls::{
    self, AlertDescription, ServerConnection, SignatureAlgorithm, SignatureScheme,
};
use tacket_tls::{
    Anchors, Fingerprint, GuardTrust, GuardVerifier, PeerIdentity, PreSharedKey, Validity,
    VerifyError,
};

use super::certificates::{NOW, Owner, authority, server};

/// A server at the other end of a wire without length.
struct Served {
    connection: ServerConnection,
    /// What it has said and was not read yet.
    said: VecDeque<u8>,
    /// What it objected to.
    failed: Option<rustls::Error>,
}

impl Served {
    fn new(chain: &[&Owner], key: Arc<dyn SigningKey>) -> Self {
        let certificates = chain.iter().map(|owner| owner.der.clone()).collect();
        let certified = CertifiedKey::new(certificates, key);
        let config = rustls::ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Self {
            connection: ServerConnection::new(Arc::new(config)).expect("a configuration"),
            said: VecDeque::new(),
            failed: None,
        }
    }
}

impl ErrorType for Served {
    type Error = ErrorKind;
}

impl Read for Served {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.said).expect("memory");
        }
        // A client that waits for what never comes would find the end.
        Ok(std::io::Read::read(&mut self.said, buf).expect("memory"))
    }
}

impl Write for Served {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        // embedded-tls calls its alerts something else, which a guard has to put right on their way.
        let mut written = buf.to_vec();
        if let [kind @ 20, _, version, 0, 2, ..] = &mut written[..] {
            (*kind, *version) = (21, 3);
        }
        let mut rest = &written[..];
        while !rest.is_empty() {
            self.connection.read_tls(&mut rest).expect("memory");
            if let Err(error) = self.connection.process_new_packets() {
                self.failed = Some(error);
            }
        }
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

fn signing_key(owner: &Owner) -> Arc<dyn SigningKey> {
    let key = PrivateKeyDer::try_from(owner.key.serialize_der()).expect("a key");
    any_supported_type(&key).expect("a kind that is known")
}

/// A key that says of its signatures that they are by another algorithm.
#[derive(Debug)]
struct Mislabelled(Arc<dyn SigningKey>);

#[derive(Debug)]
struct MislabelledSigner(Box<dyn Signer>);

impl SigningKey for Mislabelled {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.0.choose_scheme(offered)?;
        Some(Box::new(MislabelledSigner(signer)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl Signer for MislabelledSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// What a client needs for a handshake.
struct Crypto<'v, 'a>(&'v mut GuardVerifier<'a>);

impl CryptoProvider for Crypto<'_, '_> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = Vec<u8>;

    fn rng(&mut self) -> impl CryptoRngCore {
        OsRng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut *self.0)
    }
}

/// What a client says of a server, and what the server heard: the name it was asked for, and an alert.
struct Outcome {
    opened: Result<(), TlsError>,
    verdict: Result<PeerIdentity, VerifyError>,
    asked_for: Option<String>,
    alert: Option<AlertDescription>,
}

fn shake_hands(
    trust: GuardTrust<'_>,
    name: &str,
    validity: Validity<'_>,
    chain: &[&Owner],
) -> Outcome {
    let served = Served::new(chain, signing_key(chain[0]));
    shake_hands_with(served, trust, name, validity)
}

fn shake_hands_with(
    mut served: Served,
    trust: GuardTrust<'_>,
    name: &str,
    validity: Validity<'_>,
) -> Outcome {
    let name = ServerName::try_from(name).expect("a name");
    let mut verifier = GuardVerifier::new(trust, &name, validity);
    let mut config = TlsConfig::new();
    if let Some(name) = verifier.server_name() {
        config = config.with_server_name(name);
    }
    if let Some(key) = verifier.pre_shared_key() {
        config = config.with_psk(key.key(), &[key.identity()]);
    }
    let (mut read, mut write) = (vec![0; 16_640], vec![0; 4096]);
    let opened = futures_executor::block_on(async {
        let mut client = TlsConnection::new(&mut served, &mut read, &mut write);
        client
            .open(TlsContext::new(&config, Crypto(&mut verifier)))
            .await
    });
    assert_eq!(opened.is_ok(), !served.connection.is_handshaking());
    Outcome {
        opened,
        verdict: verifier.verdict(),
        asked_for: served.connection.server_name().map(str::to_owned),
        alert: served.failed.map(|error| match error {
            rustls::Error::AlertReceived(alert) => alert,
            other => panic!("no alert: {other}"),
        }),
    }
}

/// Runs `test` on trust in `root`.
fn trusting<T>(root: &Owner, test: impl FnOnce(GuardTrust<'_>) -> T) -> T {
    let roots = [root.der.clone()];
    let anchors = Anchors::from_certificates(&roots).expect("an authority");
    test(GuardTrust::in_roots(anchors.as_slice()).expect("one"))
}

#[test]
fn a_server_with_any_key_that_is_built_in_is_verified_and_asked_for_by_its_name() {
    let root = Owner::root("root");
    let middle = root.issue(authority("middle"));
    for algorithm in [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ED25519,
    ] {
        let owner = middle.issue_for(algorithm, server(&[NAME, "10.0.0.1"]));
        let fingerprint = Fingerprint::of_certificate(&owner.der).expect("a hash");
        for (name, asked_for) in [(NAME, Some(NAME)), ("10.0.0.1", None)] {
            let chain = [&owner, &middle];
            let outcome = trusting(&root, |trust| shake_hands(trust, name, NOW, &chain));
            let identity = PeerIdentity::Certificate(fingerprint);
            assert_eq!(outcome.verdict, Ok(identity), "{algorithm:?}");
            outcome.opened.expect("verified");
            assert_eq!(outcome.asked_for.as_deref(), asked_for);
        }
    }
}

#[test]
fn a_pinned_server_is_verified() {
    let owner = Owner::root("root");
    let certificates = [Fingerprint::of_certificate(&owner.der).expect("a hash")];
    let keys = [Fingerprint::of_key(&owner.der).expect("a key")];
    for trust in [
        GuardTrust::in_certificates(&certificates).expect("one"),
        GuardTrust::in_keys(&keys).expect("one"),
    ] {
        let outcome = shake_hands(trust, NAME, Validity::Unchecked, &[&owner]);
        let identity = PeerIdentity::Certificate(certificates[0]);
        assert_eq!(outcome.verdict, Ok(identity));
        outcome.opened.expect("verified");
    }
}

#[test]
fn a_server_that_is_refused_is_told_why() {
    let (root, other) = (Owner::root("root"), Owner::root("other"));
    let mut expired = server(&[NAME]);
    Authority::expire(&mut expired);
    let expired = root.issue(expired);
    let unknown = other.issue(server(&[NAME]));
    let elsewhere = root.issue(server(&["other.example"]));
    let forged = elsewhere.issue(server(&[NAME]));
    let mut client_only = server(&[NAME]);
    client_only.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client_only = root.issue(client_only);
    let cases: [(&[&Owner], _, _); 5] = [
        (
            &[&expired],
            VerifyError::Expired,
            AlertDescription::CertificateExpired,
        ),
        (
            &[&unknown],
            VerifyError::UnknownIssuer,
            AlertDescription::UnknownCA,
        ),
        (
            &[&elsewhere],
            VerifyError::NameMismatch,
            AlertDescription::BadCertificate,
        ),
        (
            &[&forged, &elsewhere],
            VerifyError::NotACa,
            AlertDescription::CertificateUnknown,
        ),
        (
            &[&client_only],
            VerifyError::WrongUsage,
            AlertDescription::UnsupportedCertificate,
        ),
    ];
    for (chain, error, alert) in cases {
        let outcome = trusting(&root, |trust| shake_hands(trust, NAME, NOW, chain));
        assert_eq!(outcome.verdict, Err(error));
        outcome.opened.expect_err("refused");
        assert_eq!(outcome.alert, Some(alert));
    }
}

#[test]
fn a_server_with_the_certificate_of_another_one_is_refused_and_told_why() {
    let root = Owner::root("root");
    let owner = root.issue(server(&[NAME]));
    let thief = root.issue(server(&["other.example"]));
    let stolen = Served::new(&[&owner], signing_key(&thief));
    let outcome = trusting(&root, |trust| shake_hands_with(stolen, trust, NAME, NOW));
    assert_eq!(outcome.verdict, Err(VerifyError::BadProof));
    outcome.opened.expect_err("refused");
    assert_eq!(outcome.alert, Some(AlertDescription::DecryptError));
}

#[test]
fn a_server_whose_signature_is_of_another_kind_than_its_key_is_refused_and_told_why() {
    let root = Owner::root("root");
    let owner = root.issue(server(&[NAME]));
    let key = Arc::new(Mislabelled(signing_key(&owner)));
    let served = Served::new(&[&owner], key);
    let outcome = trusting(&root, |trust| shake_hands_with(served, trust, NAME, NOW));
    assert_eq!(outcome.verdict, Err(VerifyError::WrongScheme));
    outcome.opened.expect_err("refused");
    assert_eq!(outcome.alert, Some(AlertDescription::IllegalParameter));
}

#[test]
fn a_server_that_shows_a_certificate_instead_of_the_key_that_both_know_is_refused() {
    let root = Owner::root("root");
    let owner = root.issue(server(&[NAME]));
    let key = PreSharedKey::new(b"sensor", &[7; 32]).expect("a key");
    let trust = GuardTrust::in_pre_shared_key(key);
    let outcome = shake_hands(trust, NAME, Validity::Unchecked, &[&owner]);
    // Without the key, what it says does not even decrypt.
    assert!(matches!(outcome.opened, Err(TlsError::CryptoError)));
    assert_eq!(outcome.alert, None);
}
