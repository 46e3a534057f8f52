//! Sends back what it receives on port 7, client after client.
//!
//! With the argument `clients=N`, it ends after so many.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddr};

use embassy_executor::Spawner;
use embassy_net::Stack;
use static_cell::ConstStaticCell;
use tacket::{Listen as _, Listener as _};
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options};
use tacket_examples::echo;
use tacket_firmware::Memory;

const PORT: u16 = 7;

static MEMORY: Memory<2, 4096, 4096, 3> = Memory::new();
static BUFFER: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);

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
    let result = serve(net, BUFFER.take()).await;
    if let Err(error) = result {
        report!("the listener failed: {error}");
    }
    exit(result.is_ok());
}

async fn serve(net: Net, buffer: &mut [u8]) -> Result<(), NetError> {
    let mut listener = net
        .listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)))
        .await?;
    report!("listening on port {PORT}");
    let mut clients = argument("clients").unwrap_or(u32::MAX);
    while clients > 0 {
        match echo::serve(listener.accept().await?, buffer).await {
            Ok(bytes) => report!("echoed {bytes} bytes"),
            Err(error) => report!("a client failed: {error}"),
        }
        clients -= 1;
    }
    Ok(())
}
