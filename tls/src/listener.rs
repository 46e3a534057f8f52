//! A listener whose connections are TLS.

use core::net::SocketAddr;

use embedded_io_async::ErrorType;
use tacket::{AsyncResource, Error, Listener, LocalAddress};

use crate::config::ServerConfig;
use crate::error::ConfigError;
use crate::stream::TlsStream;

/// A server over any listener: what it accepts are TLS streams that have not spoken yet.
///
/// It never shakes hands. That is for whoever has the stream, so a slow client holds up nobody: see
/// [`WithHandshake`](crate::WithHandshake) for a server that sets each client a time for it.
///
/// ```
/// use tacket::{AsyncResource, Listener, SendStream};
/// use tacket_tls::{ConfigError, ServerConfig, TlsListener};
///
/// /// Greets the first client over TLS.
/// async fn greet<L: Listener>(listener: L, config: &ServerConfig) -> Result<(), ConfigError> {
///     let mut listener = TlsListener::new(listener, config)?;
///     if let Ok(mut stream) = listener.accept().await
///         && stream.send_all(b"hello\n").await.is_ok()
///     {
///         let _ = stream.close().await;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TlsListener<L> {
    transport: L,
    config: ServerConfig,
    https_compatible: bool,
}

impl<L> TlsListener<L> {
    /// A server over the connections of `listener`.
    ///
    /// # Errors
    ///
    /// As of [`TlsStream::server`]: no stream could be made with this configuration.
    pub fn new(listener: L, config: &ServerConfig) -> Result<Self, ConfigError> {
        TlsStream::server((), config)?;
        Ok(Self {
            transport: listener,
            config: config.clone(),
            https_compatible: false,
        })
    }

    /// The same over another listener.
    pub(crate) fn over<M>(&self, listener: M) -> TlsListener<M> {
        TlsListener {
            transport: listener,
            config: self.config.clone(),
            https_compatible: self.https_compatible,
        }
    }

    /// Makes each stream [`https_compatible`](TlsStream::https_compatible).
    #[must_use]
    pub fn https_compatible(mut self) -> Self {
        self.https_compatible = true;
        self
    }

    /// The listener below.
    pub const fn transport(&self) -> &L {
        &self.transport
    }
}

impl<L: ErrorType> ErrorType for TlsListener<L> {
    type Error = L::Error;
}

impl<L: Listener> AsyncResource for TlsListener<L> {
    /// Closes the listener below. Streams that were accepted go on.
    ///
    /// # Errors
    ///
    /// Those of the listener below.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped before it completes, it has closed the listener below forcefully.
    async fn close(self) -> Result<(), L::Error> {
        self.transport.close().await
    }
}

impl<L: Listener> Listener for TlsListener<L> {
    type Stream = TlsStream<L::Stream>;

    async fn accept(&mut self) -> Result<Self::Stream, L::Error> {
        loop {
            let transport = self.transport.accept().await?;
            // It was tried when the listener was made, and depends on nothing else.
            if let Ok(stream) = TlsStream::server(transport, &self.config) {
                return Ok(if self.https_compatible {
                    stream.https_compatible()
                } else {
                    stream
                });
            }
        }
    }
}

impl<L: LocalAddress<Error: Error>> LocalAddress for TlsListener<L> {
    fn local_addr(&self) -> Result<SocketAddr, L::Error> {
        self.transport.local_addr()
    }
}
