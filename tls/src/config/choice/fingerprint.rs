//! Fingerprints of certificates and keys that are here.

use core::str::FromStr;

use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::HashAlgorithm;
use rustls::server::ParsedCertificate;
use rustls_pki_types::CertificateDer;

use super::provider::Provider;
use crate::error::ConfigError;
use crate::fingerprint::Fingerprint;

impl Fingerprint {
    /// That of the whole certificate: it changes with each renewal.
    ///
    /// ```
    /// # fn main() -> Result<(), tacket_tls::ConfigError> {
    /// use tacket_tls::Fingerprint;
    ///
    /// # let made = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
    /// # let certificate = made.cert.der();
    /// let fingerprint = Fingerprint::of_certificate(certificate)?;
    /// let shown = fingerprint.to_string(); // such as "5A:0B:…"
    /// assert_eq!(shown.parse(), Ok(fingerprint));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::Engine`]: the default provider has no SHA-256.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, ConfigError> {
        Ok(Self::of(certificate, &Provider::default().inner)?)
    }

    /// That of the certificate's public key (of its `SubjectPublicKeyInfo`, as in RFC 7469): it stays when the certificate is
    /// renewed for the same key.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Engine`]: it is not a certificate, or the default provider has no SHA-256.
    pub fn of_key(certificate: &CertificateDer<'_>) -> Result<Self, ConfigError> {
        Ok(Self::of_its_key(certificate, &Provider::default().inner)?)
    }

    pub(super) fn of_its_key(
        certificate: &CertificateDer<'_>,
        provider: &CryptoProvider,
    ) -> Result<Self, rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        Self::of(&parsed.subject_public_key_info(), provider)
    }

    pub(super) fn of(data: &[u8], provider: &CryptoProvider) -> Result<Self, rustls::Error> {
        let suites = provider.cipher_suites.iter();
        let mut hashes = suites.map(|suite| match suite {
            SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
            SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
        });
        let sha256 = hashes.find(|hash| hash.algorithm() == HashAlgorithm::SHA256);
        let hash = sha256.map(|sha256| sha256.hash(data));
        match hash.and_then(|hash| hash.as_ref().try_into().ok()) {
            Some(hash) => Ok(Self::new(hash)),
            None => Err(rustls::Error::General("the provider has no SHA-256".into())),
        }
    }
}

impl FromStr for Fingerprint {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::from_hex(text).ok_or(ConfigError::InvalidFingerprint)
    }
}
