//! Serving TLS, with a time for each handshake.

use core::convert::Infallible;
use core::fmt;
use core::future::pending;
use core::time::Duration;

use embedded_io_async::{ErrorKind, ErrorType};
use tacket::{
    AsyncResource as _, Clock, Error, Fault, Handler, Listen, Listener, Listeners, ServeError,
    ServeReport, Server, Stream, timeout,
};

use crate::config::ServerConfig;
use crate::engine::Engine;
use crate::error::TlsError;
use crate::listener::TlsListener;
use crate::open::open_tls_over_tcp_listeners;
use crate::open_error::OpenTlsError;
use crate::stream::TlsStream;

/// A handler of TLS streams that first shakes hands, in a limited time, and has another handler handle those that succeed.
///
/// A client that is silent, slow, speaks something else, or refuses the certificate is a failure like any other: the server counts
/// and reports it, and goes on. Where the handshake failed and time is left, the client is told by an alert; where the time is up,
/// its connection is dropped.
///
/// ```
/// use core::time::Duration;
/// use tacket::{AsyncResource, Clock, Listener, SendStream, ServeEvent, Server};
/// use tacket_tls::{ConfigError, ServerConfig, TlsListener, TlsStream, WithHandshake};
///
/// /// Greets every client that completes a handshake within ten seconds, as many at once as come.
/// async fn greet<L: Listener>(listener: L, clock: &impl Clock, config: &ServerConfig) -> Result<(), ConfigError> {
///     let greet = async |mut stream: TlsStream<L::Stream>| {
///         stream.send_all(b"hello\n").await?;
///         stream.close().await
///     };
///     let handler = WithHandshake::new(clock, Duration::from_secs(10), greet);
///     let report = |event| {
///         if let ServeEvent::Failed(error) = event {
///             println!("{error}");
///         }
///     };
///     let listener = TlsListener::new(listener, config)?;
///     let server = Server::<_, _, _, _, 16>::with_report(listener, clock, handler, report);
///     let _served = server.run::<16>().await;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WithHandshake<C, H> {
    clock: C,
    limit: Duration,
    handler: H,
}

impl<C, H> WithHandshake<C, H> {
    /// Gives each handshake `limit`, measured on `clock` from when the client is accepted, and then has `handler` go on.
    pub const fn new(clock: C, limit: Duration, handler: H) -> Self {
        Self {
            clock,
            limit,
            handler,
        }
    }
}

impl<S, E, C, H> Handler<TlsStream<S, E>> for WithHandshake<C, H>
where
    S: Stream,
    E: Engine,
    C: Clock,
    H: Handler<TlsStream<S, E>>,
{
    type Error = WithHandshakeError<S::Error, H::Error>;

    async fn handle(&self, mut stream: TlsStream<S, E>) -> Result<(), Self::Error> {
        let accepted = self.clock.now();
        match timeout(&self.clock, self.limit, stream.do_handshake()).await {
            Ok(Ok(())) => {
                let handled = self.handler.handle(stream).await;
                handled.map_err(WithHandshakeError::Handler)
            }
            Ok(Err(error)) => {
                // So that the alert arrives. A connection that is dropped may take it along.
                let spent = self.clock.now().saturating_sub(accepted);
                let left = self.limit.saturating_sub(spent);
                let _ = timeout(&self.clock, left, stream.close()).await;
                Err(WithHandshakeError::Handshake(error))
            }
            Err(_) => Err(WithHandshakeError::TimedOut),
        }
    }
}

/// What went wrong with a client of a server that shakes hands, over a transport whose error is `E`, with a handler whose error is `H`.
///
/// ```
/// use tacket_tls::WithHandshakeError;
///
/// /// Whether this is worth a line in the log: people who only knock are not.
/// fn is_worth_noting<E, H>(error: &WithHandshakeError<E, H>) -> bool {
///     !matches!(error, WithHandshakeError::TimedOut)
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WithHandshakeError<E, H> {
    /// The handshake failed.
    Handshake(TlsError<E>),
    /// The handshake was not done in time.
    TimedOut,
    /// The handler failed.
    Handler(H),
}

impl<E: fmt::Display, H: fmt::Display> fmt::Display for WithHandshakeError<E, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => write!(f, "the handshake failed: {error}"),
            Self::TimedOut => f.write_str("the handshake was not done in time"),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error, H: core::error::Error> core::error::Error for WithHandshakeError<E, H> {}

impl<E: Error, H: Error> embedded_io_async::Error for WithHandshakeError<E, H> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Handshake(error) => error.kind(),
            Self::TimedOut => self.fault().kind(),
            Self::Handler(error) => error.kind(),
        }
    }
}

impl<E: Error, H: Error> Error for WithHandshakeError<E, H> {
    fn fault(&self) -> Fault {
        match self {
            Self::Handshake(error) => error.fault(),
            Self::TimedOut => Fault::TimedOut,
            Self::Handler(error) => error.fault(),
        }
    }
}

/// What is accepted by a network's listener.
type Accepted<N> = <<N as Listen>::Listener as Listener>::Stream;

/// Listens on `port` of every address, gives each client `limit` for its handshake, and has `handler` handle those who have done
/// it, `W` clients at the same time.
///
/// It is [`open_tls_over_tcp_listeners`], [`WithHandshake`] and a [`Server`] in one. What goes wrong with a client, `report` hears; `()` does not care.
/// Once clients can connect, `ready` is called with the listeners, which tell their addresses. It serves until it is dropped.
///
/// A client that says nothing has one of the `W` places for up to `limit`. What this function cannot do, a `Server` can: stop gracefully, or
/// serve as many clients as come.
///
/// # Errors
///
/// [`OpenTlsError::Config`]: no stream can be made with `config`. [`OpenTlsError::Transport`]: it cannot listen, or one of the
/// listeners failed, with whatever is not [`Fault::Capacity`]. No client's failure is one.
///
/// # Cancel safety
///
/// Safe. Listeners, handlers and their streams are dropped; this is how it ends.
///
/// # Examples
///
/// ```
/// use core::convert::Infallible;
/// use core::time::Duration;
/// use tacket::{AsyncResource, Network, ReceiveStream, SendStream};
/// use tacket_tls::{OpenTlsError, ServerConfig, TlsStream, serve_tls_over_tcp};
///
/// /// Sends back what clients send, four at a time. They have ten seconds for the handshake.
/// async fn echo<N: Network>(network: &N, config: &ServerConfig) -> Result<Infallible, OpenTlsError<N::Error>> {
///     let handler = async |mut stream: TlsStream<N::Stream>| {
///         let mut buf = [0; 256];
///         loop {
///             match stream.receive_some(&mut buf).await? {
///                 0 => return stream.close().await,
///                 n => stream.send_all(&buf[..n]).await?,
///             }
///         }
///     };
///     let limit = Duration::from_secs(10);
///     serve_tls_over_tcp::<4, _, _>(network, 7007, config, limit, handler, (), |_| ()).await
/// }
/// ```
pub async fn serve_tls_over_tcp<const W: usize, N: Listen + Clock, H>(
    network: &N,
    port: u16,
    config: &ServerConfig,
    limit: Duration,
    handler: H,
    report: impl ServeReport<N::Error, WithHandshakeError<<Accepted<N> as ErrorType>::Error, H::Error>>,
    ready: impl FnOnce(&Listeners<TlsListener<N::Listener>, 2>),
) -> Result<Infallible, OpenTlsError<N::Error>>
where
    H: Handler<TlsStream<Accepted<N>>>,
{
    let listeners = open_tls_over_tcp_listeners(network, port, config).await?;
    ready(&listeners);
    let handler = WithHandshake::new(network, limit, handler);
    let server = Server::<_, _, _, _, W>::with_report(listeners, network, handler, report);
    match server.run::<W>().await {
        Err(ServeError::Listener(error)) => Err(OpenTlsError::Transport(error)),
        // Nobody else has the server, to stop it or to take its workers.
        _ => pending().await,
    }
}
