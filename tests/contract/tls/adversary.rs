//! A peer that has shaken hands, has the keys of the session, and says what it likes.

use futures_util::future::join;
use tacket::testing::{MemoryPair, MemoryStream};
use tacket::{ReceiveStream as _, SendStream as _};
use tacket_tests::{Authority, NAME};
use tacket_tls::TlsStream;
use tacket_tls::rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use tacket_tls::rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
};
use tacket_tls::rustls::kernel::KernelConnection;
use tacket_tls::rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use tacket_tls::rustls::unbuffered::{
    ConnectionState, UnbufferedConnectionCommon, UnbufferedStatus,
};
use tacket_tls::rustls::{
    self, AlertDescription, ConnectionTrafficSecrets, ContentType, ProtocolVersion,
    SupportedCipherSuite, SupportedProtocolVersion,
};

/// The type of the message that says so (RFC 8446, 4).
const KEY_UPDATE: u8 = 24;

pub(super) type Wire<'p> = MemoryStream<'p, Vec<u8>>;

/// What is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Client,
    Server,
}

/// The peer of a [`Subject`].
pub(super) struct Adversary<'p> {
    pub(super) wire: Wire<'p>,
    /// What was read from the wire and not looked at.
    received: Vec<u8>,
    kernel: Kernel,
    suite: SupportedCipherSuite,
    sealing: (u64, Box<dyn MessageEncrypter>),
    opening: (u64, Box<dyn MessageDecrypter>),
}

enum Kernel {
    Client(KernelConnection<ClientConnectionData>),
    Server(KernelConnection<ServerConnectionData>),
}

impl<'p> Adversary<'p> {
    /// A subject, and the adversary that it has shaken hands with.
    pub(super) async fn meet(
        subject: Subject,
        version: &'static SupportedProtocolVersion,
        memory: &'p MemoryPair<Vec<u8>>,
    ) -> (TlsStream<Wire<'p>>, Self) {
        let (client, server) = configurations(version);
        let (near, mut wire) = memory.open().expect("the last pair is gone");
        let (tls, received, suite, secrets, kernel) = match subject {
            Subject::Client => {
                let mut tls = TlsStream::client(near, &client.into(), NAME).expect("a name");
                let mut own = UnbufferedServerConnection::new(server.into()).expect("it is valid");
                let process =
                    UnbufferedConnectionCommon::<ServerConnectionData>::process_tls_records;
                let shaking = shake_hands(&mut own, process, &mut wire);
                let (shaken, rest) = join(tls.do_handshake(), shaking).await;
                shaken.expect("shakes hands");
                let suite = own.negotiated_cipher_suite().expect("known");
                let (secrets, kernel) = own.dangerous_into_kernel_connection().expect("allowed");
                (tls, rest, suite, secrets, Kernel::Server(kernel))
            }
            Subject::Server => {
                let mut tls = TlsStream::server(near, &server.into()).expect("a configuration");
                let name = NAME.try_into().expect("a name");
                let own = UnbufferedClientConnection::new(client.into(), name);
                let mut own = own.expect("it is valid");
                let process =
                    UnbufferedConnectionCommon::<ClientConnectionData>::process_tls_records;
                let shaking = shake_hands(&mut own, process, &mut wire);
                let (shaken, rest) = join(tls.do_handshake(), shaking).await;
                shaken.expect("shakes hands");
                let suite = own.negotiated_cipher_suite().expect("known");
                let (secrets, kernel) = own.dangerous_into_kernel_connection().expect("allowed");
                (tls, rest, suite, secrets, Kernel::Client(kernel))
            }
        };
        let adversary = Self {
            wire,
            received,
            kernel,
            suite,
            sealing: (secrets.tx.0, encrypter(suite, secrets.tx.1)),
            opening: (secrets.rx.0, decrypter(suite, secrets.rx.1)),
        };
        (tls, adversary)
    }

    /// A record under the keys of the session.
    pub(super) fn seal(&mut self, typ: ContentType, content: &[u8]) -> Vec<u8> {
        let (number, encrypter) = &mut self.sealing;
        let message = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(content),
        };
        let record = encrypter
            .encrypt(message, *number)
            .expect("it can be protected");
        *number += 1;
        record.encode()
    }

    /// Says this in a protected record.
    pub(super) async fn say(&mut self, typ: ContentType, content: &[u8]) {
        let record = self.seal(typ, content);
        self.wire.send_all(&record).await.expect("there is room");
    }

    /// Uses the next keys for what it says. It has told so, or should have.
    pub(super) fn change_keys(&mut self) {
        let (number, secret) = match &mut self.kernel {
            Kernel::Client(kernel) => kernel.update_tx_secret().expect("keys"),
            Kernel::Server(kernel) => kernel.update_tx_secret().expect("keys"),
        };
        self.sealing = (number, encrypter(self.suite, secret));
    }

    /// What the subject says next, opened. `None`: it has ended or gone.
    pub(super) async fn hear(&mut self) -> Option<(ContentType, Vec<u8>)> {
        let mut buf = [0; 4096];
        let length = loop {
            if let [_, _, _, high, low, ..] = *self.received {
                let length = 5 + usize::from(u16::from_be_bytes([high, low]));
                if self.received.len() >= length {
                    break length;
                }
            }
            match self.wire.receive_some(&mut buf).await {
                Ok(count @ 1..) => self.received.extend_from_slice(&buf[..count]),
                _ => return None,
            }
        };
        let mut record: Vec<_> = self.received.drain(..length).collect();
        let typ = ContentType::from(record[0]);
        let (number, keys) = &mut self.opening;
        let sealed = InboundOpaqueMessage::new(typ, ProtocolVersion::TLSv1_2, &mut record[5..]);
        let opened = keys.decrypt(sealed, *number).expect("the session's keys");
        *number += 1;
        let (typ, content) = (opened.typ, opened.payload.to_vec());
        if typ == ContentType::Handshake && content.first() == Some(&KEY_UPDATE) {
            let (number, secret) = match &mut self.kernel {
                Kernel::Client(kernel) => kernel.update_rx_secret().expect("keys"),
                Kernel::Server(kernel) => kernel.update_rx_secret().expect("keys"),
            };
            self.opening = (number, decrypter(self.suite, secret));
        }
        Some((typ, content))
    }

    /// The fatal alert that the subject sends, if it sends one before it ends or goes.
    pub(super) async fn hear_alert(&mut self) -> Option<AlertDescription> {
        while let Some((typ, content)) = self.hear().await {
            if let (ContentType::Alert, [2, description]) = (typ, &*content) {
                return Some(AlertDescription::from(*description));
            }
        }
        None
    }
}

/// A client and a server of this version that trust each other, and let their keys be known.
fn configurations(
    version: &'static SupportedProtocolVersion,
) -> (rustls::ClientConfig, rustls::ServerConfig) {
    let authority = Authority::new();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root()).expect("a root");
    let provider = || rustls::crypto::ring::default_provider().into();
    let mut client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let mut server = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    client.enable_secret_extraction = true;
    server.enable_secret_extraction = true;
    server.send_tls13_tickets = 0;
    (client, server)
}

/// The adversary's part of the handshake. Returns what came behind it.
async fn shake_hands<D>(
    connection: &mut UnbufferedConnectionCommon<D>,
    process: impl for<'c, 'i> Fn(
        &'c mut UnbufferedConnectionCommon<D>,
        &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, D>,
    wire: &mut Wire<'_>,
) -> Vec<u8> {
    let (mut incoming, mut outgoing, mut buf) = (Vec::new(), Vec::new(), [0; 4096]);
    loop {
        let (mut is_done, mut is_blocked) = (false, false);
        let UnbufferedStatus { discard, state } = process(connection, &mut incoming);
        match state.expect("the subject follows the rules") {
            ConnectionState::EncodeTlsData(mut message) => {
                let count = message.encode(&mut buf).expect("there is room");
                outgoing.extend_from_slice(&buf[..count]);
            }
            ConnectionState::TransmitTlsData(flight) => flight.done(),
            ConnectionState::BlockedHandshake => is_blocked = true,
            ConnectionState::WriteTraffic(_) => is_done = true,
            _ => panic!("an unexpected state"),
        }
        incoming.drain(..discard);
        if is_done || is_blocked {
            wire.send_all(&outgoing).await.expect("there is room");
            outgoing.clear();
        }
        if is_done {
            return incoming;
        }
        if is_blocked {
            let count = wire.receive_some(&mut buf).await.expect("it goes on");
            assert_ne!(count, 0, "it goes on");
            incoming.extend_from_slice(&buf[..count]);
        }
    }
}

/// A key, what every nonce begins with, and what only TLS 1.2 has of a nonce.
fn parts(
    secrets: ConnectionTrafficSecrets,
) -> (
    rustls::crypto::cipher::AeadKey,
    rustls::crypto::cipher::Iv,
    usize,
) {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (key, iv, 8),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv, 0),
        _ => panic!("another cipher"),
    }
}

fn encrypter(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Box<dyn MessageEncrypter> {
    let (key, iv, explicit) = parts(secrets);
    match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => {
            let (salt, nonce) = iv.as_ref().split_at(iv.as_ref().len() - explicit);
            suite.aead_alg.encrypter(key, salt, nonce)
        }
    }
}

fn decrypter(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Box<dyn MessageDecrypter> {
    let (key, iv, explicit) = parts(secrets);
    match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.decrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => {
            let (salt, _) = iv.as_ref().split_at(iv.as_ref().len() - explicit);
            suite.aead_alg.decrypter(key, salt)
        }
    }
}
