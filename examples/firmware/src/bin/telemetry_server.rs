//! A thermostat that answers on port 8, client after client.
//!
//! With the argument `clients=N`, it ends after so many.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddr};

use embassy_executor::Spawner;
use embassy_net::Stack;
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options};
use tacket_examples::telemetry::{self, ServerEvent, Thermostat};
use tacket_firmware::Memory;

const PORT: u16 = 8;

static MEMORY: Memory<2, 1024, 1024, 3> = Memory::new();

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let (net, stack) = MEMORY.start(spawner, ethernet(), Options::new().backlog(1));
        spawner.spawn(image(net, stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(net: Net, stack: Stack<'static>) {
    stack.wait_config_up().await;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
    let mut clients = argument("clients").unwrap_or(u32::MAX);
    let mut thermostat = Thermostat::new();
    report!("listening on port {PORT}");
    let Err(error) = telemetry::listen(&net, everywhere, &mut thermostat, |event| {
        if !matches!(event, ServerEvent::Full(_)) {
            clients = clients.saturating_sub(1);
        }
        tell(event);
        if clients == 0 {
            exit(true);
        }
    })
    .await;
    report!("the listener failed: {error}");
    exit(false);
}

fn tell(event: ServerEvent<NetError>) {
    match event {
        ServerEvent::Served(served) => {
            report!(
                "served {} requests, {} samples",
                served.requests,
                served.samples
            );
        }
        ServerEvent::Failed(error) => report!("a client failed: {error}"),
        ServerEvent::Full(error) => report!("no room for a client: {error}"),
        _ => {}
    }
}
