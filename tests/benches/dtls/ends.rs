//! What both ends agree on: one suite, and a certificate of ECDSA on P-256 that the client knows.

use alloc::sync::Arc;

use dimpl::crypto::Dtls12CipherSuite;
use dimpl::{Config, DtlsCertificate};
use tacket_tests::{Authority, NAME};
use tacket_tls::{DtlsClientConfig, DtlsIdentity, DtlsServerConfig, DtlsTrust, Fingerprint};

/// By how many bytes a datagram is longer than its message, with the suite of both.
pub(crate) const OVERHEAD: usize = 13 + 16;

#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) client: DtlsClientConfig,
    pub(crate) server: DtlsServerConfig,
    /// For both ends of `dimpl`.
    pub(crate) config: Arc<Config>,
    /// Of the server. The client of `dimpl` must have one, too, which nobody asks it for.
    pub(crate) certificate: DtlsCertificate,
}

impl Ends {
    pub(crate) fn new() -> Self {
        let (certificate, key) = Authority::new().certify(&[NAME], |_| {});
        let pin = ring::digest::digest(&ring::digest::SHA256, &certificate);
        let pin = Fingerprint::new(pin.as_ref().try_into().unwrap());
        let trust = DtlsTrust::in_certificates([pin]).unwrap();
        let identity = DtlsIdentity::new(&certificate, &key).unwrap();
        // The one that the endpoints prefer.
        let suite = Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256;
        let config = Config::builder()
            .dtls12_cipher_suites(&[suite])
            .require_client_certificate(false)
            .build();
        Self {
            client: DtlsClientConfig::new(trust).unwrap(),
            server: DtlsServerConfig::new(identity),
            config: Arc::new(config.unwrap()),
            certificate: DtlsCertificate {
                certificate: certificate.to_vec(),
                private_key: key.secret_der().to_vec(),
            },
        }
    }
}
