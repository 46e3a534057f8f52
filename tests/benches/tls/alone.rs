//! rustls' unbuffered interface in a loop written by hand, with the buffers that it asks for and no more.

use std::sync::Arc;
use std::time::Duration;

use tacket_tests::NAME;
use tacket_tls::pki_types::ServerName;
use tacket_tls::rustls::client::UnbufferedClientConnection;
use tacket_tls::rustls::server::UnbufferedServerConnection;
use tacket_tls::rustls::unbuffered::ConnectionState;

use crate::{BATCH, Contender, Ends, PIECE, time};

/// How much is read at once: what the pump asks for.
const READ: usize = 80 * 1024;

/// Room for a sealed piece.
const SEALED: usize = PIECE + 1024;

pub(crate) struct Alone {
    client: UnbufferedClientConnection,
    server: UnbufferedServerConnection,
    incoming: Vec<u8>,
    piece: Vec<u8>,
    out: Vec<u8>,
}

/// One step of a connection: what it has to say goes to `$out`; what it is given comes from `$incoming`.
macro_rules! step {
    ($connection:expr, $incoming:expr, $out:expr) => {{
        let status = $connection.process_tls_records($incoming);
        let discard = status.discard;
        let mut goes_on = true;
        match status.state.unwrap() {
            ConnectionState::EncodeTlsData(mut message) => {
                let mut room = [0; 16 * 1024];
                let length = message.encode(&mut room).unwrap();
                $out.extend_from_slice(&room[..length]);
            }
            ConnectionState::TransmitTlsData(flight) => flight.done(),
            _ => goes_on = false,
        }
        $incoming.drain(..discard);
        goes_on
    }};
}

impl Alone {
    pub(crate) fn new(ends: &Ends) -> Self {
        let name = ServerName::try_from(NAME).unwrap();
        let config = Arc::new(ends.client.clone());
        let mut client = UnbufferedClientConnection::new(config, name).unwrap();
        let config = Arc::new(ends.server.clone());
        let mut server = UnbufferedServerConnection::new(config).unwrap();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while client.is_handshaking() || server.is_handshaking() {
            while step!(client, &mut to_client, to_server) {}
            while step!(server, &mut to_server, to_client) {}
        }
        while step!(client, &mut to_client, to_server) {}
        Self {
            client,
            server,
            incoming: vec![0; READ],
            piece: vec![1; PIECE],
            out: vec![0; SEALED],
        }
    }
}

impl Contender for Alone {
    fn seal(&mut self, pieces: usize) -> Duration {
        time(|| {
            for _ in 0..pieces {
                let status = self.client.process_tls_records(&mut []);
                let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else {
                    panic!("it cannot write")
                };
                traffic.encrypt(&self.piece, &mut self.out).unwrap();
            }
        })
    }

    fn open(&mut self, pieces: usize) -> Duration {
        let mut taken = Duration::ZERO;
        let mut left = pieces;
        while left > 0 {
            let now = left.min(BATCH / PIECE);
            let mut sealed = Vec::new();
            for _ in 0..now {
                let status = self.server.process_tls_records(&mut []);
                let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else {
                    panic!("it cannot write")
                };
                let length = traffic.encrypt(&self.piece, &mut self.out).unwrap();
                sealed.extend_from_slice(&self.out[..length]);
            }
            taken += time(|| self.open_batch(&sealed, now * PIECE));
            left -= now;
        }
        taken
    }
}

impl Alone {
    /// Opens `sealed` into the caller's buffer, which a piece fits.
    fn open_batch(&mut self, mut sealed: &[u8], wanted: usize) {
        let (mut start, mut end, mut total) = (0, 0, 0);
        while total < wanted {
            let status = self
                .client
                .process_tls_records(&mut self.incoming[start..end]);
            let mut starved = false;
            match status.state.unwrap() {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let payload = record.unwrap().payload;
                        let at = total % PIECE;
                        self.piece[at..at + payload.len()].copy_from_slice(payload);
                        total += payload.len();
                    }
                }
                _ => starved = true,
            }
            start += status.discard;
            if starved {
                self.incoming.copy_within(start..end, 0);
                end -= start;
                start = 0;
                let (now, later) = sealed.split_at(sealed.len().min(READ - end));
                self.incoming[end..end + now.len()].copy_from_slice(now);
                end += now.len();
                sealed = later;
            }
        }
    }
}
