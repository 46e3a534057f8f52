//! What the ends of DTLS are configured with.

use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use dimpl::{Config, ConfigBuilder, DtlsCertificate, PskResolver};

use super::engine::Settings;
use super::error::DtlsProblem;
use super::identity::{self, DtlsIdentity};
use super::provider;
use super::sizes::QUEUE;
use super::trust::DtlsTrust;
use crate::error::ConfigError;

/// An association of DTLS 1.3 is over before its keys have to change: `dimpl` 0.9 changes them only when something comes, and may lose the association where both ends
/// do at the same time.
const UNLIMITED: u64 = u64::MAX;
/// Longer than any handshake. The limit is the caller's.
const YEARS: Duration = Duration::from_secs(9 * 365 * 24 * 60 * 60);
/// For how many settings the engine's configuration is kept: making one tries all its algorithms.
const KEPT: usize = 16;
/// The identity of a pre-shared key is sent with a length of two bytes.
const LONGEST_IDENTITY: usize = 0xffff;

/// A pre-shared key (PSK), which both ends know, and its identity, by which they know it.
///
/// The suite is `TLS_PSK_WITH_AES_128_CCM_8` (RFC 6655), which has no forward secrecy: whoever learns the key later can read what was recorded. A key is for one pair of ends, of which
/// one is always the client (RFC 9257, 4.1): where an endpoint uses it in both roles, somebody who sends its datagrams back can make it its own peer. A client whose key or identity the
/// server does not know gets no error: it begins anew until its caller gives up.
///
/// ```
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{DtlsClientConfig, DtlsPsk};
///
/// let config = DtlsClientConfig::with_psk(DtlsPsk::new("sensor 17", [7; 32])?);
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DtlsPsk {
    identity: Arc<[u8]>,
    key: Vec<u8>,
}

impl DtlsPsk {
    /// The key must be random, and no password: whoever sees a handshake can try passwords.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidPsk`]: the key has no bytes, so everybody knows it, or the identity has more than the 65,535 that can be sent (RFC 4279, 5.3).
    pub fn new(identity: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let identity: Arc<[u8]> = identity.as_ref().into();
        let key = key.as_ref().to_vec();
        let is_valid = !key.is_empty() && identity.len() <= LONGEST_IDENTITY;
        match is_valid {
            true => Ok(Self { identity, key }),
            false => Err(ConfigError::InvalidPsk),
        }
    }
}

impl fmt::Debug for DtlsPsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key: it is secret.
        f.debug_struct("DtlsPsk").finish_non_exhaustive()
    }
}

/// Keys by their names.
pub(super) struct Keys(Vec<DtlsPsk>);

impl PskResolver for Keys {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        let known = self.0.iter().find(|known| *known.identity == *identity)?;
        provider::found(&known.identity);
        Some(known.key.clone())
    }
}

/// Whom a client of DTLS trusts, and who it is.
///
/// Clones share what they have in common.
///
/// ```
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{DtlsClientConfig, DtlsTrust, Fingerprint};
///
/// let pinned = Fingerprint::new([7; 32]);
/// let config = DtlsClientConfig::new(DtlsTrust::in_certificates([pinned])?)?;
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DtlsClientConfig(pub(super) Arc<Profile>);

/// How a server of DTLS proves who it is, and whom it serves.
///
/// Clones share what they have in common.
///
/// ```
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{DtlsPsk, DtlsServerConfig};
///
/// let config = DtlsServerConfig::with_psks([DtlsPsk::new("sensor 17", [7; 32])?])?;
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DtlsServerConfig(pub(super) Arc<Profile>);

impl DtlsClientConfig {
    /// Speaks DTLS 1.2 to servers that are trusted.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoEntropy`]: the system has no random bytes.
    pub fn new(trust: DtlsTrust) -> Result<Self, ConfigError> {
        let proof = Proof::Certificate(identity::nobody()?);
        Ok(Self(Arc::new(Profile::new(proof, Some(trust)))))
    }

    /// Speaks DTLS 1.2 to servers that know this key. There are no certificates.
    #[must_use]
    pub fn with_psk(key: DtlsPsk) -> Self {
        Self(Arc::new(Profile::new(Proof::Key(key), None)))
    }

    /// The same, and it shows this identity to servers that ask for one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PskOnly`]: this configuration has a pre-shared key, which excludes certificates.
    pub fn with_identity(&self, identity: DtlsIdentity) -> Result<Self, ConfigError> {
        self.0.demand_certificates()?;
        let proof = Proof::Certificate(identity.0);
        Ok(Self(Arc::new(self.0.with(proof, self.0.version))))
    }

    /// The same with DTLS 1.3, and nothing else: an engine of a client speaks one version.
    ///
    /// Its handshake is done before the server has judged the client's certificate, and a refusal is not told: a client that shows one knows that it was taken only when an
    /// answer comes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PskOnly`]: this configuration has a pre-shared key, which excludes DTLS 1.3.
    pub fn with_dtls13(&self) -> Result<Self, ConfigError> {
        self.0.demand_certificates()?;
        let proof = self.0.proof.clone();
        Ok(Self(Arc::new(self.0.with(proof, Version::Dtls13))))
    }
}

impl DtlsServerConfig {
    /// Proves to be `identity`, and serves everybody, by DTLS 1.2.
    #[must_use]
    pub fn new(identity: DtlsIdentity) -> Self {
        let proof = Proof::Certificate(identity.0);
        Self(Arc::new(Profile::new(proof, None)))
    }

    /// Serves those who know one of these keys, by DTLS 1.2. There are no certificates. Of two keys with the same identity, the first counts.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoPsk`]: there is none.
    pub fn with_psks(keys: impl IntoIterator<Item = DtlsPsk>) -> Result<Self, ConfigError> {
        let keys: Vec<_> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(ConfigError::NoPsk);
        }
        let keys = Proof::Keys(Arc::new(Keys(keys)));
        Ok(Self(Arc::new(Profile::new(keys, None))))
    }

    /// The same, and it serves only clients that show a certificate that is trusted.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PskOnly`]: this configuration has pre-shared keys, which exclude certificates.
    pub fn with_clients(&self, trust: DtlsTrust) -> Result<Self, ConfigError> {
        self.0.demand_certificates()?;
        let mut profile = self.0.with(self.0.proof.clone(), self.0.version);
        profile.trust = Some(trust);
        Ok(Self(Arc::new(profile)))
    }

    /// The same, and it speaks DTLS 1.3 to clients that offer it.
    ///
    /// The engine cannot check the address of such a client without remembering it. There are 64 places for clients that have not proven theirs, and a new one takes
    /// the place of the oldest: a flood of forged hellos can keep clients of DTLS 1.3 out. Those of DTLS 1.2 need a place only if their hello is in several records, with this
    /// setting or without.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PskOnly`]: this configuration has pre-shared keys, which exclude DTLS 1.3.
    pub fn with_dtls13(&self) -> Result<Self, ConfigError> {
        self.0.demand_certificates()?;
        let proof = self.0.proof.clone();
        Ok(Self(Arc::new(self.0.with(proof, Version::Both))))
    }
}

impl fmt::Debug for DtlsClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsClientConfig").finish_non_exhaustive()
    }
}

impl fmt::Debug for DtlsServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsServerConfig").finish_non_exhaustive()
    }
}

/// How an end proves who it is.
#[derive(Clone)]
pub(super) enum Proof {
    Certificate(DtlsCertificate),
    /// Of a client.
    Key(DtlsPsk),
    /// Of a server.
    Keys(Arc<Keys>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Dtls12,
    Dtls13,
    Both,
}

/// What the engines of one configuration have in common.
pub(super) struct Profile {
    pub(super) proof: Proof,
    /// Whose certificates are demanded. `None`: no certificate is.
    pub(super) trust: Option<DtlsTrust>,
    pub(super) version: Version,
    made: Mutex<Vec<(Settings, Arc<Config>)>>,
}

impl Profile {
    const fn new(proof: Proof, trust: Option<DtlsTrust>) -> Self {
        Self {
            proof,
            trust,
            version: Version::Dtls12,
            made: Mutex::new(Vec::new()),
        }
    }

    fn with(&self, proof: Proof, version: Version) -> Self {
        Self {
            proof,
            trust: self.trust.clone(),
            version,
            made: Mutex::new(Vec::new()),
        }
    }

    /// Whether its ends have certificates, and not a key.
    const fn demand_certificates(&self) -> Result<(), ConfigError> {
        match self.proof {
            Proof::Certificate(_) => Ok(()),
            Proof::Key(_) | Proof::Keys(_) => Err(ConfigError::PskOnly),
        }
    }

    /// With these settings, the engine has only this suite from now on.
    #[cfg(test)]
    pub(super) fn limit(&self, settings: Settings, suite: dimpl::crypto::Dtls12CipherSuite) {
        let builder = self.builder(settings).dtls12_cipher_suites(&[suite]);
        let config = Arc::new(builder.build().expect("a configuration"));
        let mut made = self.made.lock().expect("not poisoned");
        made.push((settings, config));
    }

    /// The engine's configuration with these settings.
    pub(super) fn configure(&self, settings: Settings) -> Result<Arc<Config>, DtlsProblem> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made.iter().find(|(known, _)| *known == settings);
        if let Some((_, config)) = known {
            return Ok(Arc::clone(config));
        }
        let config = self.builder(settings).build();
        let config = config.map_err(|error| DtlsProblem::Protocol(error.to_string()))?;
        let config = Arc::new(config);
        if made.len() >= KEPT {
            made.remove(0);
        }
        made.push((settings, Arc::clone(&config)));
        Ok(config)
    }

    fn builder(&self, settings: Settings) -> ConfigBuilder {
        let builder = Config::builder()
            .with_crypto_provider(provider::provider())
            .mtu(settings.mtu)
            .flight_start_rto(settings.retransmit)
            .flight_retries(usize::MAX)
            .handshake_timeout(YEARS)
            .max_queue_rx(QUEUE)
            .max_queue_tx(QUEUE)
            .aead_encryption_limit(UNLIMITED)
            .require_client_certificate(self.trust.is_some());
        match &self.proof {
            Proof::Certificate(_) => builder,
            Proof::Key(key) => {
                let keys = Arc::new(Keys([key.clone()].into()));
                builder.with_psk_client(key.identity.to_vec(), keys)
            }
            Proof::Keys(keys) => builder.with_psk_server(None, Arc::clone(keys) as _),
        }
    }
}
