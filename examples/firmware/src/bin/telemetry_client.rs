//! Talks to a thermostat, checks each of its answers, and ends.
//!
//! Argument: `server=ADDRESS:PORT`.
#![no_std]
#![no_main]

use core::net::SocketAddr;

use embassy_executor::Spawner;
use embassy_net::Stack;
use tacket::Connect as _;
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, Options};
use tacket_examples::telemetry::{self, ClientError, SessionError};
use tacket_firmware::Memory;

static MEMORY: Memory<1, 1024, 1024, 2> = Memory::new();

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let (net, stack) = MEMORY.start(spawner, ethernet(), Options::new());
        spawner.spawn(image(net, stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(net: Net, stack: Stack<'static>) {
    let server: SocketAddr = argument("server").expect("the argument server=");
    stack.wait_config_up().await;
    let session = async {
        let stream = net.connect(server).await;
        let stream = stream.map_err(|error| SessionError::Client(ClientError::Stream(error)))?;
        telemetry::session(stream, &net).await
    };
    match session.await {
        Ok(summary) => {
            report!("{} requests, {} samples", summary.requests, summary.samples);
            exit(true);
        }
        Err(error) => {
            report!("the session failed: {error}");
            exit(false);
        }
    }
}
