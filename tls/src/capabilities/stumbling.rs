//! A transport that fails once, for a while.

use embedded_io_async::{ErrorType, Read};
use tacket::ReceiveStream;
use tacket::testing::MemoryError;

/// Its first receive fails, and nothing is lost.
#[derive(Debug)]
pub(super) struct Stumbling<R>(pub(super) R, pub(super) bool);

impl<R: ErrorType> ErrorType for Stumbling<R> {
    type Error = R::Error;
}

impl<R: ReceiveStream<Error = MemoryError>> Read for Stumbling<R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if core::mem::replace(&mut self.1, true) {
            self.0.read(buf).await
        } else {
            Err(MemoryError::Capacity)
        }
    }
}

impl<R: ReceiveStream<Error = MemoryError>> ReceiveStream for Stumbling<R> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        self.read(buf).await
    }
}
