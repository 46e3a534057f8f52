//! What makes clients, whatever the engine.

#[cfg(feature = "rustls")]
use rustls_pki_types::ServerName;

#[cfg(feature = "rustls")]
use crate::config::{ClientConfig, check_protocols};
use crate::engine::Engine;
use crate::error::ConfigError;
#[cfg(feature = "rustls")]
use crate::rustls_engine::RustlsEngine;
use crate::stream::TlsStream;

/// What makes a client over a transport: whom it trusts, and what its engine needs.
///
/// A function that takes one works with every engine, unchanged. On a desktop, and on a board with a heap, it is a reference to a
/// `ClientConfig`; on a board without one it is a `GuardedConnector`.
///
/// It is not for trait objects: each engine has streams of its own type.
///
/// A client of an engine without a heap can be split only after its handshake. Who splits calls
/// [`do_handshake`](TlsStream::do_handshake) first, which is right with every engine; and says that there are halves by a bound,
/// `TlsStream<S, C::Engine>: Stream`.
///
/// ```
/// use tacket::{AsyncResource, SendStream, Stream};
/// use tacket_tls::TlsConnector;
///
/// /// Sends a line to a server that proves to be `host`.
/// async fn report<S: Stream, C: TlsConnector>(transport: S, host: &str, connector: C) -> Option<()> {
///     let mut stream = connector.connect(transport, host).ok()?;
///     stream.send_all(b"all is well\n").await.ok()?;
///     stream.close().await.ok()
/// }
/// ```
pub trait TlsConnector: Sized {
    /// The engine of its clients.
    type Engine: Engine;

    /// Whether a client of this host could be made, as far as that is known before there is a transport.
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect).
    fn check(&self, host: &str) -> Result<(), ConfigError>;

    /// A client over `transport` that checks whether the server is `host`: a name, or an address in its usual notation. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidName`]: `host` is not what a certificate can be for, or not what the configuration is for. And whatever
    /// the engine's own way to make a client answers.
    fn connect<S>(
        self,
        transport: S,
        host: &str,
    ) -> Result<TlsStream<S, Self::Engine>, ConfigError>;
}

#[cfg(feature = "rustls")]
impl TlsConnector for &ClientConfig {
    type Engine = RustlsEngine;

    fn check(&self, host: &str) -> Result<(), ConfigError> {
        ServerName::try_from(host).map_err(|_| ConfigError::InvalidName)?;
        check_protocols(&self.inner.alpn_protocols)
    }

    fn connect<S>(self, transport: S, host: &str) -> Result<TlsStream<S>, ConfigError> {
        TlsStream::client(transport, self, host)
    }
}
