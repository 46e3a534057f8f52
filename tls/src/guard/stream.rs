//! Streams without a heap, and their halves.

use core::fmt;
use core::future::pending;
use core::marker::PhantomData;

use embedded_io_async::{ErrorType, Read, Write};
use embedded_tls::CryptoRngCore;
use tacket::{Error, HalfCloseable, ReceiveStream, SendStream, Split};

use super::engine::GuardedEngine;
use super::settings::GuardedClientConfig;
use super::storage::TlsStorage;
use super::suite::GuardSuite;
use crate::engine::Engine;
use crate::error::{ConfigError, NeedHandshake, TlsError};
use crate::pump::{Half, Pump};
use crate::stream::TlsStream;

impl<'b, S, C: GuardSuite> TlsStream<S, GuardedEngine<'b, C>> {
    /// A client over `transport`, without a heap. Nothing is sent yet.
    ///
    /// `rng` is asked once, now, so that it is known before the handshake whether it has failed.
    ///
    /// The handshake of this engine cannot be resumed: dropped before it completes, or failed with the transport, even for a while, it has broken the stream. A stream that
    /// is split before it answers [`TlsError::NeedHandshake`]: there is no place for it in a half. What the server said before
    /// that is not received either.
    ///
    /// It computes for long without a pause: about 30 million instructions on a Cortex-M3, most of them for two signatures.
    /// [`GuardTrust::in_roots`](crate::GuardTrust::in_roots) says how many more a server can cause.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoEntropy`]: there are no random bytes, or they repeat.
    ///
    /// # Examples
    ///
    /// ```
    /// use tacket::{AsyncResource, SendStream, Stream};
    /// use tacket_tls::{CryptoRngCore, GuardedClientConfig, TlsStorage, TlsStream};
    ///
    /// /// Reports to a server that is known.
    /// async fn report<S: Stream>(
    ///     transport: S,
    ///     config: &GuardedClientConfig<'_>,
    ///     rng: &mut dyn CryptoRngCore,
    ///     storage: &mut TlsStorage<16_645, 1024>,
    /// ) -> Option<()> {
    ///     let mut stream = TlsStream::guarded_client(transport, config, rng, storage).ok()?;
    ///     stream.send_all(b"all is well\n").await.ok()?;
    ///     stream.close().await.ok()
    /// }
    /// ```
    pub fn guarded_client<const RX: usize, const TX: usize>(
        transport: S,
        config: &'b GuardedClientConfig<'b, C>,
        rng: &mut dyn CryptoRngCore,
        storage: &'b mut TlsStorage<RX, TX>,
    ) -> Result<Self, ConfigError> {
        let made = GuardedEngine::new(config, rng, storage);
        let (engine, memories) = made.ok_or(ConfigError::NoEntropy)?;
        Ok(Self::with_engine(transport, engine, memories))
    }
}

impl<'b, S: Split, C: GuardSuite> Split for TlsStream<S, GuardedEngine<'b, C>> {
    type Sending<'a>
        = GuardedSending<'a, S, GuardedEngine<'b, C>>
    where
        Self: 'a;
    type Receiving<'a>
        = GuardedReceiving<'a, S, GuardedEngine<'b, C>>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        let (session, (tx, rx)) = self.parts();
        let sending = GuardedSending {
            pump: Pump::new(Half(session), (tx, Absent(PhantomData))),
        };
        let receiving = GuardedReceiving {
            pump: Pump::new(Half(session), (Absent(PhantomData), rx)),
        };
        (sending, receiving)
    }
}

/// The sending half of a stream without a heap, borrowed by [`split`](Split::split) after the handshake.
///
/// ```
/// use tacket::{ReceiveStream, SendStream, Split};
/// use tacket_tls::{GuardedEngine, TlsError, TlsStream};
///
/// /// Asks, and hears the first bytes of the answer.
/// async fn ask<S: Split>(
///     stream: &mut TlsStream<S, GuardedEngine<'_>>,
///     answer: &mut [u8],
/// ) -> Result<usize, TlsError<S::Error>> {
///     stream.do_handshake().await?;
///     let (mut tx, mut rx) = stream.split();
///     tx.send_all(b"what time is it?\n").await?;
///     rx.receive_some(answer).await
/// }
/// ```
pub struct GuardedSending<'a, S: Split + 'a, E: Engine> {
    pump: Pump<Half<'a, E, true>, S::Sending<'a>, Absent<S::Error>>,
}

/// The receiving half of a stream without a heap, borrowed by [`split`](Split::split) after the handshake.
///
/// It sends nothing: why the session failed, the peer hears from the sending half, or the close of the stream.
/// [`GuardedSending`] has an example.
pub struct GuardedReceiving<'a, S: Split + 'a, E: Engine> {
    pump: Pump<Half<'a, E, false>, Absent<S::Error>, S::Receiving<'a>>,
}

macro_rules! halves {
    ($($half:ident),*) => {$(
        impl<S: Split, E: Engine> $half<'_, S, E> {
            /// What was agreed in the handshake.
            ///
            /// # Errors
            ///
            /// [`NeedHandshake`]: it is not done.
            pub fn negotiated(&self) -> Result<E::Negotiated, NeedHandshake> {
                self.pump.session().negotiated().ok_or(NeedHandshake)
            }
        }

        impl<S: Split, E: Engine> fmt::Debug for $half<'_, S, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($half)).field(&self.pump).finish()
            }
        }

        impl<S: Split, E: Engine> ErrorType for $half<'_, S, E> {
            type Error = TlsError<S::Error>;
        }
    )*};
}

halves!(GuardedSending, GuardedReceiving);

impl<S: Split, E: Engine> Write for GuardedSending<'_, S, E> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.pump.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.pump.flush().await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), Self::Error> {
        self.send_all(buf).await
    }
}

impl<S: Split, E: Engine> SendStream for GuardedSending<'_, S, E> {
    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
        self.pump.send_rest(data).await
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        self.pump.wait_send_all_might_not_block().await
    }
}

impl<S: Split, E: Engine> HalfCloseable for GuardedSending<'_, S, E> {
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        self.pump.send_eof().await
    }
}

impl<S: Split, E: Engine> Read for GuardedReceiving<'_, S, E> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        if buf.is_empty() {
            Ok(0)
        } else {
            self.pump.receive(buf).await
        }
    }
}

impl<S: Split, E: Engine> ReceiveStream for GuardedReceiving<'_, S, E> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.pump.receive(buf).await
    }
}

/// In the place of the half of a transport that another half of the stream has. Whoever uses it waits for ever; nobody does but to
/// poll once.
pub(crate) struct Absent<E>(PhantomData<E>);

impl<E: Error> ErrorType for Absent<E> {
    type Error = E;
}

impl<E: Error> Read for Absent<E> {
    async fn read(&mut self, _buf: &mut [u8]) -> Result<usize, E> {
        pending().await
    }
}

impl<E: Error> ReceiveStream for Absent<E> {
    async fn receive_some(&mut self, _buf: &mut [u8]) -> Result<usize, E> {
        pending().await
    }
}

impl<E: Error> Write for Absent<E> {
    async fn write(&mut self, _buf: &[u8]) -> Result<usize, E> {
        pending().await
    }

    async fn flush(&mut self) -> Result<(), E> {
        pending().await
    }
}

impl<E: Error> SendStream for Absent<E> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), E> {
        pending().await
    }
}

impl<E: Error> HalfCloseable for Absent<E> {
    async fn send_eof(&mut self) -> Result<(), E> {
        pending().await
    }
}
