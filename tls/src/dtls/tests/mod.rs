//! Several modules together. Here are two ends without a socket: a test hands each what the other says, and more.

mod certificates;
mod forged;
mod half_open;
mod hostile;
mod keys;
mod losses;
mod one_client;
mod polled_anywhere;
mod two_tables;
mod waits;

use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use digest::Digest as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sha2_0_10::Sha256;

use crate::dtls::error::{Over, Refusal};
use crate::dtls::record::{Fragments, Record, Records};
use crate::dtls::table::Table;
use crate::dtls::{DtlsClientConfig, DtlsIdentity, DtlsServerConfig, DtlsTrust};
use crate::fingerprint::Fingerprint;

const SERVER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
const CLIENT: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 1);
const SECOND: Duration = Duration::from_secs(1);

/// How often it was woken.
#[derive(Default)]
pub(super) struct Count(pub(super) AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Ends {
    now: Duration,
    client: Table,
    server: Table,
    /// The client's association, and the server's once there is one.
    channel: u64,
    accepted: Option<u64>,
    /// How many datagrams the server has sent.
    answers: usize,
}

/// What a server gets instead of a datagram of its client.
type Between<'b> = &'b mut dyn FnMut(&[u8]) -> Vec<Vec<u8>>;

impl Ends {
    /// A client that has begun its handshake, and a server.
    fn new(client_config: &DtlsClientConfig, server_config: &DtlsServerConfig) -> Self {
        let (ends, begun) = Self::begin(client_config, server_config, 1472);
        assert_eq!(begun, Ok(false));
        ends
    }

    /// The same, where the datagrams of the client have so many bytes at most, and what came of the beginning.
    fn begin(
        client_config: &DtlsClientConfig,
        server_config: &DtlsServerConfig,
        mtu: usize,
    ) -> (Self, Result<bool, Over>) {
        let (mut client, mut server) = (Table::new(&[1; 32]), Table::new(&[2; 32]));
        assert!(server.serve(server_config, 8));
        let name = ServerName::try_from("server.example").expect("a name");
        let channel = client.connect(SERVER, client_config.clone(), name);
        let channel = channel.expect("it is not over");
        let now = Duration::ZERO;
        let begun = client.with(channel, now, |own, around| {
            own.mtu = mtu;
            own.shake_hands(around)
        });
        let ends = Self {
            now,
            client,
            server,
            channel,
            accepted: None,
            answers: 0,
        };
        (ends, begun.expect("it is there"))
    }

    /// Something comes from the client's address.
    fn arrives(&mut self, datagram: &[u8]) {
        self.server.arrived(self.now, CLIENT, datagram);
        if let Some((id, _)) = self.server.next_client() {
            self.accepted = Some(id);
            let begun = self
                .server
                .with(id, self.now, |own, around| own.shake_hands(around));
            assert_eq!(begun, Some(Ok(false)));
        }
    }

    /// What the server says reaches its client. Returns how many datagrams it was.
    fn answer(&mut self) -> usize {
        let before = self.answers;
        while let Some(sent) = self.server.out.pop() {
            self.server.has_gone(sent.id, sent.number, true);
            self.answers += 1;
            self.client.arrived(self.now, SERVER, &sent.data);
        }
        self.answers - before
    }

    /// Lets both talk until they have nothing to say.
    fn talk(&mut self, between: Between<'_>) {
        loop {
            let mut is_quiet = true;
            while let Some(sent) = self.client.out.pop() {
                is_quiet = false;
                self.client.has_gone(sent.id, sent.number, true);
                for datagram in between(&sent.data) {
                    self.arrives(&datagram);
                }
            }
            if self.answer() == 0 && is_quiet {
                return;
            }
        }
    }

    fn talk_undisturbed(&mut self) {
        self.talk(&mut |datagram| vec![datagram.to_vec()]);
    }

    fn are_established(&mut self) -> bool {
        let accepted = self.accepted.and_then(|id| self.server.get(id));
        accepted.is_some_and(|own| own.is_established())
            && (self.client.get(self.channel)).is_some_and(|own| own.is_established())
    }

    fn send(&mut self, message: &[u8]) -> Result<(), Refusal> {
        let sent = self.client.with(self.channel, self.now, |own, around| {
            own.send(message, around)
        });
        let sent = sent.expect("it is there")?;
        assert!(sent.is_some(), "the handshake is done");
        self.talk_undisturbed();
        Ok(())
    }

    /// What the server has received.
    fn received(&mut self) -> Option<Vec<u8>> {
        let id = self.accepted.expect("it is there");
        let received = self.server.with(id, self.now, |own, _| own.inbox.take());
        received.expect("it is there").expect("not over")?
    }

    /// A message goes from the client to the server.
    fn say(&mut self, message: &[u8]) {
        assert_eq!(self.send(message), Ok(()));
        assert_eq!(self.received().as_deref(), Some(message));
    }
}

/// Somebody with a certificate, and trust in that.
fn somebody() -> (DtlsIdentity, DtlsTrust) {
    somebody_with(1)
}

/// The same with so many names of 33 bytes in the certificate.
fn somebody_with(names: usize) -> (DtlsIdentity, DtlsTrust) {
    let names = (0..names).map(|number| alloc::format!("{number:0>18}.server.example"));
    let made = rcgen::generate_simple_self_signed(names.collect::<Vec<_>>());
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let identity = DtlsIdentity::new(&certificate, &key).expect("they belong together");
    let pin = Fingerprint::new(Sha256::digest(&certificate).into());
    let trust = DtlsTrust::in_certificates([pin]).expect("a pin");
    (identity, trust)
}

/// Ends with certificates.
fn certified() -> (DtlsClientConfig, DtlsServerConfig) {
    let (identity, trust) = somebody();
    let client = DtlsClientConfig::new(trust).expect("random bytes");
    (client, DtlsServerConfig::new(identity))
}

fn of_version(is_13: bool) -> (DtlsClientConfig, DtlsServerConfig) {
    let (client, server) = certified();
    match is_13 {
        true => (
            client.with_dtls13().expect("it has certificates"),
            server.with_dtls13().expect("it has certificates"),
        ),
        false => (client, server),
    }
}

/// A record in plain text.
fn plain(content_type: u8, content: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 9, 9];
    record.extend(u16::try_from(content.len()).expect("short").to_be_bytes());
    record.extend(content);
    record
}

/// The beginning of a message of 200 bytes.
fn message(kind: u8, number: u8, part: &[u8]) -> Vec<u8> {
    let length = u8::try_from(part.len()).expect("short");
    let header = [kind, 0, 0, 200, 0, number, 0, 0, 0, 0, 0, length];
    plain(22, &[&header[..], part].concat())
}

/// The kind of the first message of a datagram in plain text.
fn kind_of(datagram: &[u8]) -> Option<u8> {
    match Records::of(datagram).next() {
        Some(Ok(Record::Full {
            epoch: 0, content, ..
        })) => Some(Fragments::of(content).next()?.ok()?.kind),
        _ => None,
    }
}
