//! A scripted server that is honest from here on: a stream under its keys.

use embedded_io_async::{ErrorType, Read, Write};
use tacket::{AsyncResource, HalfCloseable, IntoSplit, ReceiveStream, SendStream, StapledStream};

use super::{ALERT, DATA, Keys, Scripted, read_record};

/// Sends data in records.
#[derive(Debug)]
pub struct Sealing<S> {
    wire: S,
    keys: Keys,
}

/// Receives data of records.
#[derive(Debug)]
pub struct Opening<S> {
    wire: S,
    keys: Keys,
    data: Vec<u8>,
    has_ended: bool,
}

impl<S: IntoSplit> Scripted<S> {
    /// Goes on by the rules.
    pub fn into_traffic(
        self,
    ) -> StapledStream<Sealing<S::OwnedSending>, Opening<S::OwnedReceiving>> {
        let (tx, rx) = self.wire.into_split();
        let sealing = Sealing {
            wire: tx,
            keys: self.sealing,
        };
        let opening = Opening {
            wire: rx,
            keys: self.opening,
            data: Vec::new(),
            has_ended: false,
        };
        StapledStream::new(sealing, opening)
    }
}

impl<S: ErrorType> ErrorType for Sealing<S> {
    type Error = S::Error;
}

impl<S: SendStream> Write for Sealing<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, S::Error> {
        let record = self.keys.seal(&[buf, &[DATA]].concat());
        self.wire.send_all(&record).await?;
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.wire.flush().await
    }
}

impl<S: SendStream> SendStream for Sealing<S> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), S::Error> {
        self.wire.wait_send_all_might_not_block().await
    }
}

impl<S: HalfCloseable> HalfCloseable for Sealing<S> {
    async fn send_eof(&mut self) -> Result<(), S::Error> {
        let end = self.keys.seal(&[1, 0, ALERT]);
        self.wire.send_all(&end).await?;
        self.wire.send_eof().await
    }
}

impl<S: HalfCloseable + AsyncResource> AsyncResource for Sealing<S> {
    async fn close(mut self) -> Result<(), S::Error> {
        self.send_eof().await?;
        self.wire.close().await
    }
}

impl<S: ErrorType> ErrorType for Opening<S> {
    type Error = S::Error;
}

impl<S: ReceiveStream> Read for Opening<S> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, S::Error> {
        while self.data.is_empty() && !self.has_ended {
            let Some(record) = read_record(&mut self.wire).await else {
                self.has_ended = true;
                break;
            };
            let mut inside = self.keys.open(&record);
            match inside.pop() {
                Some(DATA) => self.data = inside,
                Some(ALERT) if inside == [1, 0] => self.has_ended = true,
                other => panic!("{other:?} {inside:?} is no data"),
            }
        }
        let count = buf.len().min(self.data.len());
        buf[..count].copy_from_slice(&self.data[..count]);
        self.data.drain(..count);
        Ok(count)
    }
}

impl<S: ReceiveStream> ReceiveStream for Opening<S> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, S::Error> {
        self.read(buf).await
    }
}

impl<S: ReceiveStream + AsyncResource> AsyncResource for Opening<S> {
    async fn close(self) -> Result<(), S::Error> {
        self.wire.close().await
    }
}
