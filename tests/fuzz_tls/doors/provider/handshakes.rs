//! Whole handshakes, with the algorithms for boards at one end or at both, over a wire that changes bytes.

use core::cell::RefCell;
use core::pin::pin;
use core::task::{Context, Waker};

use futures_util::future::maybe_done;
use tacket::testing::{MemoryError, MemoryPair, MemoryStream, Pattern};
use tacket::{HalfCloseable as _, ReceiveStream as _, SendStream as _, Split as _};
use tacket_tls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tacket_tls::rustls::crypto::CryptoProvider;
use tacket_tls::rustls::crypto::cipher::Tls13AeadAlgorithm;
use tacket_tls::rustls::crypto::ring::default_provider;
use tacket_tls::rustls::server::WebPkiClientVerifier;
use tacket_tls::rustls::version::TLS13;
use tacket_tls::rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionTrafficSecrets, Error, NamedGroup,
    RootCertStore, ServerConfig, ServerConnection,
};
use tacket_tls::{ConfigError, EngineError, TlsError, TlsStream};

use super::super::algorithms::standing_clock;
use super::super::guard_parties::PAPERS;
use super::board::{self, Drought};
use super::private_keys::pkcs8;
use crate::NAME;
use crate::fuzz_tls::input::Input;

const MOST_DAMAGES: usize = 6;

type Memory<'p> = MemoryStream<'p, Vec<u8>>;

#[derive(Clone, Debug)]
pub(super) struct Handshake {
    is_ours: [bool; 2],
    group: Option<NamedGroup>,
    suite: Option<CipherSuite>,
    asks_client: bool,
    drought: Drought,
    /// How much each says.
    lengths: [usize; 2],
    /// How many bytes move at a time.
    piece: usize,
    damages: [Vec<(usize, Damage)>; 2],
}

/// What is done to the byte at a place of one direction.
#[derive(Clone, Debug)]
enum Damage {
    Flip(u8),
    Lose(u8),
    Insert(Vec<u8>),
    /// So many bytes before it come again.
    Repeat(u8),
    /// It is the end.
    Cut,
}

impl Handshake {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        let (who, how, piece) = (input.byte(), input.byte(), input.byte());
        let [one, other] = [input.byte(), input.byte()].map(usize::from);
        let drought = match how >> 5 {
            5 => Drought::Once(input.byte() % 24),
            6 => Drought::From(input.byte() % 24),
            _ => Drought::Never,
        };
        let mut damages = [Vec::new(), Vec::new()];
        for _ in 0..MOST_DAMAGES {
            if input.is_empty() {
                break;
            }
            let what = input.byte();
            let place = usize::from(input.wide() % 3000);
            let damage = match what % 8 {
                0..3 => Damage::Flip(input.byte()),
                3 | 4 => Damage::Insert(input.counted_bytes()),
                5 => Damage::Lose(input.byte()),
                6 => Damage::Repeat(input.byte()),
                _ => Damage::Cut,
            };
            let [there, back] = &mut damages;
            let damaged = if what & 0x80 == 0 { there } else { back };
            damaged.push((place, damage));
        }
        for damaged in &mut damages {
            damaged.sort_by_key(|(place, _)| *place);
        }
        Self {
            is_ours: match who % 4 {
                0 => [true, false],
                1 => [false, true],
                _ => [true, true],
            },
            group: match who >> 2 & 3 {
                0 => Some(NamedGroup::X25519),
                1 => Some(NamedGroup::secp256r1),
                _ => None,
            },
            suite: match who >> 4 & 3 {
                0 => Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
                1 => Some(CipherSuite::TLS13_AES_128_GCM_SHA256),
                _ => None,
            },
            asks_client: how & 1 == 1,
            drought,
            lengths: [one * 3, other * 3],
            piece: usize::from(piece).max(1) * 8,
            damages,
        }
    }

    pub(super) fn run(&self) {
        board::start(self.drought);
        let pairs = [(); 2].map(|()| MemoryPair::new(vec![0; 1 << 15], vec![0; 1 << 15]));
        let [near, far] = &pairs;
        let (Some((left, near)), Some((far, right))) = (near.open(), far.open()) else {
            unreachable!("both are new")
        };
        let [of_client, of_server] = self.is_ours.map(|is_ours| self.provider(is_ours));
        let client = client(of_client).and_then(|config| {
            let made = TlsStream::client(left, &config.into(), NAME);
            made.map_err(|error| match error {
                ConfigError::Engine(EngineError::Rustls(error)) => error,
                other => panic!("{other}"),
            })
        });
        let server = server(of_server, self.asks_client)
            .map(|config| TlsStream::server(right, &config.into()));
        let (Ok(mut client), Ok(Ok(mut server))) = (client, server) else {
            assert!(board::was_dry(), "there are no ends");
            return;
        };
        let said = [(0, 0), (1, 1)].map(|(which, seed)| {
            let mut data = vec![0; self.lengths.get(which).copied().unwrap_or_default()];
            Pattern::new(seed).fill(&mut data);
            data
        });
        let heard = [(); 2].map(|()| RefCell::new(Vec::new()));
        let [by_server, by_client] = &heard;
        let [of_client, of_server] = &said;
        let mut wire = Wire::new(self, near, far);
        let outcomes = drive(
            converse(&mut client, of_client, by_client),
            converse(&mut server, of_server, by_server),
            || wire.step(),
        );
        // What was heard was said, whatever was done to it on the way.
        for (said, heard) in said.iter().zip(&heard) {
            assert!(said.starts_with(&heard.borrow()), "what nobody has said");
        }
        let [connected, accepted] = &outcomes;
        for (outcome, (said, heard)) in [accepted, connected]
            .into_iter()
            .zip(said.iter().zip(&heard))
        {
            if *outcome == Some(Ok(())) {
                assert_eq!(
                    heard.borrow().len(),
                    said.len(),
                    "an end before all has come"
                );
            }
        }
        if let (Ok(one), Ok(other)) = (client.negotiated(), server.negotiated()) {
            let [one, other] = [one, other].map(|known| known.cipher_suite().id());
            assert_eq!(one, other, "they have not agreed");
            assert!(self.suite.is_none_or(|suite| u16::from(suite) == one));
        }
        if wire.was_damaged {
            return;
        }
        if board::was_dry() {
            let missing = Some(Err(TlsError::Engine(EngineError::Rustls(
                Error::FailedToGetRandomBytes,
            ))));
            let starved = outcomes.iter().zip(self.is_ours);
            let says_so = starved.filter(|(outcome, is_ours)| *is_ours && **outcome == missing);
            assert!(
                says_so.count() > 0,
                "random bytes are missing: {outcomes:?}"
            );
        } else {
            assert_eq!(
                outcomes,
                [Some(Ok(())), Some(Ok(()))],
                "nothing has happened"
            );
        }
    }

    fn provider(&self, is_ours: bool) -> CryptoProvider {
        let mut provider = if is_ours {
            board::provider()
        } else {
            default_provider()
        };
        // What both have: others begin with a group that is not known to boards.
        let both = [NamedGroup::X25519, NamedGroup::secp256r1];
        provider.kx_groups.retain(|it| both.contains(&it.name()));
        if let Some(suite) = self.suite {
            provider.cipher_suites.retain(|it| it.suite() == suite);
        }
        if let Some(group) = self.group {
            provider.kx_groups.retain(|it| it.name() == group);
        }
        provider
    }
}

/// That of the certificate.
fn own_key() -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(pkcs8(2)).into()
}

fn client(provider: CryptoProvider) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    for root in &PAPERS.roots {
        roots.add(root.clone())?;
    }
    ClientConfig::builder_with_details(provider.into(), standing_clock())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![PAPERS.certificate.clone()], own_key())
}

fn server(provider: CryptoProvider, asks_client: bool) -> Result<ServerConfig, Error> {
    let provider = alloc::sync::Arc::new(provider);
    let mut roots = RootCertStore::empty();
    for root in &PAPERS.roots {
        roots.add(root.clone())?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let builder = ServerConfig::builder_with_details(provider, standing_clock())
        .with_protocol_versions(&[&TLS13])?;
    let builder = match (asks_client, verifier.build()) {
        (true, Ok(verifier)) => builder.with_client_cert_verifier(verifier),
        _ => builder.with_no_client_auth(),
    };
    builder.with_single_cert(vec![PAPERS.certificate.clone()], own_key())
}

type Outcome = Option<Result<(), TlsError<MemoryError>>>;

/// Says all of `say`, then hears until the end.
async fn converse(
    tls: &mut TlsStream<Memory<'_>>,
    say: &[u8],
    heard: &RefCell<Vec<u8>>,
) -> Result<(), TlsError<MemoryError>> {
    tls.do_handshake().await?;
    tls.send_all(say).await?;
    tls.send_eof().await?;
    let mut buf = [0; 512];
    loop {
        match tls.receive_some(&mut buf).await? {
            0 => return Ok(()),
            count => heard
                .borrow_mut()
                .extend_from_slice(buf.get(..count).unwrap_or_default()),
        }
    }
}

/// Polls both and lets `step` move bytes, until nothing happens any more. `None`: it still waits then.
fn drive(
    client: impl Future<Output = Result<(), TlsError<MemoryError>>>,
    server: impl Future<Output = Result<(), TlsError<MemoryError>>>,
    mut step: impl FnMut() -> bool,
) -> [Outcome; 2] {
    let (mut client, mut server) = (pin!(maybe_done(client)), pin!(maybe_done(server)));
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let connected = client.as_mut().poll(&mut cx).is_ready();
        let accepted = server.as_mut().poll(&mut cx).is_ready();
        if !step() && (connected && accepted || !step()) {
            return [client.take_output(), server.take_output()];
        }
    }
}

/// Between the ends.
struct Wire<'p, 'h> {
    ends: [Memory<'p>; 2],
    damages: &'h [Vec<(usize, Damage)>; 2],
    piece: usize,
    /// How many bytes have come from each, how many damages were done to them, and what is on its way to the other.
    ways: [Way; 2],
    was_damaged: bool,
}

#[derive(Default)]
struct Way {
    passed: usize,
    done: usize,
    lost: usize,
    bytes: Vec<u8>,
    is_cut: bool,
    has_ended: bool,
}

impl<'p, 'h> Wire<'p, 'h> {
    fn new(handshake: &'h Handshake, near: Memory<'p>, far: Memory<'p>) -> Self {
        Self {
            ends: [near, far],
            damages: &handshake.damages,
            piece: handshake.piece,
            ways: [Way::default(), Way::default()],
            was_damaged: false,
        }
    }

    /// Moves a piece each way. Returns whether anything happened.
    fn step(&mut self) -> bool {
        let [near, far] = &mut self.ends;
        let ((near_tx, near_rx), (far_tx, far_rx)) = (near.split(), far.split());
        let mut moved = false;
        let ends = [(near_rx, far_tx), (far_rx, near_tx)];
        for ((way, damages), (rx, tx)) in self.ways.iter_mut().zip(self.damages).zip(ends) {
            let mut buf = vec![0; self.piece];
            let received = rx.try_receive(&mut buf);
            if let Ok(count @ 1..) = received {
                moved = true;
                for byte in buf.iter().take(count) {
                    self.was_damaged |= way.pass(*byte, damages);
                }
            }
            let is_over = way.is_cut || received == Ok(0);
            if !way.bytes.is_empty() && !way.has_ended {
                if let Ok(count @ 1..) = tx.try_write(&way.bytes) {
                    way.bytes.drain(..count);
                    moved = true;
                }
            } else if is_over && !way.has_ended {
                way.has_ended = true;
                moved = true;
                let mut cx = Context::from_waker(Waker::noop());
                let ended = pin!(tx.send_eof()).as_mut().poll(&mut cx);
                assert!(ended.is_ready(), "an end takes no room");
            }
        }
        moved
    }
}

impl Way {
    /// Takes a byte. Returns whether anything was done to it.
    fn pass(&mut self, byte: u8, damages: &[(usize, Damage)]) -> bool {
        let (mut byte, mut was_damaged) = (byte, self.is_cut || self.lost > 0);
        while let Some((place, damage)) = damages.get(self.done)
            && *place <= self.passed
        {
            self.done += 1;
            was_damaged = true;
            match damage {
                Damage::Flip(bits) => byte ^= bits,
                Damage::Lose(count) => self.lost += usize::from(*count),
                Damage::Insert(bytes) if !self.is_cut => self.bytes.extend_from_slice(bytes),
                Damage::Repeat(count) if !self.is_cut => {
                    let from = self.bytes.len().saturating_sub(usize::from(*count));
                    self.bytes.extend_from_within(from..);
                }
                Damage::Cut => self.is_cut = true,
                Damage::Insert(_) | Damage::Repeat(_) => {}
            }
        }
        self.passed += 1;
        if self.lost > 0 {
            self.lost -= 1;
        } else if !self.is_cut {
            self.bytes.push(byte);
        }
        was_damaged
    }
}

/// The keys by which a client seals and its server opens, and what is to be done with them.
#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
pub(super) fn secrets_of(
    id: CipherSuite,
) -> (
    &'static dyn Tls13AeadAlgorithm,
    ConnectionTrafficSecrets,
    ConnectionTrafficSecrets,
) {
    board::start(Drought::Never);
    let mut provider = board::provider();
    provider.cipher_suites.retain(|it| it.suite() == id);
    let suite = provider.cipher_suites.first().and_then(|it| it.tls13());
    let algorithm = suite.expect("it is ours").aead_alg;
    let mut of_client = client(provider.clone()).expect("it is valid");
    let mut of_server = server(provider, false).expect("it is valid");
    of_client.enable_secret_extraction = true;
    of_server.enable_secret_extraction = true;
    of_server.send_tls13_tickets = 0;
    let name = NAME.try_into().expect("a name");
    let mut client = ClientConnection::new(of_client.into(), name).expect("it is valid");
    let mut server = ServerConnection::new(of_server.into()).expect("it is valid");
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("there is room");
        }
        server.read_tls(&mut &bytes[..]).expect("in memory");
        server.process_new_packets().expect("it is honest");
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("there is room");
        }
        client.read_tls(&mut &bytes[..]).expect("in memory");
        client.process_new_packets().expect("it is honest");
    }
    let [client, server] = [
        client.dangerous_extract_secrets(),
        server.dangerous_extract_secrets(),
    ];
    let (client, server) = (client.expect("allowed"), server.expect("allowed"));
    (algorithm, client.tx.1, server.rx.1)
}
