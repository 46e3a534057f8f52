//! What a client trusts, and what a server proves.

use alloc::sync::Arc;

#[cfg(feature = "ring")]
use alloc::vec::Vec;
#[cfg(feature = "ring")]
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::ConfigError;

/// The longest name of a protocol (RFC 7301, 3.1).
const MAX_PROTOCOL: usize = 255;

/// How long the names of all protocols may be together, each with a byte for its length, so that they fit the first message
/// together with whatever else is in it.
const MAX_PROTOCOLS: usize = 1 << 14;

/// What the clients of a program share: whom they trust, and what they remember for resumption.
///
/// Cheap to clone. Any [`rustls::ClientConfig`](crate::rustls::ClientConfig) makes one too.
///
/// ```
/// # #[cfg(feature = "ring")]
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::ClientConfig;
///
/// # let authority = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
/// # let root = authority.cert.der().clone();
/// let config = ClientConfig::with_roots([root])?.with_alpn(&[b"h2", b"http/1.1"]);
/// # let _ = config;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ring"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct ClientConfig {
    pub(crate) inner: Arc<rustls::ClientConfig>,
}

impl ClientConfig {
    /// Trusts the servers whose certificate leads to one of `roots`, and no other.
    ///
    /// TLS 1.2 and 1.3, with the provider `ring`. The server's name is checked too.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: `roots` is empty. [`ConfigError::Engine`]: one of them is not a certificate.
    #[cfg(feature = "ring")]
    pub fn with_roots(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, ConfigError> {
        let mut store = rustls::RootCertStore::empty();
        for root in roots {
            store.add(root)?;
        }
        if store.is_empty() {
            return Err(ConfigError::NoRoots);
        }
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(config.into())
    }

    /// Offers these protocols by ALPN (RFC 7301), the preferred one first.
    ///
    /// A name has 1 to 255 bytes, and all together have at most 16 KiB: otherwise no stream can be made with this.
    #[must_use]
    pub fn with_alpn(mut self, protocols: &[&[u8]]) -> Self {
        let config = Arc::make_mut(&mut self.inner);
        config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        self
    }
}

impl From<rustls::ClientConfig> for ClientConfig {
    fn from(config: rustls::ClientConfig) -> Self {
        Arc::new(config).into()
    }
}

impl From<Arc<rustls::ClientConfig>> for ClientConfig {
    fn from(inner: Arc<rustls::ClientConfig>) -> Self {
        Self { inner }
    }
}

/// What the connections of a server share: how it proves who it is, and what it remembers for resumption.
///
/// Cheap to clone. Any [`rustls::ServerConfig`](crate::rustls::ServerConfig) makes one too.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub(crate) inner: Arc<rustls::ServerConfig>,
}

impl ServerConfig {
    /// Proves itself with `chain`, its own certificate first, and the `key` that belongs to that.
    ///
    /// TLS 1.2 and 1.3, with the provider `ring`. Clients stay anonymous.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Engine`]: there is no certificate, or the key is of no supported kind or does not belong to it.
    #[cfg(feature = "ring")]
    pub fn with_certificate(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, ConfigError> {
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(config.into())
    }

    /// Accepts these protocols by ALPN (RFC 7301), the preferred one first.
    ///
    /// A name has 1 to 255 bytes, and all together have at most 16 KiB: otherwise no stream can be made with this.
    #[must_use]
    pub fn with_alpn(mut self, protocols: &[&[u8]]) -> Self {
        let config = Arc::make_mut(&mut self.inner);
        config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        self
    }
}

impl From<rustls::ServerConfig> for ServerConfig {
    fn from(config: rustls::ServerConfig) -> Self {
        Arc::new(config).into()
    }
}

impl From<Arc<rustls::ServerConfig>> for ServerConfig {
    fn from(inner: Arc<rustls::ServerConfig>) -> Self {
        Self { inner }
    }
}

/// Whether a message can be made of these names.
pub(crate) fn check_protocols<N: AsRef<[u8]>>(names: &[N]) -> Result<(), ConfigError> {
    let mut total = 0;
    for name in names.iter().map(AsRef::as_ref) {
        total += 1 + name.len();
        if !(1..=MAX_PROTOCOL).contains(&name.len()) || total > MAX_PROTOCOLS {
            return Err(ConfigError::InvalidProtocol);
        }
    }
    Ok(())
}

#[cfg(feature = "ring")]
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
