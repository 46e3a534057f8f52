//! What both ends agree on: one provider, one cipher suite, a certificate of ECDSA on P-256. A process makes its own.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;

use tacket_tests::{Authority, NAME};
use tacket_tls::pki_types::ServerName;
use tacket_tls::rustls::client::Resumption;
use tacket_tls::rustls::crypto::CryptoProvider;
use tacket_tls::rustls::crypto::ring::{cipher_suite, default_provider};
use tacket_tls::rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use tacket_tls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::plan::Setting;

static ENDS: OnceLock<Ends> = OnceLock::new();

#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
    sessions: Arc<Sessions>,
    resume: bool,
    connected: AtomicU64,
}

/// Makes the configurations of this process.
pub(crate) fn prepare(setting: Setting) {
    let made = ENDS.set(Ends::new(setting.resume));
    made.expect("a process plays one part");
}

/// The configurations of this process.
pub(crate) fn ends() -> &'static Ends {
    ENDS.get().expect("they were prepared")
}

/// The name of the server.
pub(crate) fn name() -> ServerName<'static> {
    NAME.try_into().expect("a name")
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_256_GCM_SHA384];
    provider.into()
}

impl Ends {
    fn new(resume: bool) -> Self {
        let authority = Authority::new();
        let mut roots = RootCertStore::empty();
        roots.add(authority.root()).unwrap();
        let (certificate, key) = authority.certify(&[NAME], |_| {});
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !resume {
            client.resumption = Resumption::disabled();
        }
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let sessions = Arc::new(Sessions {
            cache: ServerSessionMemoryCache::new(256), // rustls' own default
            resumed: AtomicU64::new(0),
        });
        server.session_storage = Arc::clone(&sessions) as Arc<dyn StoresServerSessions>;
        Self {
            client: client.into(),
            server: server.into(),
            sessions,
            resume,
            connected: AtomicU64::new(0),
        }
    }

    /// Demands, of a client that has its connection to a server of this process, that it resumed a session, or did not, as was
    /// asked for.
    pub(crate) fn check_connected(&self) {
        let before = self.connected.fetch_add(1, Ordering::Relaxed);
        let resumed = self.sessions.resumed.load(Ordering::Relaxed);
        assert_eq!(resumed, if self.resume { before } else { 0 });
    }
}

/// Counts the sessions that were resumed.
#[derive(Debug)]
struct Sessions {
    cache: Arc<ServerSessionMemoryCache>,
    resumed: AtomicU64,
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.cache.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let session = self.cache.take(key)?;
        self.resumed.fetch_add(1, Ordering::Relaxed);
        Some(session)
    }

    fn can_cache(&self) -> bool {
        true
    }
}
