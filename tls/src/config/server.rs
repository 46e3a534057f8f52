//! Servers.

use alloc::sync::Arc;

/// What the connections of a server share: how it proves who it is, and what it remembers for resumption.
///
/// Cheap to clone. Any [`rustls::ServerConfig`](crate::rustls::ServerConfig) makes one too.
///
/// ```
/// # #[cfg(feature = "ring")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tacket_tls::{Identity, ServerConfig};
///
/// # let made = rcgen::generate_simple_self_signed(["example.org".to_owned()])?;
/// # let (certificates, key) = (made.cert.pem(), made.signing_key.serialize_pem());
/// let identity = Identity::from_pem(certificates, key)?;
/// let config = ServerConfig::builder().with_identity(identity).build()?.with_alpn(&[b"http/1.1"]);
/// # let _ = config;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ring"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub(crate) inner: Arc<rustls::ServerConfig>,
}

impl ServerConfig {
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
