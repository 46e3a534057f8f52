//! The name that a client asks a server for (SNI). rustls tells a server of it only when the certificate is chosen.

use alloc::boxed::Box;
use alloc::sync::Arc;

use once_cell::race::OnceBox;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::ServerName;

/// What is known of the name, in small letters.
#[derive(Debug)]
pub(crate) enum AskedName {
    /// The handshake of a server may still bring it.
    Awaited(Cell),
    Known(Option<Box<str>>),
}

type Cell = Arc<OnceBox<Box<str>>>;

impl AskedName {
    /// What a client asks for by this configuration.
    pub(crate) fn of_client(config: &rustls::ClientConfig, name: &ServerName<'_>) -> Self {
        Self::Known(match name {
            ServerName::DnsName(name) if config.enable_sni => Some(in_small_letters(name.as_ref())),
            _ => None,
        })
    }

    /// What is asked of a server, and the configuration that finds it out: otherwise the same.
    pub(crate) fn of_server(config: &rustls::ServerConfig) -> (Self, rustls::ServerConfig) {
        let (asked, mut config) = (Cell::default(), config.clone());
        config.cert_resolver = Arc::new(Noting {
            asked: Arc::clone(&asked),
            resolver: config.cert_resolver,
        });
        (Self::Awaited(asked), config)
    }

    /// The handshake is done: what was not asked for by now never is.
    pub(crate) fn settle(&mut self) {
        if let Self::Awaited(asked) = self {
            *self = Self::Known(asked.get().cloned());
        }
    }

    pub(crate) fn get(&self) -> Option<Box<str>> {
        match self {
            Self::Awaited(asked) => asked.get().cloned(),
            Self::Known(name) => name.clone(),
        }
    }
}

fn in_small_letters(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into()
}

/// Notes the name, and leaves the choice to another.
#[derive(Debug)]
struct Noting {
    asked: Cell,
    resolver: Arc<dyn ResolvesServerCert>,
}

impl ResolvesServerCert for Noting {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(name) = hello.server_name() {
            // A client that has to begin anew asks twice, for the same name.
            self.asked.get_or_init(|| Box::new(in_small_letters(name)));
        }
        self.resolver.resolve(hello)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.resolver.only_raw_public_keys()
    }
}
