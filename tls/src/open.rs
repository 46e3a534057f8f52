//! TLS over the TCP of any network: connecting and listening.

use tacket::{Clock, Connect, ConnectOptions, OpenError, Resolve, open_tcp_stream};
#[cfg(feature = "rustls")]
use tacket::{Listen, Listeners, open_tcp_listeners};

#[cfg(feature = "rustls")]
use crate::config::ServerConfig;
use crate::connector::TlsConnector;
#[cfg(feature = "rustls")]
use crate::listener::TlsListener;
use crate::open_error::OpenTlsError;
use crate::stream::TlsStream;

/// Connects to `port` of `host` by [`open_tcp_stream`], and makes that a TLS client, which checks the server's certificate against
/// `host`, a name or an address in its usual notation.
///
/// `connector` says whom the client trusts, and decides on the engine: a reference to a `ClientConfig`, or, without a heap, a
/// `GuardedConnector`.
///
/// The handshake is that of the first use, or of [`do_handshake`](TlsStream::do_handshake): only there a server that is not trusted
/// is refused. The race is one of connections: the first to come about wins, whoever has answered.
///
/// # Errors
///
/// [`OpenTlsError::Config`], before anything is sent: `host` is not what a certificate can be for, or no stream can be made with
/// `connector`. One of an engine without a heap also says here that there are no random bytes, after it has connected. [`OpenTlsError::Transport`]: no connection came about.
///
/// # Cancel safety
///
/// Safe. Dropped, it gives up all attempts to connect.
///
/// # Examples
///
/// ```
/// use tacket::{AsyncResource, ConnectOptions, Network, SendStream};
/// # #[cfg(feature = "rustls")]
/// use tacket_tls::{ClientConfig, open_tls_over_tcp_stream};
///
/// # #[cfg(feature = "rustls")]
/// /// Sends a line to port 7000 of a host.
/// async fn report<N: Network>(network: &N, host: &str, config: &ClientConfig) -> Option<()> {
///     let opening = open_tls_over_tcp_stream(network, host, 7000, ConnectOptions::new(), config);
///     let mut stream = opening.await.ok()?;
///     stream.send_all(b"all is well\n").await.ok()?;
///     stream.close().await.ok()
/// }
/// ```
pub async fn open_tls_over_tcp_stream<N, C: TlsConnector, const A: usize>(
    network: &N,
    host: &str,
    port: u16,
    options: ConnectOptions<A>,
    connector: C,
) -> Result<TlsStream<N::Stream, C::Engine>, OpenTlsError<OpenError<N::Error, A>>>
where
    N: Connect + Resolve + Clock,
{
    connector.check(host)?;
    let opened = open_tcp_stream(network, host, port, options).await;
    let transport = opened.map_err(OpenTlsError::Transport)?;
    Ok(connector.connect(transport, host)?)
}

/// Listens on `port` of every address by [`open_tcp_listeners`], with a [`TlsListener`] over each listener.
///
/// For streams that are [`https_compatible`](TlsStream::https_compatible), have [`Listeners::map`] make the listeners so.
///
/// # Errors
///
/// [`OpenTlsError::Config`]: no stream can be made with `config`; nobody listens then. [`OpenTlsError::Transport`]: those of
/// `open_tcp_listeners`.
///
/// # Cancel safety
///
/// Safe. A dropped future listens nowhere.
///
/// # Examples
///
/// ```
/// use tacket::{Listen, Listeners};
/// use tacket_tls::{ServerConfig, TlsListener, open_tls_over_tcp_listeners};
///
/// /// The port of HTTPS.
/// async fn listen<N: Listen>(network: &N, config: &ServerConfig) -> Option<Listeners<TlsListener<N::Listener>, 2>> {
///     let listeners = open_tls_over_tcp_listeners(network, 443, config).await.ok()?;
///     Some(listeners.map(TlsListener::https_compatible))
/// }
/// ```
#[cfg(feature = "rustls")]
pub async fn open_tls_over_tcp_listeners<N: Listen>(
    network: &N,
    port: u16,
    config: &ServerConfig,
) -> Result<Listeners<TlsListener<N::Listener>, 2>, OpenTlsError<N::Error>> {
    let over_nothing = TlsListener::new((), config)?;
    let opened = open_tcp_listeners(network, port).await;
    let listeners = opened.map_err(OpenTlsError::Transport)?;
    Ok(listeners.map(|listener| over_nothing.over(listener)))
}
