//! Who one is.

use alloc::format;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::path::Path;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::provider::Provider;
use crate::error::ConfigError;

/// A certificate chain and the private key that belongs to it: how a server, or a client that is asked to, proves who it is.
///
/// ```no_run
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{Identity, ServerConfig};
///
/// let identity = Identity::from_pem_files("fullchain.pem", "privkey.pem")?;
/// let config = ServerConfig::builder().with_identity(identity).build()?;
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The certificate itself is the first of `chain`. Whether `key` belongs to it is checked when a configuration is built.
    #[must_use]
    pub const fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// All certificates of one text in PEM, the own one first, and the first private key of another; they may be the same.
    ///
    /// Keys are in PKCS #8, PKCS #1 or SEC 1, without a password.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoCertificate`], [`ConfigError::NoKey`]: there is none. [`ConfigError::Pem`]: it is damaged.
    pub fn from_pem(
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let chain = certificates_in(certificates.as_ref())?;
        if chain.is_empty() {
            return Err(ConfigError::NoCertificate);
        }
        match PrivateKeyDer::from_pem_slice(key.as_ref()) {
            Ok(key) => Ok(Self { chain, key }),
            Err(PemError::NoItemsFound) => Err(ConfigError::NoKey),
            Err(error) => Err(error.into()),
        }
    }

    /// The same with files, which may be the same one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::File`]: one cannot be read. Otherwise as of [`from_pem`](Self::from_pem).
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, ConfigError> {
        Self::from_pem(read(certificates.as_ref())?, read(key.as_ref())?)
    }

    pub(super) fn certify(self, provider: &Provider) -> Result<Arc<CertifiedKey>, ConfigError> {
        if self.chain.is_empty() {
            return Err(ConfigError::NoCertificate);
        }
        match CertifiedKey::from_der(self.chain, self.key, &provider.inner) {
            Ok(certified) => Ok(Arc::new(certified)),
            Err(rustls::Error::InconsistentKeys(_)) => Err(ConfigError::KeyMismatch),
            Err(error) => Err(error.into()),
        }
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key: it is secret.
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl From<PemError> for ConfigError {
    fn from(error: PemError) -> Self {
        // Nothing of the text itself: it may be a key.
        let problem = match error {
            PemError::MissingSectionEnd { .. } => "a section does not end",
            PemError::IllegalSectionStart { .. } => "a section begins with a damaged line",
            PemError::Base64Decode(_) => "a section is not in base64",
            PemError::SectionTooLarge => "a section is too long",
            _ => "it cannot be read",
        };
        Self::Pem(problem.to_string())
    }
}

/// All certificates of a text in PEM.
pub(super) fn certificates_in(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    const START: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    // One that does not begin a line, as where a file without a last newline was put before another, would be passed over.
    let starts = pem.windows(START.len()).filter(|&place| place == START);
    if starts.count() > certificates.len() {
        let problem = "a certificate does not begin on a line of its own";
        return Err(ConfigError::Pem(problem.to_string()));
    }
    Ok(certificates)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::File(format!("{}: {error}", path.display())))
}
