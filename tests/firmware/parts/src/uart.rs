//! A serial port, and somebody who connects some.

use core::fmt;
use core::hint::black_box;

use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};
use futures_util::future::pending;
use tacket::{AsyncResource, Fault, Foreign, Listener, StapledStream};

/// A serial port with nobody at its other end, of which the compiler does not know that: what is sent is gone, what comes are zeros.
#[derive(Debug)]
pub struct Uart;

/// What happens to none of them.
#[derive(Debug)]
pub struct UartError;

/// A stream over two of them.
pub type Line = StapledStream<Foreign<Uart>, Foreign<Uart>>;

/// One such stream.
#[must_use]
pub const fn line() -> Line {
    StapledStream::new(Foreign::new(Uart), Foreign::new(Uart))
}

/// A listener with so many clients.
#[derive(Debug)]
pub struct Lines(pub u32);

impl fmt::Display for UartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the line is down")
    }
}

impl core::error::Error for UartError {}

impl Error for UartError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl tacket::Error for UartError {
    fn fault(&self) -> Fault {
        Fault::Other
    }
}

impl ErrorType for Uart {
    type Error = UartError;
}

impl Write for Uart {
    async fn write(&mut self, data: &[u8]) -> Result<usize, UartError> {
        Ok(black_box(data.len()))
    }

    async fn flush(&mut self) -> Result<(), UartError> {
        Ok(())
    }
}

impl Read for Uart {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, UartError> {
        buf.fill(black_box(0));
        Ok(black_box(buf.len()))
    }
}

impl ErrorType for Lines {
    type Error = UartError;
}

impl AsyncResource for Lines {
    async fn close(self) -> Result<(), UartError> {
        Ok(())
    }
}

impl Listener for Lines {
    type Stream = Line;

    async fn accept(&mut self) -> Result<Line, UartError> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Ok(line())
            }
            None => pending().await,
        }
    }
}
