//! The same as `telemetry_tls_client`, with a server that sends records of up to 2 KiB: it has less memory.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use tacket_board::{ethernet, exit};
use tacket_embassy::{Net, Options};
use tacket_firmware::{Memory, Provision, generator, task_bytes, telemetry_over_tls};
use tacket_tls::{Anchors, GuardedConnector, MaxFragment, TlsStorage};

/// The record that has been agreed on, with its header, its tag and its padding.
const RX: usize = 5 + 2048 + 256;

static MEMORY: Memory<1, 1024, 1024, 2, TlsStorage<RX, 1024>> = Memory::new();

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        MEMORY.ledger().task(task_bytes(&talk)).close();
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
    let config = provision.client(&anchors, Some(MaxFragment::Of2048));
    let connector = GuardedConnector::new(&config, &mut rng, MEMORY.take());
    telemetry_over_tls(&net, &provision.name, connector).await;
}
