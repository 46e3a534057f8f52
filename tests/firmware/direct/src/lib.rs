//! A socket of embassy-net as a stream that only passes each call on. What it lacks, such as a reset when it is dropped, is what
//! tacket's sockets add.
#![no_std]

use core::fmt;

use embassy_net::Stack;
use embassy_net::tcp::{self, TcpReader, TcpSocket, TcpWriter};
use embassy_time::Duration;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use tacket::{AsyncResource, Fault, HalfCloseable, ReceiveStream, SendStream, Split};

/// A socket with these buffers, of the settings that those of tacket have.
pub fn socket<const LENGTH: usize>(
    stack: Stack<'static>,
    [receive, send]: &'static mut [[u8; LENGTH]; 2],
) -> TcpSocket<'static> {
    let mut socket = TcpSocket::new(stack, receive, send);
    socket.set_nagle_enabled(false);
    socket.set_timeout(Some(Duration::from_secs(120)));
    socket.set_keep_alive(Some(Duration::from_secs(30)));
    socket
}

/// The socket as a stream: each call is passed on.
pub struct Direct<'a>(pub &'a mut TcpSocket<'static>);

/// The connection is gone.
#[derive(Debug)]
pub struct Reset(tcp::Error);

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was reset")
    }
}

impl core::error::Error for Reset {}

impl embedded_io_async::Error for Reset {
    fn kind(&self) -> ErrorKind {
        self.0.kind()
    }
}

impl tacket::Error for Reset {
    fn fault(&self) -> Fault {
        Fault::Broken
    }
}

impl ErrorType for Direct<'_> {
    type Error = Reset;
}

impl Read for Direct<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl Write for Direct<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Reset> {
        self.0.write(buf).await.map_err(Reset)
    }

    async fn flush(&mut self) -> Result<(), Reset> {
        Ok(()) // that of the socket waits for the peer
    }
}

impl ReceiveStream for Direct<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl SendStream for Direct<'_> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Reset> {
        self.0.wait_write_ready().await;
        Ok(())
    }
}

impl HalfCloseable for Direct<'_> {
    async fn send_eof(&mut self) -> Result<(), Reset> {
        self.0.close();
        Ok(())
    }
}

impl AsyncResource for Direct<'_> {
    async fn close(self) -> Result<(), Reset> {
        self.0.close();
        self.0.flush().await.map_err(Reset)?;
        self.0.abort(); // or the socket waits for a minute until it can accept again
        Ok(())
    }
}

/// A direction of the socket.
pub struct Half<T>(T);

impl<T> ErrorType for Half<T> {
    type Error = Reset;
}

impl Read for Half<TcpReader<'_>> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl ReceiveStream for Half<TcpReader<'_>> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl Write for Half<TcpWriter<'_>> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Reset> {
        self.0.write(buf).await.map_err(Reset)
    }

    async fn flush(&mut self) -> Result<(), Reset> {
        Ok(())
    }
}

impl SendStream for Half<TcpWriter<'_>> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Reset> {
        self.0.wait_write_ready().await;
        Ok(())
    }
}

impl HalfCloseable for Half<TcpWriter<'_>> {
    async fn send_eof(&mut self) -> Result<(), Reset> {
        Ok(()) // no half of the socket can end its direction: its close does
    }
}

impl Split for Direct<'_> {
    type Sending<'h>
        = Half<TcpWriter<'h>>
    where
        Self: 'h;
    type Receiving<'h>
        = Half<TcpReader<'h>>
    where
        Self: 'h;

    fn split(&mut self) -> (Half<TcpWriter<'_>>, Half<TcpReader<'_>>) {
        let (reader, writer) = self.0.split();
        (Half(writer), Half(reader))
    }
}
