//! The choices for servers.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use rustls::client::verify_server_name;
use rustls::server::{
    ClientHello, NoClientAuth, NoServerSessionStorage, ParsedCertificate, ProducesTickets,
    ResolvesServerCert,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, DnsName, PrivateKeyDer, ServerName};

use super::{Identity, Provider, Trust};
use crate::config::ServerConfig;
use crate::error::ConfigError;

impl ServerConfig {
    /// Proves itself with `chain`, its own certificate first, and the `key` that belongs to that.
    ///
    /// TLS 1.2 and 1.3, with the default [`Provider`]. Clients stay anonymous.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoCertificate`]: `chain` is empty. [`ConfigError::KeyMismatch`]: the key does not belong to it.
    /// [`ConfigError::Engine`]: the key is of no supported kind.
    pub fn with_certificate(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, ConfigError> {
        let identity = Identity::new(chain, key);
        Self::builder().with_identity(identity).build()
    }

    /// For every other choice.
    #[must_use]
    pub const fn builder() -> ServerConfigBuilder {
        ServerConfigBuilder {
            identity: None,
            names: Vec::new(),
            clients: None,
            provider: None,
        }
    }

    /// Shakes hands in full each time. Otherwise it remembers a few hundred sessions, which go on faster.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        let config = Arc::make_mut(&mut self.inner);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Arc::new(NoTickets);
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

/// The choices for a [`ServerConfig`]. TLS 1.2 and 1.3.
///
/// ```no_run
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{Identity, ServerConfig, Trust};
///
/// let config = ServerConfig::builder()
///     .with_name("example.org", Identity::from_pem_files("org.pem", "org-key.pem")?)
///     .with_name("example.com", Identity::from_pem_files("com.pem", "com-key.pem")?)
///     .with_clients(Trust::in_pem_file("members.pem")?)
///     .build()?;
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServerConfigBuilder {
    identity: Option<Identity>,
    names: Vec<(String, Identity)>,
    /// Whom to trust, and whether there are no others.
    clients: Option<(Trust, bool)>,
    provider: Option<Provider>,
}

impl ServerConfigBuilder {
    /// Proves itself with this, to all who ask for no name, or for one that has no identity of its own.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Proves itself with this to clients that ask for `name` (SNI, RFC 6066).
    ///
    /// Those who ask for a name that nobody has are refused, with the alert `access_denied`, unless there is
    /// [an identity](Self::with_identity) for all others.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>, identity: Identity) -> Self {
        self.names.push((name.into(), identity));
        self
    }

    /// Demands a certificate of each client, and trusts these ones.
    ///
    /// Of this and [`with_optional_clients`](Self::with_optional_clients) the last call counts.
    #[must_use]
    pub fn with_clients(mut self, trust: Trust) -> Self {
        self.clients = Some((trust, true));
        self
    }

    /// Asks each client for a certificate. One that has none stays anonymous; one that has another is refused.
    ///
    /// Of this and [`with_clients`](Self::with_clients) the last call counts: after that one, clients may be anonymous all the same.
    #[must_use]
    pub fn with_optional_clients(mut self, trust: Trust) -> Self {
        self.clients = Some((trust, false));
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
    /// [`ConfigError::NoCertificate`]: there is no identity, or one without a certificate. [`ConfigError::KeyMismatch`]: a key does
    /// not belong to its certificate. [`ConfigError::InvalidName`], [`ConfigError::NameMismatch`]: a name is none, or not in its
    /// certificate. [`ConfigError::PlatformRoots`]: those are not for clients. [`ConfigError::Engine`]: the provider does not take
    /// a key or a certificate, or does not fit TLS.
    pub fn build(self) -> Result<ServerConfig, ConfigError> {
        let provider = self.provider.unwrap_or_default();
        let mut identities = Identities::default();
        if let Some(identity) = self.identity {
            identities.other = Some(identity.certify(&provider)?);
        }
        for (name, identity) in self.names {
            identities.add(&name, identity.certify(&provider)?)?;
        }
        if identities.other.is_none() && identities.by_name.is_empty() {
            return Err(ConfigError::NoCertificate);
        }
        let clients = match self.clients {
            Some((trust, mandatory)) => trust.of_clients(mandatory, &provider)?,
            None => Arc::new(NoClientAuth),
        };
        let config = rustls::ServerConfig::builder_with_provider(provider.inner)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(identities));
        Ok(config.into())
    }
}

/// Who the server is to whom.
#[derive(Debug, Default)]
struct Identities {
    /// In small letters.
    by_name: BTreeMap<String, Arc<CertifiedKey>>,
    other: Option<Arc<CertifiedKey>>,
}

impl Identities {
    fn add(&mut self, name: &str, certified: Arc<CertifiedKey>) -> Result<(), ConfigError> {
        let dns_name = DnsName::try_from(name).map_err(|_| ConfigError::InvalidName)?;
        let dns_name = dns_name.to_lowercase_owned();
        let key = dns_name.as_ref().to_string();
        let certificate = ParsedCertificate::try_from(certified.end_entity_cert()?)?;
        verify_server_name(&certificate, &ServerName::DnsName(dns_name))
            .map_err(|_| ConfigError::NameMismatch(key.clone()))?;
        self.by_name.insert(key, certified);
        Ok(())
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            self.by_name.get(&name)
        });
        asked.or(self.other.as_ref()).cloned()
    }
}

/// What makes no tickets, and takes none.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
