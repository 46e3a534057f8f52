//! The peer of a stream: rustls, and in good faith. What it says is changed behind its back.

use alloc::collections::VecDeque;

use tacket_tls::rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use tacket_tls::rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use tacket_tls::rustls::unbuffered::{
    ConnectionState, UnbufferedConnectionCommon, UnbufferedStatus,
};
use tacket_tls::rustls::{ClientConfig, Error, ServerConfig};

use crate::NAME;

/// Room for the longest record, and for a flight of messages.
const MOST_AT_ONCE: usize = 20_000;

enum Connection {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What the peer does next, once the handshake is done.
pub(super) enum Wish {
    Say(Vec<u8>),
    ChangeKeys,
}

pub(super) struct Peer {
    connection: Connection,
    incoming: Vec<u8>,
    pub(super) wishes: VecDeque<Wish>,
    pub(super) progress: Progress,
}

/// What has come of the session for the peer.
#[derive(Default)]
pub(super) struct Progress {
    /// What it says: records that are not protected, or marked.
    pub(super) outgoing: Vec<u8>,
    pub(super) received: Vec<u8>,
    pub(super) has_received_end: bool,
    pub(super) is_established: bool,
    pub(super) failure: Option<Error>,
}

impl Peer {
    #[expect(
        clippy::expect_used,
        reason = "the name and the configuration are known"
    )]
    pub(super) fn client(config: ClientConfig) -> Self {
        let name = NAME.try_into().expect("a name");
        let connection = UnbufferedClientConnection::new(config.into(), name);
        Self::new(Connection::Client(connection.expect("it is valid")))
    }

    #[expect(clippy::expect_used, reason = "the configuration is known")]
    pub(super) fn server(config: ServerConfig) -> Self {
        let connection = UnbufferedServerConnection::new(config.into());
        Self::new(Connection::Server(connection.expect("it is valid")))
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection,
            incoming: Vec::new(),
            wishes: VecDeque::new(),
            progress: Progress::default(),
        }
    }

    pub(super) fn hear(&mut self, data: &[u8]) {
        if self.progress.failure.is_none() {
            self.incoming.extend_from_slice(data);
        }
    }

    /// Goes as far as what it has heard allows.
    pub(super) fn advance(&mut self) {
        let Self {
            connection,
            incoming,
            wishes,
            progress,
        } = self;
        match connection {
            Connection::Client(connection) => advance(
                connection,
                UnbufferedConnectionCommon::<ClientConnectionData>::process_tls_records,
                incoming,
                wishes,
                progress,
            ),
            Connection::Server(connection) => advance(
                connection,
                UnbufferedConnectionCommon::<ServerConnectionData>::process_tls_records,
                incoming,
                wishes,
                progress,
            ),
        }
    }
}

fn advance<D>(
    connection: &mut UnbufferedConnectionCommon<D>,
    process: impl for<'c, 'i> Fn(
        &'c mut UnbufferedConnectionCommon<D>,
        &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, D>,
    incoming: &mut Vec<u8>,
    wishes: &mut VecDeque<Wish>,
    progress: &mut Progress,
) {
    if progress.failure.is_some() {
        return;
    }
    let mut buf = [0; MOST_AT_ONCE];
    loop {
        let mut is_over = false;
        let UnbufferedStatus { discard, state } = process(connection, incoming);
        let encoded = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(Ok(record)) = traffic.next_record() {
                    progress.received.extend_from_slice(record.payload);
                }
                0
            }
            Ok(ConnectionState::EncodeTlsData(mut message)) => {
                message.encode(&mut buf).unwrap_or_default()
            }
            Ok(ConnectionState::TransmitTlsData(flight)) => {
                flight.done();
                0
            }
            Ok(ConnectionState::PeerClosed) => {
                progress.has_received_end = true;
                0
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) if progress.failure.is_none() => {
                progress.is_established = true;
                match wishes.pop_front() {
                    Some(Wish::Say(data)) => traffic.encrypt(&data, &mut buf).unwrap_or_default(),
                    Some(Wish::ChangeKeys) => {
                        let _ = traffic.refresh_traffic_keys();
                        0
                    }
                    None => {
                        is_over = true;
                        0
                    }
                }
            }
            Err(error) => {
                progress.failure = Some(error);
                0
            }
            _ => {
                is_over = true;
                0
            }
        };
        incoming.drain(..discard);
        // After a failure there may still be an alert to send.
        is_over |= progress.failure.is_some() && !connection.wants_write();
        progress
            .outgoing
            .extend_from_slice(buf.get(..encoded).unwrap_or_default());
        if is_over {
            return;
        }
    }
}
