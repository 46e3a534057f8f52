//! TLS by rustls alone, over a socket: what a program does that has no layer for it, with memory for the longest record.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::DerefMut;

use embassy_net::tcp::{self, TcpSocket};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use tacket_tls::rustls;
use tacket_tls::rustls::client::ClientConnectionData;
use tacket_tls::rustls::server::ServerConnectionData;
use tacket_tls::rustls::unbuffered::{
    ConnectionState, UnbufferedConnectionCommon, UnbufferedStatus,
};

use crate::PIECE;

/// The longest record (RFC 8446, 5.2).
const RECORD: usize = 5 + (1 << 14) + 256;

/// Room for what goes out at once: all of a server's messages, or a piece of data.
const OUT: usize = PIECE + 1024;

/// Why it goes on no more.
#[derive(Debug)]
pub enum Failure {
    /// The socket failed.
    Transport(tcp::Error),
    /// rustls is not content with the peer.
    Rustls(rustls::Error),
    /// The peer's end was not authenticated.
    Truncated,
    /// Something is longer than there is room for.
    NoRoom,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(_) => f.write_str("the connection was reset"),
            Self::Rustls(error) => error.fmt(f),
            Self::Truncated => f.write_str("the connection ended early"),
            Self::NoRoom => f.write_str("something is too long"),
        }
    }
}

impl core::error::Error for Failure {}

impl embedded_io_async::Error for Failure {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl From<tcp::Error> for Failure {
    fn from(error: tcp::Error) -> Self {
        Self::Transport(error)
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error)
    }
}

/// What rustls does alike on both sides under two names.
pub trait Side: Sized {
    /// Looks at what came.
    fn process<'c, 'i>(
        connection: &'c mut UnbufferedConnectionCommon<Self>,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self>;
}

impl Side for ClientConnectionData {
    fn process<'c, 'i>(
        connection: &'c mut UnbufferedConnectionCommon<Self>,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self> {
        connection.process_tls_records(incoming)
    }
}

impl Side for ServerConnectionData {
    fn process<'c, 'i>(
        connection: &'c mut UnbufferedConnectionCommon<Self>,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self> {
        connection.process_tls_records(incoming)
    }
}

/// A connection of rustls over a socket.
pub struct Alone<'s, C> {
    connection: C,
    socket: &'s mut TcpSocket<'static>,
    incoming: Vec<u8>,
    filled: usize,
    outgoing: Vec<u8>,
    /// Data that came and was not read yet, from `read` on.
    data: Vec<u8>,
    read: usize,
    /// The peer's end has come, which rustls says once.
    has_ended: bool,
}

/// What is to be reached.
enum Goal<'b> {
    Handshake,
    Data(&'b mut [u8]),
    Send(&'b [u8]),
    End,
}

/// How far a step went.
enum Reached {
    Goal(usize),
    Something,
    NeedInput,
}

impl<'s, C, D> Alone<'s, C>
where
    C: DerefMut<Target = UnbufferedConnectionCommon<D>>,
    D: Side,
{
    /// Over a socket that is connected.
    #[must_use]
    pub fn new(connection: C, socket: &'s mut TcpSocket<'static>) -> Self {
        Self {
            connection,
            socket,
            incoming: vec![0; RECORD],
            filled: 0,
            outgoing: vec![0; OUT],
            data: Vec::new(),
            read: 0,
            has_ended: false,
        }
    }

    /// Shakes hands.
    ///
    /// # Errors
    ///
    /// The peer is not who it should be, or the socket failed.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, a part of a message may have been sent.
    pub async fn shake_hands(&mut self) -> Result<(), Failure> {
        self.advance(Goal::Handshake).await.map(drop)
    }

    /// Sends the authenticated end, and closes the socket.
    ///
    /// # Errors
    ///
    /// The socket failed.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, a part of a message may have been sent.
    pub async fn close(mut self) -> Result<(), Failure> {
        self.advance(Goal::End).await?;
        self.socket.close();
        self.socket.flush().await?;
        self.socket.abort();
        Ok(())
    }

    async fn advance(&mut self, mut goal: Goal<'_>) -> Result<usize, Failure> {
        let mut encoded = 0;
        loop {
            let incoming = &mut self.incoming[..self.filled];
            let UnbufferedStatus { discard, state } = D::process(&mut self.connection, incoming);
            let mut reached = match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    let mut taken = 0;
                    while let Some(record) = traffic.next_record() {
                        let mut payload = record?.payload;
                        if let Goal::Data(buf) = &mut goal
                            && taken == 0
                        {
                            taken = buf.len().min(payload.len());
                            buf[..taken].copy_from_slice(&payload[..taken]);
                            payload = &payload[taken..];
                        }
                        self.data.extend_from_slice(payload);
                    }
                    match taken {
                        0 => Reached::Something,
                        count => Reached::Goal(count),
                    }
                }
                ConnectionState::EncodeTlsData(mut message) => {
                    let room = &mut self.outgoing[encoded..];
                    encoded += message.encode(room).map_err(|_| Failure::NoRoom)?;
                    Reached::Something
                }
                ConnectionState::TransmitTlsData(flight) => {
                    self.socket.write_all(&self.outgoing[..encoded]).await?;
                    encoded = 0;
                    flight.done();
                    Reached::Something
                }
                ConnectionState::WriteTraffic(mut traffic) => match goal {
                    Goal::Handshake => Reached::Goal(0),
                    Goal::Data(_) => Reached::NeedInput,
                    Goal::Send(data) => {
                        let sealed = traffic.encrypt(data, &mut self.outgoing);
                        let sealed = sealed.map_err(|_| Failure::NoRoom)?;
                        self.socket.write_all(&self.outgoing[..sealed]).await?;
                        Reached::Goal(data.len())
                    }
                    Goal::End => {
                        let sealed = traffic.queue_close_notify(&mut self.outgoing);
                        let sealed = sealed.map_err(|_| Failure::NoRoom)?;
                        self.socket.write_all(&self.outgoing[..sealed]).await?;
                        Reached::Goal(0)
                    }
                },
                ConnectionState::BlockedHandshake => Reached::NeedInput,
                ConnectionState::PeerClosed => {
                    self.has_ended = true;
                    match goal {
                        Goal::Data(_) => Reached::Goal(0),
                        _ => Reached::Something,
                    }
                }
                _ => return Err(rustls::Error::HandshakeNotComplete.into()),
            };
            self.incoming.copy_within(discard..self.filled, 0);
            self.filled -= discard;
            // A server may send before it has heard all.
            if matches!(goal, Goal::Handshake) && self.connection.is_handshaking() {
                if let Reached::Goal(_) = reached {
                    reached = Reached::NeedInput;
                }
            }
            match reached {
                Reached::Goal(count) => return Ok(count),
                Reached::Something => {}
                Reached::NeedInput => self.fill().await?,
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        let room = &mut self.incoming[self.filled..];
        if room.is_empty() {
            return Err(Failure::NoRoom);
        }
        match self.socket.read(room).await? {
            0 => Err(Failure::Truncated),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }
}

impl<C> ErrorType for Alone<'_, C> {
    type Error = Failure;
}

impl<C, D> Read for Alone<'_, C>
where
    C: DerefMut<Target = UnbufferedConnectionCommon<D>>,
    D: Side,
{
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Failure> {
        if self.read == self.data.len() {
            self.data.clear();
            self.read = 0;
            if self.has_ended {
                return Ok(0);
            }
            return self.advance(Goal::Data(buf)).await;
        }
        let here = &self.data[self.read..];
        let count = here.len().min(buf.len());
        buf[..count].copy_from_slice(&here[..count]);
        self.read += count;
        Ok(count)
    }
}

impl<C, D> Write for Alone<'_, C>
where
    C: DerefMut<Target = UnbufferedConnectionCommon<D>>,
    D: Side,
{
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Failure> {
        let piece = &buf[..buf.len().min(PIECE)];
        self.advance(Goal::Send(piece)).await
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        Ok(()) // that of the socket waits for the peer
    }
}
