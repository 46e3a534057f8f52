//! Who computes.

use alloc::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The implementation of the algorithms.
///
/// Without a choice it is `ring` where that feature is on, and else AWS-LC.
///
/// ```
/// use tacket_tls::{ClientConfig, Provider};
///
/// let builder = ClientConfig::builder().with_provider(Provider::default());
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
pub struct Provider {
    pub(super) inner: Arc<CryptoProvider>,
}

impl Provider {
    /// `ring`: needs nothing but a C compiler.
    #[cfg(feature = "ring")]
    #[must_use]
    pub fn ring() -> Self {
        rustls::crypto::ring::default_provider().into()
    }

    /// AWS-LC. It can do what quantum computers do not break: the hybrid key exchange X25519MLKEM768, which is its first choice.
    #[cfg(feature = "aws-lc-rs")]
    #[must_use]
    pub fn aws_lc_rs() -> Self {
        rustls::crypto::aws_lc_rs::default_provider().into()
    }
}

impl Default for Provider {
    fn default() -> Self {
        #[cfg(feature = "ring")]
        return Self::ring();
        #[cfg(not(feature = "ring"))]
        return Self::aws_lc_rs();
    }
}

impl From<CryptoProvider> for Provider {
    fn from(provider: CryptoProvider) -> Self {
        Arc::new(provider).into()
    }
}

impl From<Arc<CryptoProvider>> for Provider {
    fn from(inner: Arc<CryptoProvider>) -> Self {
        Self { inner }
    }
}
