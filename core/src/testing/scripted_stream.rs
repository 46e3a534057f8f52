//! The program's end of a script.

use core::future::poll_fn;

use embedded_io_async::{ErrorType, Read, Write};

use super::{Call, Script, ScriptError};
use crate::{AsyncResource, HalfCloseable, ReceiveStream, SendStream, Split};

/// A two-way stream to the peer of a [`Script`].
#[derive(Debug)]
pub struct ScriptedStream<'s, 'a, const C: usize> {
    script: &'s Script<'a, C>,
    sending: ScriptedSender<'s, 'a, C>,
    receiving: ScriptedReceiver<'s, 'a, C>,
}

/// The sending half of a [`ScriptedStream`].
#[derive(Debug)]
pub struct ScriptedSender<'s, 'a, const C: usize> {
    script: &'s Script<'a, C>,
}

/// The receiving half of a [`ScriptedStream`].
#[derive(Debug)]
pub struct ScriptedReceiver<'s, 'a, const C: usize> {
    script: &'s Script<'a, C>,
}

impl<'s, 'a, const C: usize> ScriptedStream<'s, 'a, C> {
    pub(super) const fn new(script: &'s Script<'a, C>) -> Self {
        Self {
            script,
            sending: ScriptedSender { script },
            receiving: ScriptedReceiver { script },
        }
    }
}

impl<const C: usize> ErrorType for ScriptedSender<'_, '_, C> {
    type Error = ScriptError;
}

impl<const C: usize> Write for ScriptedSender<'_, '_, C> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ScriptError> {
        self.script.note(Call::Write(buf.len()));
        poll_fn(|cx| self.script.poll_write(cx, buf)).await
    }

    async fn flush(&mut self) -> Result<(), ScriptError> {
        self.script.note(Call::Flush);
        Ok(())
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), ScriptError> {
        self.send_all(buf).await
    }
}

impl<const C: usize> SendStream for ScriptedSender<'_, '_, C> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), ScriptError> {
        self.script.note(Call::Wait);
        poll_fn(|cx| self.script.poll_room(cx)).await
    }
}

impl<const C: usize> HalfCloseable for ScriptedSender<'_, '_, C> {
    async fn send_eof(&mut self) -> Result<(), ScriptError> {
        self.script.note(Call::SendEof);
        poll_fn(|cx| self.script.poll_end(cx)).await
    }
}

impl<const C: usize> ErrorType for ScriptedReceiver<'_, '_, C> {
    type Error = ScriptError;
}

impl<const C: usize> Read for ScriptedReceiver<'_, '_, C> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ScriptError> {
        match buf.is_empty() {
            true => Ok(0),
            false => self.receive_some(buf).await,
        }
    }
}

impl<const C: usize> ReceiveStream for ScriptedReceiver<'_, '_, C> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, ScriptError> {
        if buf.is_empty() {
            return Err(ScriptError::EmptyBuffer);
        }
        self.script.note(Call::Receive(buf.len()));
        poll_fn(|cx| self.script.poll_read(cx, buf)).await
    }
}

impl<const C: usize> ErrorType for ScriptedStream<'_, '_, C> {
    type Error = ScriptError;
}

impl<const C: usize> Write for ScriptedStream<'_, '_, C> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ScriptError> {
        self.sending.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), ScriptError> {
        self.sending.flush().await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), ScriptError> {
        self.sending.write_all(buf).await
    }
}

impl<const C: usize> SendStream for ScriptedStream<'_, '_, C> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), ScriptError> {
        self.sending.wait_send_all_might_not_block().await
    }
}

impl<const C: usize> HalfCloseable for ScriptedStream<'_, '_, C> {
    async fn send_eof(&mut self) -> Result<(), ScriptError> {
        self.sending.send_eof().await
    }
}

impl<const C: usize> Read for ScriptedStream<'_, '_, C> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ScriptError> {
        self.receiving.read(buf).await
    }
}

impl<const C: usize> ReceiveStream for ScriptedStream<'_, '_, C> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, ScriptError> {
        self.receiving.receive_some(buf).await
    }
}

impl<'s, 'a, const C: usize> Split for ScriptedStream<'s, 'a, C> {
    type Sending<'h>
        = &'h mut ScriptedSender<'s, 'a, C>
    where
        Self: 'h;
    type Receiving<'h>
        = &'h mut ScriptedReceiver<'s, 'a, C>
    where
        Self: 'h;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        (&mut self.sending, &mut self.receiving)
    }
}

impl<const C: usize> AsyncResource for ScriptedStream<'_, '_, C> {
    /// Sends the end, if that was not done.
    async fn close(self) -> Result<(), ScriptError> {
        self.script.note(Call::Close);
        poll_fn(|cx| self.script.poll_end(cx)).await
    }
}

impl<const C: usize> Drop for ScriptedStream<'_, '_, C> {
    fn drop(&mut self) {
        self.script.note(Call::Drop);
    }
}
