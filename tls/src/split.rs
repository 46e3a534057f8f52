//! The two directions of a TLS connection, lent or given away.

use alloc::rc::Rc;
use core::fmt;

use embedded_io_async::{ErrorType, Read, Write};
use tacket::{AsyncResource, HalfCloseable, IntoSplit, ReceiveStream, SendStream, Split};

use crate::default_engine::DefaultEngine;
use crate::engine::Engine;
use crate::error::{NeedHandshake, TlsError};
use crate::pump::{Borrowing, Owning};

/// The sending half of a [`TlsStream`](crate::TlsStream), borrowed by [`split`](Split::split).
///
/// Before the handshake is done, whichever half is used first performs it, in both directions of the transport.
///
/// If the receiving half finds that the session has failed while this one waits for the transport, it goes on waiting for that,
/// and the next operation reports the failure. If the transport can no longer be sent to, the receiving half goes on.
///
/// ```
/// use futures_util::future::try_join;
/// use tacket::{HalfCloseable, ReceiveStream, SendStream, Split};
/// use tacket_tls::{TlsError, TlsStream};
///
/// /// Sends `data` while it receives what the peer has to say to it, and returns how many bytes that is.
/// async fn converse<S: Split>(
///     stream: &mut TlsStream<S>,
///     data: &[u8],
/// ) -> Result<usize, TlsError<S::Error>> {
///     let (mut tx, mut rx) = stream.split();
///     let talk = async {
///         tx.send_all(data).await?;
///         tx.send_eof().await
///     };
///     let listen = async {
///         let (mut total, mut buf) = (0, [0; 256]);
///         while let count @ 1.. = rx.receive_some(&mut buf).await? {
///             total += count;
///         }
///         Ok(total)
///     };
///     Ok(try_join(talk, listen).await?.1)
/// }
/// ```
pub struct TlsSending<'a, S: Split + 'a, E: Engine> {
    pump: Rc<Borrowing<'a, S, E>>,
}

/// The receiving half of a [`TlsStream`](crate::TlsStream), borrowed by [`split`](Split::split).
///
/// After the handshake it waits for no sender. It sends nothing but the alert that tells the peer why the session failed, if
/// the transport takes that at once. [`TlsSending`] has an example.
pub struct TlsReceiving<'a, S: Split + 'a, E: Engine> {
    pump: Rc<Borrowing<'a, S, E>>,
}

/// The sending half of a [`TlsStream`](crate::TlsStream), given away by [`into_split`](IntoSplit::into_split).
///
/// It works like the [borrowed one](TlsSending), but that its end is the transport's end too: after it, what was sent arrives
/// even if both halves are dropped, and [`unwrap`](crate::TlsStream::unwrap) would leave nothing to send on. Dropped without
/// its end, it aborts the transport once the other half is gone too.
///
/// ```
/// use tacket::{AsyncResource, IntoSplit, ReceiveStream, SendStream};
/// use tacket_tls::{OwnedTlsReceiving, TlsError, TlsStream};
///
/// /// Asks, ends, and leaves the answer to somebody else.
/// async fn ask<S: IntoSplit>(
///     stream: TlsStream<S>,
/// ) -> Result<OwnedTlsReceiving<S>, TlsError<S::Error>> {
///     let (mut tx, rx) = stream.into_split();
///     tx.send_all(b"what time is it?\n").await?;
///     tx.close().await?;
///     Ok(rx)
/// }
/// ```
pub struct OwnedTlsSending<S: IntoSplit, E: Engine = DefaultEngine> {
    pump: Rc<Owning<S, E>>,
}

/// The receiving half of a [`TlsStream`](crate::TlsStream), given away by [`into_split`](IntoSplit::into_split).
///
/// It works like the [borrowed one](TlsReceiving). Closed or dropped, nobody receives any more: what the peer sends stays in the
/// transport, until that is full. [`OwnedTlsSending`] has an example.
pub struct OwnedTlsReceiving<S: IntoSplit, E: Engine = DefaultEngine> {
    pump: Rc<Owning<S, E>>,
}

impl<'a, S: Split, E: Engine> TlsSending<'a, S, E> {
    /// Both halves.
    pub(crate) fn pair(pump: Borrowing<'a, S, E>) -> (Self, TlsReceiving<'a, S, E>) {
        let pump = Rc::new(pump);
        let sending = Self {
            pump: Rc::clone(&pump),
        };
        (sending, TlsReceiving { pump })
    }
}

impl<S: IntoSplit, E: Engine> OwnedTlsSending<S, E> {
    /// Both halves.
    pub(crate) fn pair(pump: Owning<S, E>) -> (Self, OwnedTlsReceiving<S, E>) {
        let pump = Rc::new(pump);
        let sending = Self {
            pump: Rc::clone(&pump),
        };
        (sending, OwnedTlsReceiving { pump })
    }

    /// What both halves share, if they are of one stream.
    pub(crate) fn into_pump(
        self,
        other: OwnedTlsReceiving<S, E>,
    ) -> Result<Owning<S, E>, (Self, OwnedTlsReceiving<S, E>)> {
        if !Rc::ptr_eq(&self.pump, &other.pump) {
            return Err((self, other));
        }
        drop(other);
        // Nothing else has ever shared it.
        Rc::try_unwrap(self.pump).map_err(|pump| {
            let sending = Self {
                pump: Rc::clone(&pump),
            };
            (sending, OwnedTlsReceiving { pump })
        })
    }
}

impl<S: IntoSplit, E: Engine> AsyncResource for OwnedTlsSending<S, E> {
    /// Sends the end, unless the stream is [`https_compatible`](crate::TlsStream::https_compatible), and that of the transport, where it has
    /// one. The receiving half goes on.
    ///
    /// It waits as the [close of the whole stream](crate::TlsStream#method.close) does.
    ///
    /// # Errors
    ///
    /// The transport failed otherwise than by its peer's leaving.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped before it completes, it has dropped the half.
    async fn close(self) -> Result<(), Self::Error> {
        self.pump.close_sending().await
    }
}

impl<S: IntoSplit, E: Engine> AsyncResource for OwnedTlsReceiving<S, E> {
    /// Receives no more. The sending half goes on.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// What lent and given halves do alike.
macro_rules! halves {
    ($([$($parameter:tt)*] $bound:path: $sending:ty, $receiving:ty, $send_eof:ident;)*) => {$(
        impl<$($parameter)* S: $bound, E: Engine> $sending {
            /// What was agreed in the handshake.
            ///
            /// # Errors
            ///
            /// [`NeedHandshake`]: it is not done.
            pub fn negotiated(&self) -> Result<E::Negotiated, NeedHandshake> {
                self.pump.session().negotiated().ok_or(NeedHandshake)
            }

            /// Changes the keys that protect what is sent: see [`TlsStream::update_keys`](crate::TlsStream::update_keys).
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Safe. As there.
            pub async fn update_keys(&mut self) -> Result<(), TlsError<S::Error>> {
                self.pump.update_keys().await
            }
        }

        impl<$($parameter)* S: $bound, E: Engine> $receiving {
            /// What was agreed in the handshake.
            ///
            /// # Errors
            ///
            /// [`NeedHandshake`]: it is not done.
            pub fn negotiated(&self) -> Result<E::Negotiated, NeedHandshake> {
                self.pump.session().negotiated().ok_or(NeedHandshake)
            }
        }

        impl<$($parameter)* S: $bound, E: Engine> fmt::Debug for $sending {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple("TlsSending").field(&self.pump).finish()
            }
        }

        impl<$($parameter)* S: $bound, E: Engine> fmt::Debug for $receiving {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple("TlsReceiving").field(&self.pump).finish()
            }
        }

        impl<$($parameter)* S: $bound, E: Engine> ErrorType for $sending {
            type Error = TlsError<S::Error>;
        }

        impl<$($parameter)* S: $bound, E: Engine> ErrorType for $receiving {
            type Error = TlsError<S::Error>;
        }

        impl<$($parameter)* S: $bound, E: Engine> Write for $sending {
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

        impl<$($parameter)* S: $bound, E: Engine> SendStream for $sending {
            async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
                self.pump.send_rest(data).await
            }

            async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
                self.pump.wait_send_all_might_not_block().await
            }
        }

        impl<$($parameter)* S: $bound, E: Engine> HalfCloseable for $sending {
            async fn send_eof(&mut self) -> Result<(), Self::Error> {
                self.pump.$send_eof().await
            }
        }

        impl<$($parameter)* S: $bound, E: Engine> Read for $receiving {
            async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
                if buf.is_empty() {
                    Ok(0)
                } else {
                    self.pump.receive(buf).await
                }
            }
        }

        impl<$($parameter)* S: $bound, E: Engine> ReceiveStream for $receiving {
            async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
                self.pump.receive(buf).await
            }
        }
    )*};
}

halves! {
    ['a,] Split: TlsSending<'a, S, E>, TlsReceiving<'a, S, E>, send_eof;
    [] IntoSplit: OwnedTlsSending<S, E>, OwnedTlsReceiving<S, E>, send_both_ends;
}
