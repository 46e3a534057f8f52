//! Clients.

use alloc::sync::Arc;

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
