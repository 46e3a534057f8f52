//! TLS as a stream.

#[cfg(feature = "rustls")]
use alloc::vec::Vec;
use core::fmt;

use embedded_io_async::{ErrorType, Read, Write};
#[cfg(feature = "rustls")]
use rustls_pki_types::ServerName;
#[cfg(feature = "rustls")]
use tacket::IntoSplit;
use tacket::{AsyncResource, HalfCloseable, ReceiveStream, SendStream, Split, Stream};

#[cfg(feature = "rustls")]
use crate::config::{ClientConfig, ServerConfig, check_protocols};
use crate::default_engine::DefaultEngine;
use crate::engine::Engine;
#[cfg(feature = "rustls")]
use crate::engine::SansIo;
#[cfg(feature = "rustls")]
use crate::error::ConfigError;
use crate::error::{NeedHandshake, TlsError};
use crate::pump::{Borrowing, Pump};
#[cfg(feature = "rustls")]
use crate::rustls_engine::RustlsEngine;
use crate::session::{Memories, Session};
#[cfg(feature = "rustls")]
use crate::split::{OwnedTlsReceiving, OwnedTlsSending, TlsReceiving, TlsSending};

/// A TLS connection over any stream: a socket, stapled pipes, another `TlsStream`.
///
/// * The handshake runs on first use, or by [`do_handshake`](Self::do_handshake).
/// * `send_eof` sends TLS's own end (close_notify), and receiving goes on. In TLS 1.2 the peer may answer it by dropping
///   what it still had to send (RFC 5246, 7.2.1).
/// * The peer's end is the end. The transport's end without it is [`Fault::Truncated`](tacket::Fault::Truncated): somebody may have
///   cut the connection. [`https_compatible`](Self::https_compatible) is for protocols that tell their ends apart themselves.
/// * `close` completes the handshake if that was not done, sends the end, and closes the transport; an
///   [`https_compatible`](Self::https_compatible) stream only flushes. It does not wait for the
///   peer's end. Dropped instead, the transport is dropped, and the peer learns that this was no proper end.
/// * What a peer sends against the rules, or a certificate that is not trusted, is [`TlsError::Engine`]: [`Fault::Broken`](tacket::Fault::Broken), with the
///   reason. The peer is told by an alert if the transport takes that at once; a few refusals [have none](crate#what-tls-can-do-here).
/// * Failures are sticky, but when the transport can no longer be sent to, what the peer sent before can still be received. Only a transport's error that can pass ([`Fault::Busy`](tacket::Fault::Busy), [`Fault::Capacity`](tacket::Fault::Capacity),
///   [`Fault::TimedOut`](tacket::Fault::TimedOut)) is handed on without breaking the stream.
///
/// # Cancel safety
///
/// Any operation can be dropped at any point, the handshake (but for an engine without a heap) too, and the stream stays usable: what arrived is kept, and what
/// was protected is sent by the next operation that sends, so no record is lost, doubled or torn. Of a dropped
/// [`send_all`](SendStream::send_all) a prefix may have been sent; [`send_rest`](SendStream::send_rest) tells which.
///
/// # Examples
///
/// ```
/// # #[cfg(not(feature = "ring"))]
/// # fn main() {}
/// # #[cfg(feature = "ring")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::future::try_join;
/// use tacket::testing::MemoryPair;
/// use tacket::{AsyncResource, ReceiveStream, SendStream};
/// use tacket_tls::{ClientConfig, ServerConfig, TlsStream};
///
/// let made = rcgen::generate_simple_self_signed(["example.org".to_owned()])?;
/// let trusting = ClientConfig::with_roots([made.cert.der().clone()])?;
/// let key = made.signing_key.serialize_der().try_into()?;
/// let proving = ServerConfig::with_certificate(vec![made.cert.der().clone()], key)?;
///
/// let pair = MemoryPair::new([0; 4096], [0; 4096]);
/// let (left, right) = pair.open().expect("a new pair");
/// let mut client = TlsStream::client(left, &trusting, "example.org")?;
/// let mut server = TlsStream::server(right, &proving)?;
///
/// let talk = async {
///     client.send_all(b"hello").await?;
///     client.close().await
/// };
/// let listen = async {
///     let mut buf = [0; 16];
///     assert_eq!(server.receive_some(&mut buf).await?, 5);
///     assert_eq!(server.receive_some(&mut buf).await?, 0); // the end
///     server.close().await
/// };
/// futures_executor::block_on(try_join(talk, listen))?;
/// # Ok(())
/// # }
/// ```
pub struct TlsStream<S, E: Engine = DefaultEngine> {
    transport: S,
    /// In a box where that can be had: streams are moved around, and an `async fn` that is given one keeps room for it twice.
    session: E::Held<Session<E>>,
}

#[cfg(feature = "rustls")]
impl<S> TlsStream<S> {
    /// A client over `transport`. Nothing is sent yet.
    ///
    /// `server_name` is text, bytes, an IP address or a [`ServerName`]. It is sent to the server if it is a DNS name, and the
    /// server's certificate is checked against it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidName`]: it is neither a DNS name nor an IP address. [`ConfigError::InvalidProtocol`]: one to be
    /// offered by ALPN. [`ConfigError::Engine`]: the engine does not take the configuration.
    pub fn client<'n>(
        transport: S,
        config: &ClientConfig,
        server_name: impl TryInto<ServerName<'n>>,
    ) -> Result<Self, ConfigError> {
        let name = server_name
            .try_into()
            .map_err(|_| ConfigError::InvalidName)?;
        check_protocols(&config.inner.alpn_protocols)?;
        let engine = RustlsEngine::client(config.inner.clone(), name.to_owned())?;
        Ok(Self::with_engine(transport, engine, Memories::default()))
    }

    /// A server over `transport`. Nothing is awaited yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EarlyData`]: the configuration accepts it. [`ConfigError::InvalidProtocol`]: one to be accepted by ALPN.
    /// [`ConfigError::Engine`]: the engine does not take the configuration.
    pub fn server(transport: S, config: &ServerConfig) -> Result<Self, ConfigError> {
        check_protocols(&config.inner.alpn_protocols)?;
        let engine = RustlsEngine::server(config.inner.clone())?;
        Ok(Self::with_engine(transport, engine, Memories::default()))
    }

    /// Starts with `data`, which was already received from the transport: what a buffered reader took too much of before it
    /// knew that TLS would follow (STARTTLS). It may be of any length, and end within a message; on `no_std` too, where the limit for what comes in
    /// the clear is for what comes after it.
    ///
    /// It belongs before everything that comes from the transport, so to a stream that was not used yet. Called again, it adds
    /// to what there is.
    ///
    /// ```
    /// # #[cfg(feature = "ring")] {
    /// use tacket_tls::{ConfigError, ServerConfig, TlsStream};
    ///
    /// /// Goes on with TLS, where a reader of lines has `rest` in its buffer.
    /// fn upgrade<S>(transport: S, rest: &[u8], config: &ServerConfig) -> Result<TlsStream<S>, ConfigError> {
    ///     Ok(TlsStream::server(transport, config)?.with_received(rest))
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn with_received(mut self, data: &[u8]) -> Self {
        self.session.add_received(data);
        self
    }
}

impl<S, E: Engine> TlsStream<S, E> {
    pub(crate) fn with_engine(transport: S, engine: E, memories: Memories<E::Memory>) -> Self {
        Self {
            transport,
            session: E::hold(Session::new(engine, memories)),
        }
    }

    /// Takes the transport's end for the peer's, and sends none of TLS's own on `close`, as HTTP servers and clients do.
    ///
    /// Only for protocols that can tell a whole message from a cut one, as HTTP can by its lengths.
    #[must_use]
    pub fn https_compatible(mut self) -> Self {
        self.session.set_https_compatible();
        self
    }

    /// The stream below. What is sent or received there by other means breaks the session.
    pub const fn transport(&self) -> &S {
        &self.transport
    }

    /// What was agreed in the handshake.
    ///
    /// # Errors
    ///
    /// [`NeedHandshake`]: it is not done.
    pub fn negotiated(&self) -> Result<E::Negotiated, NeedHandshake> {
        self.session.negotiated().ok_or(NeedHandshake)
    }
}

impl<S: Split, E: Engine> TlsStream<S, E> {
    /// Completes the handshake. Done already, it does nothing.
    ///
    /// # Errors
    ///
    /// [`TlsError::Engine`]: one side refused the other. [`TlsError::Truncated`]: the transport ended, whatever the kind of
    /// close. [`TlsError::Transport`]: it failed. [`TlsError::Broken`]: it failed earlier.
    ///
    /// # Cancel safety
    ///
    /// Safe. After a drop, the next operation continues the handshake where it stood; but for an engine without a heap, which cannot,
    /// and finds the stream broken.
    pub async fn do_handshake(&mut self) -> Result<(), TlsError<S::Error>> {
        self.pump().handshake().await
    }

    /// Sends the end and waits for the peer's, so that both know that all was received. Receives no data.
    ///
    /// It completes the handshake if that was not done. The transport stays open, for what follows TLS on it:
    /// [`unwrap`](Self::unwrap) gives it back. The peer's end counts only if it is authenticated, whatever the kind of close.
    ///
    /// # Errors
    ///
    /// [`TlsError::UnreadData`]: the peer sent data that nobody has received. Our end is under way, and nothing is lost:
    /// receive it, and call again. [`TlsError::Truncated`]: the transport ended without the peer's end.
    /// [`TlsError::Transport`], [`TlsError::Engine`] and [`TlsError::Broken`] as for any send and receive, also if the
    /// peer's end has come, but ours could not be sent.
    ///
    /// # Cancel safety
    ///
    /// Safe. After a drop, calling again goes on where it stood.
    ///
    /// # Examples
    ///
    /// ```
    /// use tacket::{ReceiveStream, Split};
    /// use tacket_tls::{TlsError, TlsStream};
    ///
    /// /// Ends the session, and throws away what the peer still has to say.
    /// async fn hang_up<S: Split>(stream: &mut TlsStream<S>) -> Result<(), TlsError<S::Error>> {
    ///     loop {
    ///         match stream.shutdown().await {
    ///             Err(TlsError::UnreadData) => stream.receive_some(&mut [0; 1024]).await?,
    ///             done => return done,
    ///         };
    ///     }
    /// }
    /// ```
    pub async fn shutdown(&mut self) -> Result<(), TlsError<S::Error>> {
        self.pump().shutdown().await
    }

    fn pump(&mut self) -> Borrowing<'_, S, E> {
        let (session, halves) = self.parts();
        Pump::new(session, halves)
    }

    pub(crate) fn parts(&mut self) -> (&Session<E>, (S::Sending<'_>, S::Receiving<'_>)) {
        (&*self.session, self.transport.split())
    }
}

#[cfg(feature = "rustls")]
impl<S: Split> TlsStream<S, RustlsEngine> {
    /// Changes the keys that protect what is sent, and asks the peer to do the same.
    ///
    /// For sessions that last, so that a key that becomes known opens only a part of them. Once the keys are used up, it happens
    /// by itself; the peer's requests are always answered, with the next data. While half a message of the peer's is here, it
    /// waits for the next send. It completes the handshake if that was not done.
    ///
    /// A peer may take many changes without data between them for a flood, and end the session: rustls takes 32.
    ///
    /// ```
    /// use tacket::{SendStream, Split};
    /// use tacket_tls::{TlsError, TlsStream};
    ///
    /// /// Sends each part under keys of its own.
    /// async fn send_parts<S: Split>(
    ///     stream: &mut TlsStream<S>,
    ///     parts: &[&[u8]],
    /// ) -> Result<(), TlsError<S::Error>> {
    ///     for part in parts {
    ///         stream.send_all(part).await?;
    ///         stream.update_keys().await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TlsError::Unsupported`]: TLS 1.2 was agreed on. Otherwise those of a send.
    ///
    /// # Cancel safety
    ///
    /// Safe. After a drop the keys may have been changed or not; the peer will know with what is sent next.
    pub async fn update_keys(&mut self) -> Result<(), TlsError<S::Error>> {
        self.pump().update_keys().await
    }

    /// Ends the session on both sides, as [`shutdown`](Self::shutdown) does, and gives the transport back.
    ///
    /// ```
    /// use tacket::{SendStream, Split};
    /// use tacket_tls::{TlsError, TlsStream, Unwrapped};
    ///
    /// /// Goes on without TLS, and returns the transport and the start of what the peer says there.
    /// async fn downgrade<S: Split>(stream: TlsStream<S>) -> Result<(S, Vec<u8>), TlsError<S::Error>> {
    ///     let Unwrapped { mut transport, trailing } = stream.unwrap().await?;
    ///     let greeted = transport.send_all(b"in the clear\n").await;
    ///     greeted.map_err(TlsError::Transport)?;
    ///     Ok((transport, trailing))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`shutdown`](Self::shutdown); the stream is then dropped. Who wants to go on after an error, or a drop, calls that first:
    /// after it, this does not wait.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped before it completes, it has dropped the stream.
    pub async fn unwrap(mut self) -> Result<Unwrapped<S>, TlsError<S::Error>> {
        self.shutdown().await?;
        Ok(Unwrapped {
            transport: self.transport,
            trailing: RustlsEngine::release(self.session).into_trailing(),
        })
    }
}

/// What is left of a [`TlsStream`] after [`unwrap`](TlsStream::unwrap), which has an example.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a transport and what came from it are all there is"
)]
#[cfg(feature = "rustls")]
pub struct Unwrapped<S> {
    /// The stream below, for plain data.
    pub transport: S,
    /// What had been read from it behind the peer's end. It comes before what the transport still has.
    pub trailing: Vec<u8>,
}

impl<S: ErrorType<Error: tacket::Error>, E: Engine> ErrorType for TlsStream<S, E> {
    type Error = TlsError<S::Error>;
}

impl<S: Split, E: Engine> Read for TlsStream<S, E> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        if buf.is_empty() {
            Ok(0)
        } else {
            self.pump().receive(buf).await
        }
    }
}

impl<S: Split, E: Engine> ReceiveStream for TlsStream<S, E> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.pump().receive(buf).await
    }
}

impl<S: Split, E: Engine> Write for TlsStream<S, E> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.pump().write(buf).await
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.pump().flush().await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), Self::Error> {
        self.send_all(buf).await
    }
}

impl<S: Split, E: Engine> SendStream for TlsStream<S, E> {
    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
        self.pump().send_rest(data).await
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        self.pump().wait_send_all_might_not_block().await
    }
}

impl<S: Split, E: Engine> HalfCloseable for TlsStream<S, E> {
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        self.pump().send_eof().await
    }
}

#[cfg(feature = "rustls")]
impl<S: Split> Split for TlsStream<S, RustlsEngine> {
    type Sending<'a>
        = TlsSending<'a, S, RustlsEngine>
    where
        Self: 'a;
    type Receiving<'a>
        = TlsReceiving<'a, S, RustlsEngine>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        TlsSending::pair(self.pump())
    }
}

#[cfg(feature = "rustls")]
impl<S: IntoSplit> IntoSplit for TlsStream<S, RustlsEngine> {
    type OwnedSending = OwnedTlsSending<S, RustlsEngine>;
    type OwnedReceiving = OwnedTlsReceiving<S, RustlsEngine>;

    fn into_split(self) -> (Self::OwnedSending, Self::OwnedReceiving) {
        let pump = Pump::new(self.session, self.transport.into_split());
        OwnedTlsSending::pair(pump)
    }

    fn reunite(
        sending: Self::OwnedSending,
        receiving: Self::OwnedReceiving,
    ) -> Result<Self, (Self::OwnedSending, Self::OwnedReceiving)> {
        let (session, (tx, rx)) = sending.into_pump(receiving)?.into_parts();
        match S::reunite(tx, rx) {
            Ok(transport) => Ok(Self { transport, session }),
            Err(halves) => Err(OwnedTlsSending::pair(Pump::new(session, halves))),
        }
    }
}

impl<S: Stream, E: Engine> AsyncResource for TlsStream<S, E> {
    /// Sends the end, unless that was done or the stream is [`https_compatible`](Self::https_compatible), and closes the
    /// transport.
    ///
    /// It waits until the transport has taken what there is to send, which a peer that reads nothing, or does not take part in
    /// the handshake, can delay for ever; so can a peer that closes at the same time, where the transport does not hold even the end. A
    /// [`timeout`](tacket::timeout) around it makes it forceful then. After a failure it
    /// closes the transport only; what was written and not flushed is not sent.
    ///
    /// # Errors
    ///
    /// The transport's own close failed. That the end could not be delivered to a peer that is gone is no error.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped before it completes, it has closed the transport forcefully.
    #[expect(
        clippy::manual_async_fn,
        reason = "in an `async fn`, a `mut self` lies in the future twice"
    )]
    fn close(mut self) -> impl Future<Output = Result<(), Self::Error>> {
        async move {
            let farewell = {
                let pump = self.pump();
                E::aside(pump.say_farewell()).await
            };
            let closed = self.transport.close().await.map_err(TlsError::Transport);
            farewell.and(closed)
        }
    }
}

impl<S: fmt::Debug, E: Engine> fmt::Debug for TlsStream<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("transport", &self.transport)
            .field("session", &*self.session)
            .finish()
    }
}
