//! Has bytes echoed by a server, checks each of them, and ends.
//!
//! Arguments: `server=ADDRESS:PORT`, `bytes=N` for how many, 64 KiB without it, and `afterwards=MILLISECONDS` to stay for the server to ask again.
#![no_std]
#![no_main]

use core::net::SocketAddr;
use core::time::Duration;

use embassy_executor::Spawner;
use embassy_net::Stack;
use static_cell::ConstStaticCell;
use tacket::{Clock as _, Connect as _};
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options};
use tacket_examples::echo::{self, ExchangeError};
use tacket_firmware::Memory;

static MEMORY: Memory<1, 4096, 4096, 2> = Memory::new();
static BUFFERS: ConstStaticCell<[[u8; 2048]; 2]> = ConstStaticCell::new([[0; 2048]; 2]);

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
    let bytes: u64 = argument("bytes").unwrap_or(64 * 1024);
    stack.wait_config_up().await;
    let result = exchange(net, server, bytes).await;
    match &result {
        Ok(()) => report!("{bytes} bytes came back"),
        Err(error) => report!("the exchange failed: {error}"),
    }
    // On a wire that loses frames, the server may ask for the last acknowledgement once more.
    let afterwards = Duration::from_millis(argument("afterwards").unwrap_or(0));
    net.sleep_until(net.now() + afterwards).await;
    exit(result.is_ok());
}

async fn exchange(net: Net, server: SocketAddr, bytes: u64) -> Result<(), ExchangeError<NetError>> {
    let stream = net.connect(server).await.map_err(ExchangeError::Stream)?;
    let [sending, receiving] = BUFFERS.take();
    echo::exchange(stream, bytes, 5, sending, receiving, |_| ()).await
}
