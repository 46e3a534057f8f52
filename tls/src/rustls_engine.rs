//! The engine over rustls 0.23, by its unbuffered interface: the buffers are ours, so what follows the end is too.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
#[cfg(all(feature = "std", debug_assertions))]
use core::panic::AssertUnwindSafe;
use core::pin::Pin;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, UnbufferedConnectionCommon, UnbufferedStatus,
};
use rustls::{CommonState, HandshakeKind, ProtocolVersion};
use rustls_pki_types::ServerName;

use crate::asked_name::AskedName;
use crate::engine::SansIo;
use crate::error::{ConfigError, EngineError};
use crate::memory::IS_AMPLE;
use crate::negotiated::{CipherSuite, Negotiated, TlsVersion};

type Buffer = crate::buffer::Buffer<Vec<u8>>;
type Sink<'b> = crate::buffer::Sink<'b, Vec<u8>>;

/// How many full records are prepared for one write to the transport. Boards have no memory for more than one.
const RECORDS_AT_ONCE: usize = if IS_AMPLE { 4 } else { 1 };

/// The length of the header of a record (RFC 8446, 5.1).
const HEADER: usize = 5;

/// What a record adds to its data, at most, in the suites of rustls: header, explicit nonce, content type and tag.
const RECORD_OVERHEAD: usize = HEADER + 8 + 1 + 16;

/// Room for a message of the handshake. A longer one says how much it needs.
const MESSAGE_ROOM: usize = 512;

/// TLS by [rustls](crate::rustls): client and server, TLS 1.2 (with the provider) and 1.3.
pub struct RustlsEngine {
    connection: Connection,
    asked_name: AskedName,
    ends: Ends,
    is_joining: bool,
}

/// Which directions are over.
#[derive(Clone, Copy, Debug)]
struct Ends {
    sent: bool,
    received: bool,
}

enum Connection {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

impl RustlsEngine {
    pub(crate) fn client(
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, ConfigError> {
        let asked_name = AskedName::of_client(&config, &name);
        let connection = UnbufferedClientConnection::new(config, name)?;
        Ok(Self::new(Connection::Client(connection), asked_name))
    }

    pub(crate) fn server(config: Arc<rustls::ServerConfig>) -> Result<Self, ConfigError> {
        if config.max_early_data_size > 0 {
            return Err(ConfigError::EarlyData);
        }
        let (asked_name, config) = AskedName::of_server(&config);
        let connection = UnbufferedServerConnection::new(config.into())?;
        Ok(Self::new(Connection::Server(connection), asked_name))
    }

    const fn new(connection: Connection, asked_name: AskedName) -> Self {
        Self {
            connection,
            asked_name,
            ends: Ends {
                sent: false,
                received: false,
            },
            is_joining: false,
        }
    }

    fn facts(&self) -> &CommonState {
        match &self.connection {
            Connection::Client(connection) => connection,
            Connection::Server(connection) => connection,
        }
    }

    fn advance(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: Option<&mut Sink<'_>>,
        goal: Goal<'_>,
    ) -> Result<(), EngineError> {
        let ends = &mut self.ends;
        match &mut self.connection {
            Connection::Client(connection) => {
                advance(connection, incoming, output, sink, goal, ends)
            }
            Connection::Server(connection) => {
                advance(connection, incoming, output, sink, goal, ends)
            }
        }
        .map_err(EngineError::from)
    }
}

/// What is to be reached.
#[derive(Clone, Copy)]
enum Goal<'d> {
    /// To go as far as the input allows.
    Progress,
    /// To get one message that waits to be sent.
    Message,
    /// To protect this data.
    Seal(&'d [u8]),
    /// To end the sending direction.
    End,
    /// To change the keys of the sending direction.
    UpdateKeys,
}

/// Processes `incoming` until the goal is reached, or more input is needed.
fn advance<D: Side>(
    connection: &mut UnbufferedConnectionCommon<D>,
    incoming: &mut Buffer,
    output: &mut Buffer,
    mut sink: Option<&mut Sink<'_>>,
    mut goal: Goal<'_>,
    ends: &mut Ends,
) -> Result<(), rustls::Error> {
    loop {
        let UnbufferedStatus { discard, state } =
            process(connection, incoming.filled_mut(), ends.sent)?;
        let outcome = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                let wanted = match (traffic.peek_len(), sink.as_deref_mut()) {
                    (None, _) => break Ok(false),
                    (Some(len), Some(sink)) if sink.wants(len.get()) => sink,
                    _ => break Ok(true),
                };
                match traffic.next_record() {
                    Some(Ok(record)) => wanted.put(record.payload),
                    Some(Err(error)) => break Err(error),
                    None => break Ok(false),
                }
            },
            Ok(ConnectionState::EncodeTlsData(mut message)) => fit(output, MESSAGE_ROOM, |room| {
                message.encode(room).map_err(|error| match error {
                    EncodeError::InsufficientSize(size) => Unfit::Needs(size.required_size),
                    EncodeError::AlreadyEncoded => Unfit::Never,
                })
            })
            .map(|()| matches!(goal, Goal::Message)),
            Ok(ConnectionState::TransmitTlsData(flight)) => {
                // It is in the output, which is sent before anything else.
                flight.done();
                Ok(false)
            }
            Ok(ConnectionState::PeerClosed) => {
                ends.received = true;
                Ok(false)
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => match goal {
                Goal::Progress | Goal::Message => Ok(true),
                Goal::Seal(data) => fit(output, sealed_len(data.len()), |room| {
                    traffic.encrypt(data, room).map_err(Unfit::from)
                })
                .map(|()| true),
                Goal::End => {
                    ends.sent = true;
                    fit(output, MESSAGE_ROOM, |room| {
                        traffic.queue_close_notify(room).map_err(Unfit::from)
                    })
                    .map(|()| true)
                }
                Goal::UpdateKeys => {
                    // The message comes out next.
                    goal = Goal::Progress;
                    traffic.refresh_traffic_keys().map(|()| false)
                }
            },
            Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => match goal {
                Goal::Progress | Goal::Message => Ok(true),
                Goal::Seal(_) | Goal::End | Goal::UpdateKeys => {
                    Err(rustls::Error::HandshakeNotComplete)
                }
            },
            // Early data, which no configuration of ours accepts, or a state of a later rustls.
            Ok(_) => Err(rustls::Error::General("unexpected state".into())),
            Err(error) => Err(error),
        };
        incoming.consume(discard);
        if outcome? {
            return Ok(());
        }
    }
}

/// Lets rustls look at its input.
///
/// Before rustls 0.24, a debug build asserts that no alert follows another, and takes close_notify for one. After our end, a
/// record that it has to refuse would so be a panic, and is one in a debug build without `std`.
fn process<'c, 'i, D: Side>(
    connection: &'c mut UnbufferedConnectionCommon<D>,
    incoming: &'i mut [u8],
    has_sent_end: bool,
) -> Result<UnbufferedStatus<'c, 'i, D>, rustls::Error> {
    #[cfg(all(feature = "std", debug_assertions))]
    if has_sent_end {
        let once = (connection, incoming);
        let processed = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let (connection, incoming) = once;
            D::process(connection, incoming)
        }));
        return processed.map_err(|_| rustls::Error::General("bad data after our end".into()));
    }
    let _ = has_sent_end;
    Ok(D::process(connection, incoming))
}

/// How long the records for `len` bytes of data are, at most.
const fn sealed_len(len: usize) -> usize {
    len + (len.div_ceil(MAX_RECORD)) * RECORD_OVERHEAD
}

/// The most data in a record (RFC 8446, 5.1).
const MAX_RECORD: usize = 1 << 14;

/// Why something did not fit.
enum Unfit {
    Needs(usize),
    Never,
}

impl From<EncryptError> for Unfit {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::InsufficientSize(size) => Self::Needs(size.required_size),
            EncryptError::EncryptExhausted => Self::Never,
        }
    }
}

/// Lets `write` write into `output`, with as much room as it turns out to need.
fn fit(
    output: &mut Buffer,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Unfit>,
) -> Result<(), rustls::Error> {
    loop {
        match write(output.room(room)) {
            Ok(count) => {
                output.commit(count);
                return Ok(());
            }
            Err(Unfit::Needs(size)) if size > room => room = size,
            Err(Unfit::Needs(_) | Unfit::Never) => return Err(rustls::Error::EncryptError),
        }
    }
}

/// What rustls does alike on both sides under two names.
trait Side: Sized {
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

impl SansIo for RustlsEngine {
    type Memory = Vec<u8>;
    type Held<T> = Box<T>;
    type Negotiated = Negotiated;
    type Opening = ();
    type Opened = ();

    const DEFERS_OUTPUT: bool = true;
    const RESUMES_HANDSHAKE: bool = true;

    fn hold<T>(value: T) -> Box<T> {
        Box::new(value)
    }

    fn release<T>(held: Box<T>) -> T {
        *held
    }

    fn aside<F: Future>(future: F) -> impl Future<Output = F::Output> {
        Box::pin(future)
    }

    fn begin(&mut self) -> Option<()> {
        Some(())
    }

    async fn open((): ()) {}

    fn shake(
        &mut self,
        _opening: Pin<&mut impl Future<Output = ()>>,
        incoming: &mut Buffer,
        output: &mut Buffer,
    ) -> Result<(), EngineError> {
        self.step(incoming, output, None)
    }

    fn fitting(&self, wanted: usize, staged: usize, _limit: usize) -> usize {
        let free = sealed_len(RECORDS_AT_ONCE * MAX_RECORD).saturating_sub(staged);
        if sealed_len(wanted) <= free {
            wanted
        } else {
            free / sealed_len(MAX_RECORD) * MAX_RECORD
        }
    }

    fn step(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: Option<&mut Sink<'_>>,
    ) -> Result<(), EngineError> {
        self.advance(incoming, output, sink, Goal::Progress)?;
        // rustls discards what it is done with. A whole record that it leaves is part of a longer message, unless it is
        // data that nobody took yet; then it will be done with next time.
        self.is_joining = starts_with_record(incoming.filled());
        if !self.is_handshaking() {
            self.asked_name.settle();
        }
        Ok(())
    }

    fn seal(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: &mut Sink<'_>,
        data: &[u8],
    ) -> Result<(), EngineError> {
        self.advance(incoming, output, Some(sink), Goal::Seal(data))
    }

    fn end(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: &mut Sink<'_>,
    ) -> Result<bool, EngineError> {
        self.advance(incoming, output, Some(sink), Goal::End)?;
        Ok(true)
    }

    fn update_keys(
        &mut self,
        incoming: &mut Buffer,
        output: &mut Buffer,
        sink: &mut Sink<'_>,
    ) -> Result<bool, EngineError> {
        self.advance(incoming, output, Some(sink), Goal::Progress)?;
        // In the middle of a message of the peer's, rustls takes a change of keys for an error.
        if !self.ends.received && starts_with_record(incoming.filled()) {
            return Ok(false);
        }
        self.advance(incoming, output, Some(sink), Goal::UpdateKeys)?;
        Ok(true)
    }

    fn has_key_updates(&self) -> bool {
        self.facts().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    fn alert(&mut self, output: &mut Buffer) {
        // As long as rustls has something to send it does not look at the input, which it might no longer understand.
        while self.facts().wants_write() {
            let told = self.advance(&mut Buffer::default(), output, None, Goal::Message);
            if told.is_err() {
                return;
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        self.facts().is_handshaking()
    }

    fn needs_room(&self) -> bool {
        false
    }

    fn output_can_wait(&self) -> bool {
        // After the client's last message a server of TLS 1.3 has only tickets to send. A peer that sends and does not
        // receive would never take them.
        let is_server = matches!(self.connection, Connection::Server(_));
        let is_tls13 = self.facts().protocol_version() == Some(ProtocolVersion::TLSv1_3);
        is_server && is_tls13 && !self.is_handshaking()
    }

    fn is_joining(&self) -> bool {
        self.is_joining
    }

    fn held_data(&self) -> usize {
        0
    }

    fn has_ended(&self) -> bool {
        self.ends.received
    }

    fn negotiated(&self) -> Option<Negotiated> {
        let facts = self.facts();
        if facts.is_handshaking() {
            return None;
        }
        let suite = facts.negotiated_cipher_suite()?.suite();
        let certificates = facts.peer_certificates().unwrap_or_default();
        Some(Negotiated {
            version: match facts.protocol_version()? {
                ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
                _ => TlsVersion::Tls13,
            },
            cipher_suite: CipherSuite {
                id: suite.into(),
                name: suite.as_str(),
            },
            server_name: self.asked_name.get(),
            alpn_protocol: facts.alpn_protocol().map(Into::into),
            peer_certificates: certificates.to_vec(),
            is_resumed: facts.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    fn too_long(&self) -> EngineError {
        let reason = rustls::InvalidMessage::HandshakePayloadTooLarge;
        rustls::Error::InvalidMessage(reason).into()
    }
}

fn starts_with_record(data: &[u8]) -> bool {
    let Some(&[_, _, _, high, low]) = data.first_chunk::<HEADER>() else {
        return false;
    };
    data.len() >= HEADER + usize::from(u16::from_be_bytes([high, low]))
}

impl fmt::Debug for RustlsEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.connection {
            Connection::Client(_) => "client",
            Connection::Server(_) => "server",
        };
        f.debug_struct("RustlsEngine")
            .field("side", &side)
            .field("is_handshaking", &self.is_handshaking())
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}
