//! What makes clients without a heap.

use core::fmt;

use embedded_tls::CryptoRngCore;
use rustls_pki_types::ServerName;

use super::engine::GuardedEngine;
use super::settings::GuardedClientConfig;
use super::storage::TlsStorage;
use super::suite::{GuardAes128, GuardSuite};
use crate::connector::TlsConnector;
use crate::error::ConfigError;
use crate::stream::TlsStream;

/// A client's configuration with what it needs for one session without a heap: random bytes, and memory.
///
/// The host that it connects to has to be the one that its configuration is for.
///
/// ```
/// use tacket::{AsyncResource, ConnectOptions, Network, SendStream};
/// use tacket_tls::{CryptoRngCore, GuardedClientConfig, GuardedConnector, TlsStorage, open_tls_over_tcp_stream};
///
/// /// Sends a line to port 7000 of a host.
/// async fn report<N: Network>(
///     network: &N,
///     host: &str,
///     config: &GuardedClientConfig<'_>,
///     rng: &mut dyn CryptoRngCore,
///     storage: &mut TlsStorage<16_645, 1024>,
/// ) -> Option<()> {
///     let two = ConnectOptions::new().addresses::<2>();
///     let connector = GuardedConnector::new(config, rng, storage);
///     let opening = open_tls_over_tcp_stream(network, host, 7000, two, connector);
///     let mut stream = opening.await.ok()?;
///     stream.send_all(b"all is well\n").await.ok()?;
///     stream.close().await.ok()
/// }
/// ```
pub struct GuardedConnector<'r, 'b, const RX: usize, const TX: usize, C = GuardAes128> {
    config: &'b GuardedClientConfig<'b, C>,
    rng: &'r mut dyn CryptoRngCore,
    storage: &'b mut TlsStorage<RX, TX>,
}

impl<'r, 'b, const RX: usize, const TX: usize, C> GuardedConnector<'r, 'b, RX, TX, C> {
    /// Takes them for one session.
    pub const fn new(
        config: &'b GuardedClientConfig<'b, C>,
        rng: &'r mut dyn CryptoRngCore,
        storage: &'b mut TlsStorage<RX, TX>,
    ) -> Self {
        Self {
            config,
            rng,
            storage,
        }
    }
}

impl<'b, const RX: usize, const TX: usize, C: GuardSuite> TlsConnector
    for GuardedConnector<'_, 'b, RX, TX, C>
{
    type Engine = GuardedEngine<'b, C>;

    fn check(&self, host: &str) -> Result<(), ConfigError> {
        match ServerName::try_from(host) {
            Ok(name) if name == self.config.name => Ok(()),
            _ => Err(ConfigError::InvalidName),
        }
    }

    fn connect<S>(
        self,
        transport: S,
        host: &str,
    ) -> Result<TlsStream<S, Self::Engine>, ConfigError> {
        self.check(host)?;
        TlsStream::guarded_client(transport, self.config, self.rng, self.storage)
    }
}

impl<const RX: usize, const TX: usize, C> fmt::Debug for GuardedConnector<'_, '_, RX, TX, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedConnector").finish_non_exhaustive()
    }
}
