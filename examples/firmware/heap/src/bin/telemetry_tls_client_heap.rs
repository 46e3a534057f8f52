//! The same as `telemetry_tls_client`, over rustls, on a heap.
//!
//! Its arguments are the same.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use tacket_board::{ethernet, exit};
use tacket_embassy::{Net, Options};
use tacket_firmware::{Memory, Provision, task_bytes, telemetry_over_tls};
use tacket_firmware_heap::{Heap, client_of, generate_from_arguments};

#[global_allocator]
static HEAP: Heap<102_400> = Heap::new();

static MEMORY: Memory<1, 1024, 1024, 2> = Memory::new();

#[tacket_board::entry]
fn main() -> ! {
    HEAP.start();
    tacket_board::run(|spawner: Spawner| {
        let ledger = MEMORY.ledger().task(task_bytes(&talk));
        ledger.heap(size_of_val(&HEAP)).close();
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
    if !generate_from_arguments() {
        return exit(false);
    }
    stack.wait_config_up().await;
    let config = client_of(&provision);
    telemetry_over_tls(&net, &provision.name, &config).await;
    HEAP.tell_most();
}
