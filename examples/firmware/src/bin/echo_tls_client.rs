//! Has bytes echoed by a server over TLS, checks each of them, and ends. There is no heap.
//!
//! Arguments: `bytes=N` for how many, 64 KiB without it, and those of `telemetry_tls_client`.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use static_cell::ConstStaticCell;
use tacket_board::{ethernet, exit};
use tacket_embassy::{Net, Options};
use tacket_firmware::{EchoBuffers, Memory, Provision, echo_over_tls, generator, task_bytes};
use tacket_tls::{Anchors, GuardedConnector, MaxFragment, TlsStorage};

const RECORDS: Option<MaxFragment> = None;

/// Whatever the server sends.
const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;
/// Records of 2 KiB to the server.
const TX: usize = 2048 + 133;

static MEMORY: Memory<1, 4096, 4096, 2, TlsStorage<RX, TX>> = Memory::new();
static BUFFERS: ConstStaticCell<EchoBuffers> = ConstStaticCell::new([[0; 2048]; 2]);

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let ledger = MEMORY.ledger().task(task_bytes(&talk));
        ledger.buffers(size_of_val(&BUFFERS)).close();
        let (net, stack) = MEMORY.start(spawner, ethernet(), Options::new());
        spawner.spawn(image(net, stack).expect("one task"));
    })
}

#[embassy_executor::task]
fn image(net: Net, stack: Stack<'static>) -> impl Future<Output = ()> {
    talk(net, stack)
}

async fn talk(net: Net, stack: Stack<'static>) {
    let provision = Provision::from_arguments();
    let Some(mut rng) = generator() else {
        return exit(false);
    };
    stack.wait_config_up().await;
    let roots = [provision.root()];
    let anchors = Anchors::from_certificates(&roots).expect("root= is of an authority");
    let config = provision.client(&anchors, RECORDS);
    let connector = GuardedConnector::new(&config, &mut rng, MEMORY.take());
    echo_over_tls(&net, &provision.name, connector, BUFFERS.take()).await;
}
