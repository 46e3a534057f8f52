//! Has bytes echoed by a server over TLS, checks each of them, and ends. There is no heap.
//!
//! Arguments: `bytes=N` for how many, 64 KiB without it, and those of `telemetry_tls_client`.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use static_cell::ConstStaticCell;
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options};
use tacket_examples::echo::{self, ExchangeError};
use tacket_firmware::{Memory, Provision, connect_tls, generator, task_bytes};
use tacket_tls::{Anchors, CryptoRngCore, TlsError, TlsStorage};

/// Whatever the server sends.
const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;
/// Records of 2 KiB to the server.
const TX: usize = 2048 + 133;

static MEMORY: Memory<1, 4096, 4096, 2, TlsStorage<RX, TX>> = Memory::new();
static BUFFERS: ConstStaticCell<[[u8; 2048]; 2]> = ConstStaticCell::new([[0; 2048]; 2]);

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
    let bytes = argument("bytes").unwrap_or(64 * 1024);
    stack.wait_config_up().await;
    let result = exchange(net, &provision, &mut rng, bytes).await;
    match &result {
        Ok(()) => report!("{bytes} bytes came back"),
        Err(error) => report!("the exchange failed: {error}"),
    }
    exit(result.is_ok());
}

async fn exchange(
    net: Net,
    provision: &Provision,
    rng: &mut dyn CryptoRngCore,
    bytes: u64,
) -> Result<(), ExchangeError<TlsError<NetError>>> {
    let server = argument("server").expect("the argument server=");
    let roots = provision.roots();
    let anchors = Anchors::from_certificates(&roots).expect("root= is of an authority");
    let config = provision.client(&anchors);
    let stream = connect_tls(&net, server, &config, rng, MEMORY.take()).await;
    let [sending, receiving] = BUFFERS.take();
    let stream = stream.map_err(ExchangeError::Stream)?;
    echo::exchange(stream, bytes, 5, sending, receiving, |_| ()).await
}
