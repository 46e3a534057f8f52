//! The name that a client asks a server for (SNI). rustls tells a server of it only when the certificate is chosen.

use alloc::boxed::Box;
use alloc::sync::Arc;

use once_cell::race::OnceBox;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::ServerName;

/// The name, once it is known. In small letters.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskedName(Arc<OnceBox<Box<str>>>);

impl AskedName {
    /// What a client asks for by this configuration.
    pub(crate) fn of_client(config: &rustls::ClientConfig, name: &ServerName<'_>) -> Self {
        let asked = Self::default();
        if let (true, ServerName::DnsName(name)) = (config.enable_sni, name) {
            asked.note(name.as_ref());
        }
        asked
    }

    /// What is asked of a server, and the configuration that finds it out: otherwise the same.
    pub(crate) fn of_server(config: &rustls::ServerConfig) -> (Self, rustls::ServerConfig) {
        let (asked, mut config) = (Self::default(), config.clone());
        config.cert_resolver = Arc::new(Noting {
            asked: asked.clone(),
            resolver: config.cert_resolver,
        });
        (asked, config)
    }

    fn note(&self, name: &str) {
        // A client that has to begin anew asks twice, for the same name.
        self.0
            .get_or_init(|| Box::new(name.to_ascii_lowercase().into()));
    }

    pub(crate) fn get(&self) -> Option<Box<str>> {
        self.0.get().cloned()
    }
}

/// Notes the name, and leaves the choice to another.
#[derive(Debug)]
struct Noting {
    asked: AskedName,
    resolver: Arc<dyn ResolvesServerCert>,
}

impl ResolvesServerCert for Noting {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(name) = hello.server_name() {
            self.asked.note(name);
        }
        self.resolver.resolve(hello)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.resolver.only_raw_public_keys()
    }
}
