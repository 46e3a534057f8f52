//! The choices for clients.

use alloc::sync::Arc;

use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::CertificateDer;

use super::{Identity, Provider, Trust};
use crate::config::ClientConfig;
use crate::error::ConfigError;

impl ClientConfig {
    /// Trusts the servers whose certificate leads to one of `roots`, and no other.
    ///
    /// TLS 1.2 and 1.3, with the default [`Provider`]. The server's name is checked too.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: `roots` is empty. [`ConfigError::Engine`]: one of them is not a certificate.
    pub fn with_roots(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, ConfigError> {
        Self::builder().with_trust(Trust::in_roots(roots)?).build()
    }

    /// For every other choice.
    #[must_use]
    pub const fn builder() -> ClientConfigBuilder {
        ClientConfigBuilder {
            trust: None,
            identity: None,
            provider: None,
        }
    }

    /// Shakes hands in full each time. Otherwise a second connection to a server goes on where the first one was, which is faster.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        Arc::make_mut(&mut self.inner).resumption = Resumption::disabled();
        self
    }

    /// Writes the keys of each session to the file that the environment variable `SSLKEYLOGFILE` names, for tools such as
    /// Wireshark. Whoever can read it can read everything. Without that variable nothing is written.
    #[must_use]
    pub fn with_key_log(mut self) -> Self {
        Arc::make_mut(&mut self.inner).key_log = Arc::new(rustls::KeyLogFile::new());
        self
    }
}

/// The choices for a [`ClientConfig`]. TLS 1.2 and 1.3.
///
/// ```
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{ClientConfig, Fingerprint, Trust};
///
/// let device: Fingerprint =
///     "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".parse()?;
/// let config = ClientConfig::builder().with_trust(Trust::in_certificates([device])?).build()?;
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientConfigBuilder {
    trust: Option<Trust>,
    identity: Option<Identity>,
    provider: Option<Provider>,
}

impl ClientConfigBuilder {
    /// Trusts these servers, and no other.
    #[must_use]
    pub fn with_trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Proves itself with this to a server that asks for it.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Uses these algorithms.
    #[must_use]
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Makes the configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: it was not said whom to trust. [`ConfigError::PlatformRoots`]: the system's roots cannot be had.
    /// [`ConfigError::NoCertificate`], [`ConfigError::KeyMismatch`]: of its own identity. [`ConfigError::Engine`]: the provider does
    /// not take the key, or does not fit TLS.
    pub fn build(self) -> Result<ClientConfig, ConfigError> {
        let provider = self.provider.unwrap_or_default();
        let verifier = self.trust.ok_or(ConfigError::NoRoots)?;
        let verifier = verifier.of_servers(&provider)?;
        let builder = rustls::ClientConfig::builder_with_provider(provider.inner.clone())
            .with_safe_default_protocol_versions()?
            // All verifiers are of this crate, of rustls or of the platform, and check.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match self.identity {
            Some(identity) => {
                let certified = identity.certify(&provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
            None => builder.with_no_client_auth(),
        };
        Ok(config.into())
    }
}
