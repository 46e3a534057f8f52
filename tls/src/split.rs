//! The two directions of a TLS connection, for use at the same time.

use alloc::rc::Rc;
use core::fmt;

use embedded_io_async::{ErrorType, Read, Write};
use tacket::{HalfCloseable, ReceiveStream, SendStream, Split};

use crate::engine::Engine;
use crate::error::{NeedHandshake, TlsError};
use crate::negotiated::Negotiated;
use crate::pump::Pump;

/// The sending half of a [`TlsStream`](crate::TlsStream).
///
/// Before the handshake is done, whichever half is used first performs it, in both directions of the transport.
///
/// If the receiving half finds that the session has failed while this one waits for the transport, it goes on waiting for that,
/// and the next operation reports the failure. If the transport can no longer be sent to, the receiving half goes on.
pub struct TlsSending<'a, S: Split + 'a, E> {
    pump: Rc<Pump<'a, S, E>>,
}

/// The receiving half of a [`TlsStream`](crate::TlsStream).
///
/// After the handshake it waits for no sender. It sends nothing but the alert that tells the peer why the session failed, if
/// the transport takes that at once.
pub struct TlsReceiving<'a, S: Split + 'a, E> {
    pump: Rc<Pump<'a, S, E>>,
}

impl<'a, S: Split, E: Engine> TlsSending<'a, S, E> {
    pub(crate) const fn new(pump: Rc<Pump<'a, S, E>>) -> Self {
        Self { pump }
    }

    /// What was agreed in the handshake.
    ///
    /// # Errors
    ///
    /// [`NeedHandshake`]: it is not done.
    pub fn negotiated(&self) -> Result<Negotiated, NeedHandshake> {
        self.pump.session().negotiated().ok_or(NeedHandshake)
    }
}

impl<'a, S: Split, E: Engine> TlsReceiving<'a, S, E> {
    pub(crate) const fn new(pump: Rc<Pump<'a, S, E>>) -> Self {
        Self { pump }
    }

    /// What was agreed in the handshake.
    ///
    /// # Errors
    ///
    /// [`NeedHandshake`]: it is not done.
    pub fn negotiated(&self) -> Result<Negotiated, NeedHandshake> {
        self.pump.session().negotiated().ok_or(NeedHandshake)
    }
}

impl<S: Split, E: fmt::Debug> fmt::Debug for TlsSending<'_, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsSending").field(&self.pump).finish()
    }
}

impl<S: Split, E: fmt::Debug> fmt::Debug for TlsReceiving<'_, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsReceiving").field(&self.pump).finish()
    }
}

impl<S: Split, E> ErrorType for TlsSending<'_, S, E> {
    type Error = TlsError<S::Error>;
}

impl<S: Split, E> ErrorType for TlsReceiving<'_, S, E> {
    type Error = TlsError<S::Error>;
}

impl<S: Split, E: Engine> Write for TlsSending<'_, S, E> {
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

impl<S: Split, E: Engine> SendStream for TlsSending<'_, S, E> {
    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
        self.pump.send_rest(data).await
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        self.pump.wait_send_all_might_not_block().await
    }
}

impl<S: Split, E: Engine> HalfCloseable for TlsSending<'_, S, E> {
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        self.pump.send_eof().await
    }
}

impl<S: Split, E: Engine> Read for TlsReceiving<'_, S, E> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        if buf.is_empty() {
            Ok(0)
        } else {
            self.pump.receive(buf).await
        }
    }
}

impl<S: Split, E: Engine> ReceiveStream for TlsReceiving<'_, S, E> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.pump.receive(buf).await
    }
}
