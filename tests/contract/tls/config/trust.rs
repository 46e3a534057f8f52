//! Whom a client trusts.

use std::sync::Arc;

use tacket_tests::{Authority, NAME};
use tacket_tls::rustls::server::{ClientHello, ResolvesServerCert};
use tacket_tls::rustls::sign::CertifiedKey;
use tacket_tls::rustls::{self, CertificateError, SupportedProtocolVersion};
use tacket_tls::{ClientConfig, Fingerprint, Trust};

use super::super::refusals::{handshake, refused_certificate};
use super::{assert_agree, certified, in_authority, trusting};

fn pinned(authority: &Authority) -> [Trust; 2] {
    let root = authority.root();
    let certificate = Fingerprint::of_certificate(&root).expect("a certificate");
    let key = Fingerprint::of_key(&root).expect("a certificate");
    [
        Trust::in_certificates([certificate]).expect("one"),
        Trust::in_keys([key]).expect("one"),
    ]
}

#[test]
fn no_client_trusts_a_stranger_however_it_was_made() {
    let (ours, stranger) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("root.pem");
    std::fs::write(&file, ours.root_pem()).expect("it is ours");
    let [certificate, key] = pinned(&ours);
    let mut clients = vec![
        ours.client_config(),
        trusting(in_authority(&ours)),
        trusting(Trust::in_pem(ours.root_pem()).expect("a root")),
        trusting(Trust::in_pem_file(file).expect("a root")),
        trusting(certificate),
        trusting(key),
        // On a machine without roots there is none, which is safe too.
    ];
    let platform = ClientConfig::builder().with_trust(Trust::in_platform());
    clients.extend(platform.build().ok());
    let proving = ClientConfig::builder()
        .with_trust(in_authority(&ours))
        .with_identity(certified(&ours, &[NAME]));
    clients.push(proving.build().expect("a configuration"));
    for client in clients {
        let client = client.with_alpn(&[b"h2"]);
        for client in [
            client.clone(),
            client.clone().without_resumption(),
            client.clone().with_key_log(),
        ] {
            let [connected, accepted] = handshake(&client, NAME, &stranger.server_config());
            refused_certificate(&connected.expect_err("a stranger"));
            accepted.expect_err("the server is told");
        }
    }
}

#[test]
fn roots_come_as_pem_too_from_memory_or_from_a_file() {
    let (one, other) = (Authority::new(), Authority::new());
    let both = format!("one:\n{}and another:\n{}", one.root_pem(), other.root_pem());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, &both).expect("it is ours");
    for trust in [Trust::in_pem(&both), Trust::in_pem_file(&file)] {
        let client = trusting(trust.expect("two roots"));
        assert_agree(&client, &one.server_config());
        assert_agree(&client, &other.server_config());
    }
}

/// The names are wrong, and it has expired; but it is the one.
#[test]
fn a_pinned_certificate_or_key_is_enough() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&["other.example"], Authority::expire);
    let server = tacket_tls::ServerConfig::with_certificate(vec![certificate.clone()], key);
    let server = server.expect("they belong together");
    let other = Fingerprint::new([7; 32]);
    let whole = Fingerprint::of_certificate(&certificate).expect("a certificate");
    let key = Fingerprint::of_key(&certificate).expect("a certificate");
    for trust in [
        Trust::in_certificates([other, whole]),
        Trust::in_keys([key, other]),
    ] {
        assert_agree(&trusting(trust.expect("two")), &server);
    }
    // Each is a fingerprint of something else.
    for trust in [
        Trust::in_certificates([key]),
        Trust::in_keys([whole]),
        Trust::in_keys([other]),
    ] {
        let [connected, _] = handshake(&trusting(trust.expect("one")), NAME, &server);
        refused_certificate(&connected.expect_err("not pinned"));
    }
}

/// Shows a certificate whose key it does not have.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[test]
fn a_pinned_certificate_without_its_key_proves_nothing() {
    let authority = Authority::new();
    let (certificate, _) = authority.certify(&[NAME], |_| {});
    let (_, key) = authority.certify(&[NAME], |_| {});
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(key);
    let stolen = CertifiedKey::new(vec![certificate.clone()], key.expect("a key"));
    let impostor = Arc::new(Impostor(Arc::new(stolen)));
    let whole = Fingerprint::of_certificate(&certificate).expect("a certificate");
    let key = Fingerprint::of_key(&certificate).expect("a certificate");
    let versions: [&SupportedProtocolVersion; 2] =
        [&rustls::version::TLS12, &rustls::version::TLS13];
    for version in versions {
        let server = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_cert_resolver(impostor.clone());
        let server = server.into();
        for trust in [Trust::in_certificates([whole]), Trust::in_keys([key])] {
            let [connected, _] = handshake(&trusting(trust.expect("one")), NAME, &server);
            let error = connected.expect_err("an impostor");
            assert_eq!(*refused_certificate(&error), CertificateError::BadSignature);
        }
    }
}

#[test]
fn a_fingerprint_is_written_as_openssl_writes_it_and_read_in_either_case() {
    let bytes: [u8; 32] = core::array::from_fn(|place| place as u8 * 8 + 3);
    let fingerprint = Fingerprint::new(bytes);
    let shown = fingerprint.to_string();
    assert!(shown.starts_with("03:0B:13:1B:"), "{shown}");
    assert_eq!(shown.len(), 95);
    assert_eq!(shown.parse(), Ok(fingerprint));
    assert_eq!(
        shown.to_lowercase().replace(':', "").parse(),
        Ok(fingerprint)
    );
    for wrong in [
        "",
        "03:0B",
        &shown[1..],
        &format!("{shown}:00"),
        &shown.replace('B', "G"),
    ] {
        wrong.parse::<Fingerprint>().expect_err("not 32 bytes");
    }
}
