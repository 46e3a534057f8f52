//! Checks that TLS over the board's network keeps the contract, and reports clause by clause.
//!
//! Both ends of each pair are on this board, as those of the image `contract`. The server is rustls with the provider of RustCrypto. The client
//! is the guarded engine, which takes nothing from the heap, or with the argument `engine=rustls` the same as the server: then
//! the ways of that engine to take TLS off a stream are tried, too.
//!
//! Arguments: `address`, that of the board; `name` and `root`, which here is the certificate of the server itself; `key`, which belongs to
//! it; `pin`, the hash of the certificate; `now` and `entropy`. All bytes are in hexadecimal.
#![no_std]
#![no_main]

extern crate alloc;

mod parties;
mod storage;

use core::cell::Cell;
use core::net::{Ipv4Addr, SocketAddr};
use core::str::FromStr;
use core::time::Duration;

use embassy_executor::Spawner;
use embedded_alloc::LlffHeap;
use futures_util::future::{join, try_join};
use static_cell::ConstStaticCell;
use tacket::testing::{
    Clause, Examiner, HookedReceiver, Makers, Outcome, check_half_closeable_stream,
};
use tacket::{
    Clock as _, Connect as _, Listen as _, Listener as _, ReceiveStream as _, SendStream as _,
    StapledStream, Stream,
};
use tacket_board::{StackUsage, argument, exit, report};
use tacket_embassy::{Net, NetError, Options, TcpListener, TcpReceiving, TcpSending, TcpStream};
use tacket_firmware::Memory;
use tacket_tls::{GuardedEngine, TlsStream};

use parties::Parties;
use storage::GiveBack;

const PORT: u16 = 7;

/// How often a pair is asked for again while earlier connections hold every socket.
const PAUSE: Duration = Duration::from_millis(10);

/// What two ends of rustls need at the same time.
const HEAP: usize = 112 * 1024;

#[global_allocator]
static ALLOCATOR: LlffHeap = LlffHeap::empty();

static MEMORY: Memory<6, 1024, 1024, 7> = Memory::new();
static SCRATCH: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);

#[tacket_board::entry]
fn main() -> ! {
    // SAFETY: the first thing that is done, and `main` is not called.
    unsafe {
        embedded_alloc::init!(ALLOCATOR, HEAP);
    }
    tacket_board::run(|spawner: Spawner| {
        let mut ethernet = tacket_board::ethernet();
        ethernet.set_loopback(true);
        let (net, _) = MEMORY.start(spawner, ethernet, Options::new());
        spawner.spawn(image(net).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(net: Net) {
    let address: Ipv4Addr = argument("address").expect("the argument address=");
    let there = SocketAddr::from((address, PORT));
    let listener = net.listen(there).await.expect("a free port");
    let wiring = Wiring {
        net,
        there,
        listener: Cell::new(Some(listener)),
        pairs: Cell::new(0),
    };
    let Some(parties) = Parties::from_arguments() else {
        return exit(false);
    };
    let is_kept = match argument("engine").unwrap_or(Engine::Guarded) {
        Engine::Guarded => check(net, async || wiring.guarded(&parties).await).await,
        Engine::Rustls => {
            check(net, async || wiring.rustls(&parties).await).await
                && unwrap(&wiring, &parties).await
        }
    };
    report!("{} pairs; {:?}", wiring.pairs.get(), net.usage());
    report!("{} bytes of the heap are left", ALLOCATOR.free());
    if let Some(usage) = StackUsage::measure() {
        report!("stack: {usage}");
    }
    exit(is_kept);
}

/// Which implementation the client has.
enum Engine {
    Guarded,
    Rustls,
}

impl FromStr for Engine {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "guarded" => Ok(Self::Guarded),
            "rustls" => Ok(Self::Rustls),
            _ => Err(()),
        }
    }
}

/// Whether every clause is kept by the pairs that `make` makes. Halves do not shake hands with each engine, so they have done so.
async fn check<S: Stream, R: Stream>(net: Net, make: impl AsyncFn() -> (S, R)) -> bool {
    let mut examiner = Examiner::new(&net, SCRATCH.take(), tell)
        .limit(Duration::from_secs(600))
        .settle(Duration::from_millis(50))
        .duplex_bytes(16 * 1024);
    let summary = check_half_closeable_stream(&mut examiner, Makers::new(&make, &make)).await;
    report!("{summary}");
    summary.is_clean()
}

fn tell(clause: &Clause, outcome: &Outcome) {
    report!("clause {clause}: {outcome}");
}

type Hooked = StapledStream<TcpSending<'static>, HookedReceiver<TcpReceiving<'static>, GiveBack>>;

/// Makes pairs.
struct Wiring {
    net: Net,
    there: SocketAddr,
    listener: Cell<Option<TcpListener>>,
    pairs: Cell<usize>,
}

impl Wiring {
    /// A client without a heap, and a server, that know each other.
    async fn guarded(
        &self,
        parties: &Parties,
    ) -> (
        TlsStream<Hooked, GuardedEngine<'static>>,
        TlsStream<TcpStream>,
    ) {
        let (left, right) = self.connect().await;
        let (storage, give_back) = storage::lend();
        let (tx, rx) = left.into_split();
        let left = StapledStream::new(tx, HookedReceiver::new(rx, give_back));
        let random = &mut *parties.random.borrow_mut();
        let client = TlsStream::guarded_client(left, parties.guarded, random, storage);
        let mut client = client.expect("random bytes");
        let mut server = TlsStream::server(right, &parties.server).expect("a configuration");
        let shaken = join(client.do_handshake(), server.do_handshake()).await;
        assert!(shaken.0.is_ok() && shaken.1.is_ok(), "{shaken:?}");
        (client, server)
    }

    /// The same, with rustls on both sides.
    async fn rustls(&self, parties: &Parties) -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
        let (left, right) = self.connect().await;
        let client = TlsStream::client(left, &parties.client, parties.name);
        let mut client = client.expect("random bytes");
        let mut server = TlsStream::server(right, &parties.server).expect("a configuration");
        let shaken = join(client.do_handshake(), server.do_handshake()).await;
        assert!(shaken.0.is_ok() && shaken.1.is_ok(), "{shaken:?}");
        (client, server)
    }

    /// A connected pair.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        self.pairs.set(self.pairs.get() + 1);
        let mut accepting = self.listener.take().expect("one pair at a time");
        let connecting = async {
            loop {
                match self.net.connect(self.there).await {
                    Err(NetError::PoolExhausted | NetError::Refused) => {
                        self.net.sleep_until(self.net.now() + PAUSE).await;
                    }
                    connected => return connected,
                }
            }
        };
        let pair = try_join(connecting, accepting.accept()).await;
        self.listener.set(Some(accepting));
        pair.expect("a connection")
    }
}

/// Whether TLS can be taken off both ends, and what is below goes on.
async fn unwrap(wiring: &Wiring, parties: &Parties) -> bool {
    let (mut client, server) = wiring.rustls(parties).await;
    let mut buf = [0; 16];
    if client.send_all(b"under TLS").await.is_err() {
        return false;
    }
    let mut server = server;
    let received = server.receive_some(&mut buf).await;
    let suites = [client.negotiated(), server.negotiated()];
    let suites = suites.map(|known| known.map(|known| known.cipher_suite().id()));
    report!("the suites of both ends: {suites:x?}");
    let Ok((left, right)) = try_join(client.unwrap(), server.unwrap()).await else {
        return false;
    };
    let (mut left, mut right) = (left.transport, right.transport);
    let sent = right.send_all(b"in the clear").await;
    let plain = left.receive_some(&mut buf).await;
    report!("TLS was taken off: {received:?}, {sent:?}, {plain:?}");
    received == Ok(9) && sent == Ok(()) && plain == Ok(12) && buf.starts_with(b"in the clear")
}
