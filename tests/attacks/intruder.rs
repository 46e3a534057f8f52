//! A client that shakes hands by the rules, has the keys of its session, and then says what it likes.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use tacket::{ReceiveStream, SendStream};
use tacket_tls::pki_types::CertificateDer;
use tacket_tls::rustls::client::{ClientConnectionData, Resumption, UnbufferedClientConnection};
use tacket_tls::rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use tacket_tls::rustls::crypto::hmac::Tag;
use tacket_tls::rustls::crypto::ring::default_provider;
use tacket_tls::rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use tacket_tls::rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use tacket_tls::rustls::kernel::KernelConnection;
use tacket_tls::rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use tacket_tls::rustls::version::TLS13;
use tacket_tls::rustls::{
    ClientConfig, ConnectionTrafficSecrets, ContentType, NamedGroup, ProtocolVersion,
    RootCertStore, SupportedCipherSuite, Tls13CipherSuite,
};

use crate::NAME;

/// Client and server have shaken hands, as far as the client can tell.
pub(super) struct Intruder<S> {
    pub(super) wire: S,
    kernel: KernelConnection<ClientConnectionData>,
    suite: &'static Tls13CipherSuite,
    keys: Box<dyn MessageEncrypter>,
    number: u64,
}

/// A client that trusts this root, and exchanges keys with one group.
pub(super) fn client(root: &[u8], group: NamedGroup, lies: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from(root.to_vec());
    roots.add(root).expect("a root");
    let mut provider = default_provider();
    provider.kx_groups.retain(|it| it.name() == group);
    if lies {
        provider = lying(provider);
    }
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS13])
        .expect("its suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_secret_extraction = true;
    config
}

pub(super) fn begin(config: ClientConfig) -> (UnbufferedClientConnection, Vec<u8>) {
    let name = NAME.try_into().expect("a name");
    let made = UnbufferedClientConnection::new(Arc::new(config), name);
    let mut connection = made.expect("it is valid");
    let mut hello = Vec::new();
    let is_waiting = advance(&mut connection, &mut Vec::new(), &mut hello);
    assert!(!is_waiting, "nobody has answered");
    (connection, hello)
}

/// Goes on until more has to come, and puts what is to be sent behind `outgoing`. Returns whether hands are shaken.
fn advance(
    connection: &mut UnbufferedClientConnection,
    incoming: &mut Vec<u8>,
    outgoing: &mut Vec<u8>,
) -> bool {
    let mut buf = [0; 4096];
    loop {
        let UnbufferedStatus { discard, state } = connection.process_tls_records(incoming);
        let mut is_done = None;
        match state.expect("the server follows the rules") {
            ConnectionState::EncodeTlsData(mut message) => {
                let count = message.encode(&mut buf).expect("there is room");
                outgoing.extend_from_slice(&buf[..count]);
            }
            ConnectionState::TransmitTlsData(flight) => flight.done(),
            ConnectionState::BlockedHandshake => is_done = Some(false),
            ConnectionState::WriteTraffic(_) => is_done = Some(true),
            other => panic!("an unexpected state: {other:?}"),
        }
        incoming.drain(..discard);
        if let Some(is_done) = is_done {
            return is_done;
        }
    }
}

impl<S: ReceiveStream + SendStream> Intruder<S> {
    /// Shakes hands.
    pub(super) async fn meet(mut wire: S, config: ClientConfig) -> Self {
        let (mut connection, mut outgoing) = begin(config);
        let (mut incoming, mut buf) = (Vec::new(), [0; 4096]);
        loop {
            wire.send_all(&outgoing).await.expect("it listens");
            outgoing.clear();
            let count = wire.receive_some(&mut buf).await.expect("it goes on");
            assert_ne!(count, 0, "it goes on");
            incoming.extend_from_slice(&buf[..count]);
            if advance(&mut connection, &mut incoming, &mut outgoing) {
                break;
            }
        }
        // The server may find this wrong.
        let _ = wire.send_all(&outgoing).await;
        let suite = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.tls13());
        let suite = suite.expect("TLS 1.3");
        let secrets = connection.dangerous_into_kernel_connection();
        let (secrets, kernel) = secrets.expect("allowed");
        Self {
            wire,
            kernel,
            suite,
            keys: encrypter(suite, secrets.tx.1),
            number: secrets.tx.0,
        }
    }

    /// A record under the keys of the session.
    pub(super) fn seal(&mut self, typ: u8, content: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: ContentType::from(typ),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(content),
        };
        let record = self.keys.encrypt(message, self.number);
        self.number += 1;
        record.expect("it can be protected").encode()
    }

    /// Goes on with the next keys, of which it has told.
    pub(super) fn change_keys(&mut self) {
        let (number, secret) = self.kernel.update_tx_secret().expect("keys");
        self.keys = encrypter(self.suite, secret);
        self.number = number;
    }
}

fn encrypter(
    suite: &Tls13CipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Box<dyn MessageEncrypter> {
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
    | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
    else {
        panic!("another cipher")
    };
    suite.aead_alg.encrypter(key, iv)
}

/// With suites whose last message of the handshake is not made of what was said.
fn lying(mut provider: CryptoProvider) -> CryptoProvider {
    let lie = |suite: &SupportedCipherSuite| {
        let suite = suite.tls13()?;
        let suite = Tls13CipherSuite {
            common: CipherSuiteCommon {
                suite: suite.common.suite,
                hash_provider: suite.common.hash_provider,
                confidentiality_limit: suite.common.confidentiality_limit,
            },
            hkdf_provider: Box::leak(Box::new(Lying(suite.hkdf_provider, AtomicUsize::new(0)))),
            aead_alg: suite.aead_alg,
            quic: None,
        };
        Some(SupportedCipherSuite::from(&*Box::leak(Box::new(suite))))
    };
    provider.cipher_suites = provider.cipher_suites.iter().filter_map(lie).collect();
    provider
}

/// Makes tags, of which the second is another one: the first is that of the server, which has to be right.
struct Lying(&'static dyn Hkdf, AtomicUsize);

impl Hkdf for Lying {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        self.0.extract_from_zero_ikm(salt)
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.0.extract_from_secret(salt, secret)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        self.0.expander_for_okm(okm)
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        let tag = self.0.hmac_sign(key, message);
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            return tag;
        }
        let mut other = tag.as_ref().to_vec();
        other[0] ^= 1;
        Tag::new(&other)
    }
}
