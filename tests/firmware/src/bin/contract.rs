//! Checks that the streams of the board's network keep the contract, and reports clause by clause.
//!
//! Both ends of each pair are on this board: its controller sends every frame back to itself. So all of the way is real: the
//! streams, the stack, the driver, its interrupts and the controller's FIFOs.
#![no_std]
#![no_main]

use core::cell::Cell;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use embassy_executor::Spawner;
use futures_util::future::try_join;
use static_cell::ConstStaticCell;
use tacket::testing::{Clause, Examiner, Makers, Outcome, check_half_closeable_stream};
use tacket::{Clock as _, Connect as _, Listen as _, Listener as _};
use tacket_board::{argument, exit, report};
use tacket_embassy::{Net, NetError, Options, TcpListener, TcpStream};
use tacket_firmware::Memory;

const PORT: u16 = 7;

/// How often a pair is asked for again while earlier connections hold every socket.
const PAUSE: Duration = Duration::from_millis(10);

static MEMORY: Memory<6, 1024, 1024, 7> = Memory::new();
static SCRATCH: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);

#[tacket_board::entry]
fn main() -> ! {
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
    let listener = Cell::new(Some(listener));
    let make = async || connect(net, there, &listener).await;
    let mut examiner = Examiner::new(&net, SCRATCH.take(), tell)
        .settle(Duration::from_millis(200))
        .duplex_bytes(64 * 1024);
    let summary = check_half_closeable_stream(&mut examiner, Makers::new(make, make)).await;
    report!("{summary}; {:?}", net.usage());
    exit(summary.is_clean());
}

fn tell(clause: &Clause, outcome: &Outcome) {
    report!("clause {clause}: {outcome}");
}

/// A connected pair.
async fn connect(
    net: Net,
    there: SocketAddr,
    listener: &Cell<Option<TcpListener>>,
) -> (TcpStream, TcpStream) {
    let mut accepting = listener.take().expect("one pair at a time");
    let connecting = async {
        loop {
            match net.connect(there).await {
                Err(NetError::PoolExhausted | NetError::Refused) => {
                    net.sleep_until(net.now() + PAUSE).await;
                }
                connected => return connected,
            }
        }
    };
    let pair = try_join(connecting, accepting.accept()).await;
    listener.set(Some(accepting));
    pair.expect("a connection")
}
