//! Who one is, in DTLS.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use digest::Digest as _;
use dimpl::DtlsCertificate;
use dimpl::crypto::Buf;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use rustls_pki_types::pem::{Error as PemError, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2_0_10::Sha256;

use super::provider;
use crate::error::ConfigError;
use crate::fingerprint::Fingerprint;

/// A certificate and its private key: how a server of DTLS, or a client that is asked to, proves who it is.
///
/// The key is of P-256 or P-384. No other certificate is sent along: peers have to know those between this one and a root.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tacket_tls::{DtlsIdentity, DtlsServerConfig};
///
/// let pem = std::fs::read("server.pem")?;
/// let config = DtlsServerConfig::new(DtlsIdentity::from_pem(&pem, &pem)?);
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DtlsIdentity(pub(super) DtlsCertificate);

impl DtlsIdentity {
    /// This certificate, and its key in PKCS #8 or SEC 1.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidKey`]: the key is damaged, or of another kind. [`ConfigError::Certificate`]: the certificate is.
    /// [`ConfigError::KeyMismatch`]: they do not belong together.
    pub fn new(
        certificate: &CertificateDer<'_>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, ConfigError> {
        let identity = DtlsCertificate {
            certificate: certificate.to_vec(),
            private_key: key.secret_der().to_vec(),
        };
        check(&identity)?;
        Ok(Self(identity))
    }

    /// The first certificate of one text in PEM, and the first private key of another; they may be the same.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoCertificate`], [`ConfigError::NoKey`]: there is none. [`ConfigError::Pem`]: it is damaged. Otherwise as of [`new`](Self::new).
    pub fn from_pem(
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let certificate = CertificateDer::from_pem_slice(certificate.as_ref());
        let key = PrivateKeyDer::from_pem_slice(key.as_ref());
        Self::new(
            &certificate.map_err(|error| in_pem(error, ConfigError::NoCertificate))?,
            &key.map_err(|error| in_pem(error, ConfigError::NoKey))?,
        )
    }

    /// By which peers can [pin](crate::DtlsTrust::in_certificates) the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(Sha256::digest(&self.0.certificate).into())
    }
}

fn in_pem(error: PemError, nothing: ConfigError) -> ConfigError {
    match error {
        PemError::NoItemsFound => nothing,
        error => ConfigError::Pem(error.to_string()),
    }
}

/// Whether the key can sign what the certificate proves. The engine finds out too late, and by a panic.
fn check(identity: &DtlsCertificate) -> Result<(), ConfigError> {
    const TEXT: &[u8] = b"whose key is it?";
    let provider = provider::provider();
    let key = provider
        .key_provider
        .load_private_key(&identity.private_key);
    let mut key = key.map_err(|_| ConfigError::InvalidKey)?;
    let mut signature = Buf::new();
    let (hash, algorithm) = (key.hash_algorithm(), key.algorithm());
    key.sign(TEXT, hash, &mut signature)
        .map_err(|_| ConfigError::InvalidKey)?;
    let certificate = &identity.certificate;
    webpki::EndEntityCert::try_from(&CertificateDer::from(&**certificate))
        .map_err(|error| ConfigError::Certificate(error.to_string()))?;
    let verifier = provider.signature_verification;
    verifier
        .verify_signature(certificate, TEXT, &signature, hash, algorithm)
        .map_err(|_| ConfigError::KeyMismatch)
}

impl fmt::Debug for DtlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key: it is secret.
        f.debug_struct("DtlsIdentity").finish_non_exhaustive()
    }
}

/// The certificate of a client that has none: the engine wants one, and shows it to a server that asks for one. It has no name, no issuer and no
/// validity, and a key of its own, so that no server trusts it.
pub(super) fn nobody() -> Result<DtlsCertificate, ConfigError> {
    let mut secret = [0; 32];
    provider::random(&mut secret)?;
    // Not a number below the order of the curve, for which there is one chance in 2^32: one bit less is.
    secret[0] &= 0x7f;
    let key = SigningKey::from_slice(&secret).map_err(|_| ConfigError::NoEntropy)?;
    let point = key.verifying_key().to_encoded_point(false);

    // ecdsa-with-SHA256
    let algorithm = sequence(&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
    // id-ecPublicKey on prime256v1
    let curve = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let kind = [&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1][..], &curve];
    let public = [&[3, 66, 0][..], point.as_bytes()].concat();
    let nameless = sequence(&[]);
    let moment = [&[23, 13][..], b"700101000000Z"].concat();
    let moments = sequence(&[moment.clone(), moment].concat());
    let public = sequence(&[sequence(&kind.concat()), public].concat());
    let body = [
        &[2, 1, 1][..],
        &algorithm,
        &nameless,
        &moments,
        &nameless,
        &public,
    ];
    let body = sequence(&body.concat());
    let signature: DerSignature = key.sign(&body);
    let signature = signature.as_bytes();
    let length = u8::try_from(1 + signature.len()).unwrap_or_default();
    let signature = [&[3, length, 0][..], signature].concat();
    let private = [&[2, 1, 1, 4, 32][..], &secret, &[0xa0, 10], &curve].concat();
    Ok(DtlsCertificate {
        certificate: sequence(&[body, algorithm, signature].concat()),
        private_key: sequence(&private),
    })
}

/// These elements of DER as one, of less than 64 KiB.
fn sequence(elements: &[u8]) -> Vec<u8> {
    let [.., high, low] = elements.len().to_be_bytes();
    let head = match elements.len() {
        0..128 => &[0x30, low][..],
        128..256 => &[0x30, 0x81, low],
        _ => &[0x30, 0x82, high, low],
    };
    [head, elements].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["server.example".to_string()]);
        let made = made.expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        (made.cert.der().clone(), key.expect("a key"))
    }

    #[test]
    fn a_key_belongs_to_its_certificate_or_is_refused() {
        let ((certificate, key), (_, other)) = (made(), made());
        assert!(DtlsIdentity::new(&certificate, &key).is_ok());
        let refused = DtlsIdentity::new(&certificate, &other);
        assert_eq!(refused.err(), Some(ConfigError::KeyMismatch));
        let damaged = CertificateDer::from(&certificate[..certificate.len() - 1]);
        let refused = DtlsIdentity::new(&damaged, &key);
        assert!(
            matches!(refused, Err(ConfigError::Certificate(_))),
            "{refused:?}"
        );
        let none = PrivateKeyDer::Sec1(b"none".to_vec().into());
        let refused = DtlsIdentity::new(&certificate, &none);
        assert_eq!(refused.err(), Some(ConfigError::InvalidKey));
    }

    #[test]
    fn an_identity_is_read_from_pem() {
        let made = rcgen::generate_simple_self_signed(["server.example".to_string()]);
        let made = made.expect("a certificate");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        assert!(DtlsIdentity::from_pem(&certificate, &key).is_ok());
        let both = [certificate.clone(), key.clone()].concat();
        assert!(DtlsIdentity::from_pem(&both, &both).is_ok());
        let refused = DtlsIdentity::from_pem(&key, &key).err();
        assert_eq!(refused, Some(ConfigError::NoCertificate));
        let refused = DtlsIdentity::from_pem(&certificate, &certificate).err();
        assert_eq!(refused, Some(ConfigError::NoKey));
    }

    #[test]
    fn nobody_has_a_key_of_its_own_and_no_name() {
        let (one, other) = (nobody().expect("random"), nobody().expect("random"));
        assert_ne!(one.private_key, other.private_key);
        for identity in [one, other] {
            // The parser of paths takes no certificate of version 1; the one of the engine does.
            assert!(matches!(check(&identity), Err(ConfigError::Certificate(_))));
            let mut key = provider::provider()
                .key_provider
                .load_private_key(&identity.private_key);
            assert!(key.as_mut().is_ok_and(|key| {
                let mut signature = Buf::new();
                key.sign(b"text", key.hash_algorithm(), &mut signature)
                    .is_ok()
                    && provider::provider()
                        .signature_verification
                        .verify_signature(
                            &identity.certificate,
                            b"text",
                            &signature,
                            key.hash_algorithm(),
                            key.algorithm(),
                        )
                        .is_ok()
            }));
        }
    }
}
