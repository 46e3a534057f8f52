//! Whom to trust.

use alloc::sync::Arc;
use alloc::vec::Vec;
use std::path::Path;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;

use super::identity::{certificates_in, read};
use super::pinning::{Pinned, PinningVerifier};
use super::provider::Provider;
use crate::error::ConfigError;
use crate::fingerprint::Fingerprint;

/// Whom a client, or a server that asks clients for certificates, trusts.
///
/// There is none that trusts everybody.
///
/// ```no_run
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{ClientConfig, Trust};
///
/// let ours = Trust::in_pem_file("our-authority.pem")?;
/// let config = ClientConfig::builder().with_trust(ours).build()?;
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Trust(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Roots(Arc<RootCertStore>),
    Pinned(Pinned, Vec<Fingerprint>),
    #[cfg(feature = "platform-roots")]
    Platform,
}

impl Trust {
    /// In those whose certificate leads to one of `roots`, and no other.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: `roots` is empty. [`ConfigError::Engine`]: one of them is not a certificate.
    pub fn in_roots(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, ConfigError> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root)?;
        }
        if store.is_empty() {
            return Err(ConfigError::NoRoots);
        }
        Ok(Self(Kind::Roots(store.into())))
    }

    /// The same, with all certificates of a text in PEM. What else is in it is passed over.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: there is no certificate in it. [`ConfigError::Pem`]: it is damaged. [`ConfigError::Engine`]: one of them is not a certificate.
    pub fn in_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::in_roots(certificates_in(pem.as_ref())?)
    }

    /// The same, with a file in PEM.
    ///
    /// # Errors
    ///
    /// [`ConfigError::File`]: it cannot be read. Otherwise as of [`in_pem`](Self::in_pem).
    pub fn in_pem_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::in_pem(read(path.as_ref())?)
    }

    /// In servers that the operating system, as its owner has set it up, trusts. Not for the clients of a server.
    ///
    /// Where the system checks certificates itself (Windows, macOS), it does so here, with its rules about revocation.
    /// Elsewhere its roots are read when the configuration is built.
    #[cfg(feature = "platform-roots")]
    #[must_use]
    pub const fn in_platform() -> Self {
        Self(Kind::Platform)
    }

    /// In those who have one of these certificates, whoever signed it, whatever name it is for, and whenever it expires.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: there is none.
    pub fn in_certificates(
        fingerprints: impl IntoIterator<Item = Fingerprint>,
    ) -> Result<Self, ConfigError> {
        Self::pinned(Pinned::Certificate, fingerprints)
    }

    /// In those who have one of these keys, whatever their certificate says.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: there is none.
    pub fn in_keys(
        fingerprints: impl IntoIterator<Item = Fingerprint>,
    ) -> Result<Self, ConfigError> {
        Self::pinned(Pinned::Key, fingerprints)
    }

    fn pinned(
        what: Pinned,
        fingerprints: impl IntoIterator<Item = Fingerprint>,
    ) -> Result<Self, ConfigError> {
        let fingerprints: Vec<_> = fingerprints.into_iter().collect();
        if fingerprints.is_empty() {
            return Err(ConfigError::NoRoots);
        }
        Ok(Self(Kind::Pinned(what, fingerprints)))
    }

    /// What checks the certificates of servers.
    pub(super) fn of_servers(
        self,
        provider: &Provider,
    ) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
        let provider = provider.inner.clone();
        match self.0 {
            Kind::Roots(roots) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
                // It complains of revocation lists and of no roots, and has neither.
                Ok(verifier.build().map_err(|_| ConfigError::NoRoots)?)
            }
            Kind::Pinned(pinned, fingerprints) => Ok(Arc::new(PinningVerifier {
                pinned,
                fingerprints,
                provider,
                mandatory: true,
            })),
            #[cfg(feature = "platform-roots")]
            Kind::Platform => match rustls_platform_verifier::Verifier::new(provider) {
                Ok(verifier) => Ok(Arc::new(verifier)),
                Err(error) => Err(ConfigError::PlatformRoots(alloc::format!("{error}"))),
            },
        }
    }

    /// What checks the certificates of clients, and whether all must have one.
    pub(super) fn of_clients(
        self,
        mandatory: bool,
        provider: &Provider,
    ) -> Result<Arc<dyn ClientCertVerifier>, ConfigError> {
        let provider = provider.inner.clone();
        match self.0 {
            Kind::Roots(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = if mandatory {
                    verifier
                } else {
                    verifier.allow_unauthenticated()
                };
                Ok(verifier.build().map_err(|_| ConfigError::NoRoots)?)
            }
            Kind::Pinned(pinned, fingerprints) => Ok(Arc::new(PinningVerifier {
                pinned,
                fingerprints,
                provider,
                mandatory,
            })),
            #[cfg(feature = "platform-roots")]
            Kind::Platform => Err(ConfigError::PlatformRoots(
                "the system's trust is in servers, not in clients".into(),
            )),
        }
    }
}
