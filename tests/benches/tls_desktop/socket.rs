//! A socket with rustls' buffered connection on it, for the state machines by hand. It does not block.

use alloc::sync::Arc;
use std::io::{self, ErrorKind, Read, Write as _};

use mio::net::TcpStream;
use tacket_tls::rustls::{ClientConnection, Connection, ServerConnection};

use crate::ends::{ends, name};
use crate::speed::peers::raw_mio::{retry, would_block};

#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    tls: Connection,
    /// The socket below is full.
    is_full: bool,
    /// The peer's end has come.
    has_ended: bool,
}

impl Socket {
    pub(crate) fn connect(tcp: TcpStream) -> Self {
        let tls = ClientConnection::new(Arc::clone(&ends().client), name());
        Self::new(tcp, tls.unwrap().into())
    }

    pub(crate) fn accept(tcp: TcpStream) -> Self {
        let tls = ServerConnection::new(Arc::clone(&ends().server));
        Self::new(tcp, tls.unwrap().into())
    }

    const fn new(tcp: TcpStream, tls: Connection) -> Self {
        Self {
            tcp,
            tls,
            is_full: false,
            has_ended: false,
        }
    }

    pub(crate) const fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Reads what there is. As with a socket, what comes short says that there is no more.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let mut is_drained = false;
        loop {
            match self.tls.reader().read(&mut buf[filled..]) {
                Ok(0) => {
                    self.has_ended = true;
                    return Ok(filled);
                }
                Ok(count) => filled += count,
                Err(error) if would_block(&error) && is_drained => break,
                Err(error) if would_block(&error) => is_drained = self.receive()?,
                Err(error) => return Err(error),
            }
            if filled == buf.len() {
                break;
            }
        }
        match filled {
            0 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(filled),
        }
    }

    /// Whether there is an end behind what was read.
    pub(crate) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Takes some from the socket below, and tells whether that is drained.
    fn receive(&mut self) -> io::Result<bool> {
        let mut source = Source {
            tcp: &mut self.tcp,
            is_drained: false,
        };
        match retry(|| self.tls.read_tls(&mut source)) {
            Err(error) if would_block(&error) => return Ok(true),
            received => received?,
        };
        let is_drained = source.is_drained;
        self.tls.process_new_packets().map_err(io::Error::other)?;
        self.send()?;
        Ok(is_drained)
    }

    pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        self.send()?;
        while written < data.len() && !self.is_full {
            match self.tls.writer().write(&data[written..])? {
                0 => break, // the handshake is not done
                count => written += count,
            }
            self.send()?;
        }
        match written {
            0 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(written),
        }
    }

    /// Sends what rustls has to send, as far as there is room.
    fn send(&mut self) -> io::Result<()> {
        self.is_full = false;
        while self.tls.wants_write() && !self.is_full {
            match retry(|| self.tls.write_tls(&mut self.tcp)) {
                Err(error) if would_block(&error) => self.is_full = true,
                sent => drop(sent?),
            }
        }
        Ok(())
    }

    /// Does what the layer has to do for itself.
    pub(crate) fn go_on(&mut self) -> io::Result<()> {
        self.send()?;
        while self.tls.is_handshaking() {
            if self.receive()? {
                break;
            }
        }
        Ok(())
    }

    /// Ends the sending direction.
    pub(crate) fn shutdown(&mut self) {
        self.tls.send_close_notify();
        self.send().unwrap();
    }

    /// Ends the layer, before a drop.
    pub(crate) fn end(&mut self) {
        if matches!(self.tls, Connection::Client(_)) {
            ends().check_connected();
        }
        self.tls.send_close_notify();
        let _ = self.send(); // it fails if the peer is gone, whose end has come
    }
}

/// A socket, and whether what it gave last came short.
struct Source<'a> {
    tcp: &'a mut TcpStream,
    is_drained: bool,
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.tcp.read(buf)?;
        self.is_drained = count < buf.len();
        Ok(count)
    }
}
