//! Peers that are who they say they are not, or that speak another TLS: in both versions, with what both sides hear of it.

use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use tacket_tests::{Authority, NAME};
use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer};
use tacket_tls::rustls::crypto::CryptoProvider;
use tacket_tls::rustls::crypto::ring::{cipher_suite, default_provider};
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::rustls::{
    self, AlertDescription, CertificateError, Error as Rustls, PeerIncompatible,
    SupportedCipherSuite, SupportedProtocolVersion,
};
use tacket_tls::{ClientConfig, EngineError, ServerConfig, TlsError};

use super::refusals::{assert_alert, handshake, refused_certificate};

type Certified = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What a side is willing to speak.
#[derive(Clone, Copy)]
struct Willing<'a> {
    version: &'static SupportedProtocolVersion,
    /// If it is picky.
    suite: Option<&'a SupportedCipherSuite>,
}

impl Willing<'_> {
    const fn any(version: &'static SupportedProtocolVersion) -> Self {
        Self {
            version,
            suite: None,
        }
    }

    fn provider(&self) -> CryptoProvider {
        let mut provider = default_provider();
        if let Some(suite) = self.suite {
            provider.cipher_suites = vec![*suite];
        }
        provider
    }

    fn client(&self, root: CertificateDer<'static>) -> ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root).expect("a root");
        rustls::ClientConfig::builder_with_provider(self.provider().into())
            .with_protocol_versions(&[self.version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth()
            .into()
    }

    fn server(&self, (chain, key): Certified) -> ServerConfig {
        rustls::ServerConfig::builder_with_provider(self.provider().into())
            .with_protocol_versions(&[self.version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they belong together")
            .into()
    }
}

fn certify(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Certified {
    let (certificate, key) = authority.certify(&[NAME], change);
    (vec![certificate], key)
}

/// A certificate for the right name that another one has signed, which may prove a server but issue nothing.
fn certify_by_a_leaf(authority: &Authority) -> Certified {
    let (leaf, key) = authority.certify(&["leaf.example"], |_| {});
    let key = KeyPair::try_from(&key).expect("a key");
    let params = CertificateParams::new(["leaf.example".to_owned()]).expect("a name");
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([NAME.to_owned()]).expect("a name");
    let forged = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    (vec![forged.der().clone(), leaf], key)
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_with_its_reason_and_the_server_is_told() {
    type Case = (
        &'static str,
        fn(&Authority) -> Certified,
        &'static str,
        fn(&CertificateError) -> bool,
        AlertDescription,
    );
    let cases: [Case; 5] = [
        (
            "expired",
            |authority| certify(authority, Authority::expire),
            NAME,
            |refused| matches!(refused, CertificateError::ExpiredContext { .. }),
            AlertDescription::CertificateExpired,
        ),
        (
            "not valid yet",
            |authority| {
                certify(authority, |params| {
                    params.not_before = date_time_ymd(2999, 1, 1);
                    params.not_after = date_time_ymd(3000, 1, 1);
                })
            },
            NAME,
            |refused| matches!(refused, CertificateError::NotValidYetContext { .. }),
            AlertDescription::CertificateExpired,
        ),
        (
            "for another name",
            |authority| certify(authority, |_| {}),
            "other.example",
            |refused| matches!(refused, CertificateError::NotValidForNameContext { .. }),
            AlertDescription::BadCertificate,
        ),
        (
            "of an unknown issuer",
            |_| certify(&Authority::new(), |_| {}),
            NAME,
            |refused| *refused == CertificateError::UnknownIssuer,
            AlertDescription::UnknownCA,
        ),
        (
            "issued by a leaf",
            certify_by_a_leaf,
            NAME,
            |refused| matches!(refused, CertificateError::Other(_)),
            AlertDescription::CertificateUnknown,
        ),
    ];
    for version in [&TLS12, &TLS13] {
        for (what, certify, name, expected, alert) in cases {
            let authority = Authority::new();
            let client = Willing::any(version).client(authority.root());
            let server = Willing::any(version).server(certify(&authority));
            let [connected, accepted] = handshake(&client, name, &server);
            let error = connected.expect_err(what);
            let refused = refused_certificate(&error);
            assert!(expected(refused), "{what}: {refused:?}");
            assert_alert(&accepted, alert);
        }
    }
}

#[test]
fn peers_without_a_common_version_or_cipher_suite_part_and_both_know_why() {
    let chacha = |version: &'static SupportedProtocolVersion| Willing {
        version,
        suite: Some(if version == &TLS12 {
            &cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        } else {
            &cipher_suite::TLS13_CHACHA20_POLY1305_SHA256
        }),
    };
    let aes = |version: &'static SupportedProtocolVersion| Willing {
        version,
        suite: Some(if version == &TLS12 {
            &cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        } else {
            &cipher_suite::TLS13_AES_128_GCM_SHA256
        }),
    };
    let cases = [
        (
            Willing::any(&TLS12),
            Willing::any(&TLS13),
            PeerIncompatible::Tls12NotOfferedOrEnabled,
            AlertDescription::ProtocolVersion,
        ),
        (
            Willing::any(&TLS13),
            Willing::any(&TLS12),
            PeerIncompatible::Tls12NotOfferedOrEnabled,
            AlertDescription::ProtocolVersion,
        ),
        (
            aes(&TLS12),
            chacha(&TLS12),
            PeerIncompatible::NoCipherSuitesInCommon,
            AlertDescription::HandshakeFailure,
        ),
        (
            chacha(&TLS13),
            aes(&TLS13),
            PeerIncompatible::NoCipherSuitesInCommon,
            AlertDescription::HandshakeFailure,
        ),
    ];
    for (ours, theirs, why, alert) in cases {
        let authority = Authority::new();
        let client = ours.client(authority.root());
        let server = theirs.server(certify(&authority, |_| {}));
        let [connected, accepted] = handshake(&client, NAME, &server);
        assert_alert(&connected, alert);
        let expected = EngineError::Rustls(Rustls::PeerIncompatible(why));
        assert_eq!(accepted, Err(TlsError::Engine(expected)));
        // The same peers, willing to speak what the other does, understand each other.
        let server = ours.server(certify(&authority, |_| {}));
        for outcome in handshake(&client, NAME, &server) {
            outcome.expect("a common language");
        }
    }
}
