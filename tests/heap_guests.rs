//! What TLS over rustls costs in firmware with a heap: guests that are clients or servers, and the other end here.

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::pin::pin;
use core::time::Duration;
use std::io::Read as _;
use std::net::TcpStream as Socket;

use embedded_io_async::Read as _;
use futures_util::future::{Either, join, join_all, select};
use tacket::{
    AsyncResource as _, HalfCloseable as _, ReceiveStream as _, SendStream as _, Split as _,
    timeout,
};
use tacket_examples::echo;
use tacket_examples::telemetry::{self, Client, Thermostat};
use tacket_hil::{Board, Boot, Finished, Guest, HilError, Image, Target};
use tacket_std::{MonotonicClock, TcpStream};
use tacket_tls::rustls::crypto::{CryptoProvider, ring};
use tacket_tls::rustls::version::TLS13;
use tacket_tls::rustls::{self, CipherSuite, RootCertStore};
use tacket_tls::{ClientConfig, ServerConfig, TlsStream};

use crate::authority::{Authority, NAME};
use crate::images::{heap_image, tls_heap_image};
use crate::scripted::{HANDSHAKE, message, record};
use crate::sizes::Sizes;
use crate::tls_guests::{TlsBudget, budget, certified, serve_as};

const TARGET: Target = Target::THUMBV7M;
const BOARD: Board = Board::MPS2_AN385;

/// How long a guest may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How many bytes are sent at once, each time when those before are back.
const PIECE: usize = 1024;

/// The longest hello that a board takes.
const LONGEST_HELLO: usize = 4096 - 5;

/// Which end of the connections a guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Role {
    /// It connects.
    Client,
    /// It is connected to.
    Server,
}

/// How records are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "those that a board has")]
pub enum Suite {
    /// `ChaCha20`-Poly1305, which a board prefers.
    ChaCha20,
    /// AES-128-GCM.
    Aes128,
}

impl Suite {
    /// An implementation for this end, which knows no other one.
    fn provider(self) -> Arc<CryptoProvider> {
        let id = match self {
            Self::ChaCha20 => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
            Self::Aes128 => CipherSuite::TLS13_AES_128_GCM_SHA256,
        };
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|suite| suite.suite() == id);
        Arc::new(provider)
    }

    fn client(self, authority: &Authority) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(authority.root()).expect("a root");
        let config = rustls::ClientConfig::builder_with_provider(self.provider());
        let config = config.with_protocol_versions(&[&TLS13]);
        let config = config.expect("a suite of TLS 1.3");
        config
            .with_root_certificates(roots)
            .with_no_client_auth()
            .into()
    }

    fn server(self, authority: &Authority) -> ServerConfig {
        let (certificate, key) = authority.certify(&[NAME], |_| {});
        let config = rustls::ServerConfig::builder_with_provider(self.provider());
        let config = config.with_protocol_versions(&[&TLS13]);
        let config = config.expect("a suite of TLS 1.3").with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key);
        config.expect("they belong together").into()
    }
}

/// Who comes to a server with a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name all")]
pub enum Clients {
    /// One.
    One,
    /// Two at the same time.
    Two,
    /// Two of telemetry at the same time, and a third, who has a connection and waits for its handshake.
    TwoAndOneThatWaits,
    /// Two at the same time that say the hello of which rustls makes most.
    CrowdedHellos,
    /// Two at the same time that send records as long as they may be.
    LongRecords,
}

/// One of the images of `tests/firmware/tls_heap`.
#[derive(Clone, Debug)]
pub struct HeapGuest {
    image: Image,
    role: Role,
}

impl HeapGuest {
    /// Builds it, unless it is there: on rustls directly, or on the layer above it.
    ///
    /// # Errors
    ///
    /// It cannot be built.
    pub fn build(role: Role, is_direct: bool) -> Result<Self, HilError> {
        let name = match (role, is_direct) {
            (Role::Client, false) => "rustls_client",
            (Role::Client, true) => "rustls_client_direct",
            (Role::Server, false) => "rustls_server",
            (Role::Server, true) => "rustls_server_direct",
        };
        let image = tls_heap_image(TARGET, name)?;
        Ok(Self { image, role })
    }

    /// Its flash, its memory, and its stack.
    ///
    /// # Errors
    ///
    /// It does not do what it should.
    ///
    /// # Panics
    ///
    /// Sockets of this machine fail, or the guest takes too long.
    pub fn budget(&self) -> Result<TlsBudget, HilError> {
        let finished = self.hold(Boot::new(&self.image, BOARD), Suite::ChaCha20, 1, 1 << 14)?;
        budget(&self.image, &finished)
    }

    /// Its flash and its static memory.
    ///
    /// # Panics
    ///
    /// Its file is gone.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes::of(self.image.path()).expect("it was built now")
    }

    /// The instructions for a connection, its handshake and its end.
    ///
    /// # Errors
    ///
    /// It does not do what it should.
    ///
    /// # Panics
    ///
    /// As [`budget`](Self::budget), and if its instructions were not counted.
    pub fn instructions_of_a_handshake(&self) -> Result<f64, HilError> {
        const SESSIONS: u64 = 4;
        let one = self.instructions(Suite::ChaCha20, 1, 0)?;
        let more = self.instructions(Suite::ChaCha20, 1 + SESSIONS, 0)?;
        Ok((more - one) / SESSIONS as f64)
    }

    /// The instructions for a byte that is sent and comes back, in pieces of 1 KiB.
    ///
    /// # Errors
    ///
    /// It does not do what it should.
    ///
    /// # Panics
    ///
    /// As [`instructions_of_a_handshake`](Self::instructions_of_a_handshake).
    pub fn instructions_of_a_byte(&self, suite: Suite) -> Result<f64, HilError> {
        const BYTES: [u64; 2] = [1 << 14, 1 << 20];
        let [short, long] = BYTES;
        let few = self.instructions(suite, 1, short)?;
        let many = self.instructions(suite, 1, long)?;
        Ok((many - few) / (long - short) as f64)
    }

    fn instructions(&self, suite: Suite, sessions: u64, bytes: u64) -> Result<f64, HilError> {
        let boot = Boot::new(&self.image, BOARD).count_instructions();
        let finished = self.hold(boot, suite, sessions, bytes)?;
        Ok(finished.instructions.expect("they were counted") as f64)
    }

    /// The most bytes of the heap that are in use at the same time.
    ///
    /// # Errors
    ///
    /// It does not do what it should.
    ///
    /// # Panics
    ///
    /// As [`budget`](Self::budget); a client has no clients, and nobody waits for a server of these.
    pub fn heap(&self, clients: Clients) -> Result<u64, HilError> {
        let boot = Boot::new(&self.image, BOARD);
        let finished = match clients {
            Clients::One => self.hold(boot, Suite::ChaCha20, 1, 1 << 14)?,
            _ => {
                assert_eq!(self.role, Role::Server, "it has no clients");
                let server = Server::start(boot.argument("sessions=2"), 7, Suite::ChaCha20)?;
                server.visit(clients, async |stream| exchange(stream, 1 << 14).await);
                server.guest.finish()?
            }
        };
        Ok(most(&finished))
    }

    /// Has it hold so many sessions, one after the other, in each of which so many bytes go to and fro.
    fn hold(
        &self,
        boot: Boot,
        suite: Suite,
        sessions: u64,
        bytes: u64,
    ) -> Result<Finished, HilError> {
        let boot = boot.argument(format!("sessions={sessions}"));
        if self.role == Role::Server {
            let server = Server::start(boot, 7, suite)?;
            for _session in 0..sessions {
                server.visit(Clients::One, async |stream| exchange(stream, bytes).await);
            }
            return server.guest.finish();
        }
        let authority = Authority::new();
        let config = suite.server(&authority);
        let boot = boot.argument(format!("bytes={bytes}"));
        serve_as(boot, &authority, &config, sessions, async |stream| {
            // Its end may be a reset.
            let _ = echo::serve(stream, &mut vec![0; 1 << 16]).await;
            true
        })
    }
}

/// Measures the server of telemetry: what it takes of its board, and the most bytes of the heap that are in use at the same time.
///
/// # Errors
///
/// It cannot be built, or does not do what it should.
///
/// # Panics
///
/// Sockets of this machine fail, or the guest takes too long.
pub fn telemetry_tls_server(clients: Clients) -> Result<(TlsBudget, u64), HilError> {
    let image = heap_image(TARGET, "telemetry_tls_server")?;
    let boot = Boot::new(&image, BOARD).forward(9);
    let mut server = Server::start(boot, 8, Suite::ChaCha20)?;
    let clock = MonotonicClock::new();
    server.visit(clients, async |stream| {
        telemetry::session(stream, &clock).await.is_ok()
    });
    // It drains, and ends.
    let mut command = Socket::connect(server.guest.address_of(9)?).expect("its port");
    command.set_read_timeout(Some(LIMIT)).expect("a limit");
    command.read_to_end(&mut Vec::new()).expect("its end");
    let finished = server.guest.finish()?;
    Ok((budget(&image, &finished)?, most(&finished)))
}

/// How much of its heap a guest has used, as it says at its end.
fn most(finished: &Finished) -> u64 {
    let mut lines = finished.lines.iter();
    let most = lines.find_map(|line| line.strip_prefix("heap ")?.split(' ').next()?.parse().ok());
    most.expect("it says how full its heap was")
}

/// Sends so many bytes in pieces, each when the one before is back. Whether all came back, and the end.
async fn exchange(mut stream: TlsStream<TcpStream>, bytes: u64) -> bool {
    let (sent, mut back) = ([7; PIECE], [0; PIECE]);
    for _piece in 0..bytes / PIECE as u64 {
        stream.send_all(&sent).await.expect("it takes it");
        stream
            .read_exact(&mut back)
            .await
            .expect("it sends it back");
        assert_eq!(sent, back);
    }
    // Its end may be a reset.
    let _ = stream.close().await;
    true
}

/// A guest that is a server, and who is to visit it.
struct Server {
    guest: Guest,
    address: SocketAddr,
    config: ClientConfig,
}

impl Server {
    fn start(boot: Boot, port: u16, suite: Suite) -> Result<Self, HilError> {
        let authority = Authority::new();
        let mut guest = certified(boot.forward(port), &authority, NAME).start()?;
        guest.wait_for("listening")?;
        let address = guest.address_of(port)?;
        let config = suite.client(&authority);
        Ok(Self {
            guest,
            address,
            config,
        })
    }

    /// Has clients come, of whom the good ones say whether all went well.
    fn visit(&self, clients: Clients, talk: impl AsyncFn(TlsStream<TcpStream>) -> bool) {
        let visits = async {
            match clients {
                Clients::One => assert!(talk(self.connect().await).await),
                Clients::Two => self.welcome_two(talk).await,
                Clients::TwoAndOneThatWaits => self.keep_one_waiting().await,
                Clients::CrowdedHellos => {
                    drop(join_all((0..2).map(|_| self.say_crowded_hello())).await)
                }
                Clients::LongRecords => {
                    let streams = join_all((0..2).map(|_| self.shake_hands())).await;
                    join_all(streams.into_iter().map(send_long_records)).await;
                }
            }
        };
        let clock = MonotonicClock::new();
        let visited = tacket_std::run(timeout(&clock, LIMIT, visits)).expect("an event loop");
        visited.expect("the guest takes too long");
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.expect("its port");
        TlsStream::client(stream, &self.config, NAME).expect("a name")
    }

    async fn shake_hands(&self) -> TlsStream<TcpStream> {
        let mut stream = self.connect().await;
        stream.do_handshake().await.expect("a handshake");
        stream
    }

    /// Has two talk once both have shaken hands.
    async fn welcome_two(&self, talk: impl AsyncFn(TlsStream<TcpStream>) -> bool) {
        let streams = join_all((0..2).map(|_| self.shake_hands())).await;
        let talked = join_all(streams.into_iter().map(|stream| talk(stream))).await;
        assert!(talked.into_iter().all(|well| well));
    }

    /// Has two clients of telemetry served, while a third does not get its handshake.
    async fn keep_one_waiting(&self) {
        let mut served =
            join_all((0..2).map(async |_| Client::new(self.shake_hands().await))).await;
        let mut third = pin!(self.shake_hands());
        for _question in 0..20 {
            let questions = served.iter_mut().map(async |client| {
                let answer = client.read(Thermostat::TEMPERATURE).await;
                answer.expect("a temperature");
            });
            let asked = select(third.as_mut(), join_all(questions)).await;
            assert!(matches!(asked, Either::Right(_)), "the third does not wait");
        }
        let one = served.pop().expect("there are two");
        one.close().await.expect("its end");
        served.push(Client::new(third.await));
        for client in served {
            client.close().await.expect("its end");
        }
    }

    async fn say_crowded_hello(&self) {
        let mut stream = TcpStream::connect(self.address).await.expect("its port");
        // It may refuse it before all has come.
        let hello = record(HANDSHAKE, &crowded_hello(LONGEST_HELLO));
        let _ = stream.send_all(&hello).await;
        let _ = stream.send_eof().await;
        while let Ok(1..) = stream.receive_some(&mut [0; 100]).await {}
    }
}

/// A hello of nearly `length` bytes that names as many protocols as it can.
///
/// # Panics
///
/// When `length` is too short for it, or too long for its fields.
#[must_use]
pub fn crowded_hello(length: usize) -> Vec<u8> {
    let u16_of = |length| u16::try_from(length).expect("short").to_be_bytes();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 3, 1, 0]);
    let names = [1, b'a'].repeat((length - body.len() - 12) / 2);
    body.extend(u16_of(names.len() + 6));
    body.extend([0, 16]);
    body.extend(u16_of(names.len() + 2));
    body.extend(u16_of(names.len()));
    body.extend(names);
    message(1, &body)
}

/// Sends what is no frame of any protocol, in a record as long as it may be, and reads what comes until the end.
async fn send_long_records(mut stream: TlsStream<TcpStream>) {
    let (mut sending, mut receiving) = stream.split();
    let sending = async {
        let _ = sending.send_all(&[0xff; 1 << 14]).await;
        let _ = sending.send_eof().await;
    };
    let receiving = async { while let Ok(1..) = receiving.receive_some(&mut [0; 4096]).await {} };
    join(sending, receiving).await;
}
