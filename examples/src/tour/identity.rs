//! Servers that can prove who they are, with certificates made on the spot.

use tacket_tls::pki_types::pem::PemObject as _;
use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer};
use tacket_tls::{ClientConfig, ServerConfig, TlsStream};

use crate::visit::Failure;

/// The name in every certificate. Nobody looks it up.
const NAME: &str = "tour.example";

/// A certificate with its key, which lives as long as the tour.
#[derive(Clone)]
pub(crate) struct Identity {
    /// Both as text, so that they can be handed to a child process.
    pem: String,
}

impl Identity {
    /// Makes a new one, different from all others.
    pub(crate) fn new() -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]);
        let made = made.map_err(|error| Failure::new("making a certificate", error))?;
        let pem = made.cert.pem() + &made.signing_key.serialize_pem();
        Ok(Self { pem })
    }

    #[cfg(unix)]
    pub(crate) const fn from_pem(pem: String) -> Self {
        Self { pem }
    }

    #[cfg(unix)]
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A client that talks to the owner of this identity and to nobody else.
    pub(crate) fn client<S>(&self, transport: S) -> Result<TlsStream<S>, Failure> {
        let config = ClientConfig::with_roots([self.certificate()?]).map_err(unusable)?;
        TlsStream::client(transport, &config, NAME).map_err(unusable)
    }

    /// A server with this identity.
    pub(crate) fn server<S>(&self, transport: S) -> Result<TlsStream<S>, Failure> {
        let key = PrivateKeyDer::from_pem_slice(self.pem.as_bytes()).map_err(unusable)?;
        let chain = vec![self.certificate()?];
        let config = ServerConfig::with_certificate(chain, key).map_err(unusable)?;
        TlsStream::server(transport, &config).map_err(unusable)
    }

    fn certificate(&self) -> Result<CertificateDer<'static>, Failure> {
        CertificateDer::from_pem_slice(self.pem.as_bytes()).map_err(unusable)
    }
}

fn unusable(error: impl core::fmt::Display) -> Failure {
    Failure::new("setting up TLS", error)
}
