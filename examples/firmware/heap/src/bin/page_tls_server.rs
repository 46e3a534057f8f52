//! A web server of one page over TLS on port 8, for one client after the other.
//!
//! Arguments: those of `telemetry_tls_server`, and `clients=COUNT`, after which it ends.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use embassy_executor::Spawner;
use embassy_net::Stack;
use tacket::{Listen as _, Listener as _, timeout};
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options};
use tacket_firmware::{Memory, task_bytes};
use tacket_firmware_heap::{Heap, generate_from_arguments, serve_page, server_from_arguments};
use tacket_tls::TlsListener;

const PORT: u16 = 8;

/// The time that a client has.
const LIMIT: Duration = Duration::from_secs(20);

#[global_allocator]
static HEAP: Heap<102_400> = Heap::new();

static MEMORY: Memory<3, 1024, 1024, 4> = Memory::new();

#[tacket_board::entry]
fn main() -> ! {
    HEAP.start();
    tacket_board::run(|spawner: Spawner| {
        let ledger = MEMORY.ledger().task(task_bytes(&serve));
        ledger.heap(size_of_val(&HEAP)).close();
        let (net, stack) = MEMORY.start(spawner, ethernet(), Options::new());
        spawner.spawn(image(net, stack).expect("one task"));
    })
}

#[embassy_executor::task]
fn image(net: Net, stack: Stack<'static>) -> impl Future<Output = ()> {
    serve(net, stack)
}

async fn serve(net: Net, stack: Stack<'static>) {
    if !generate_from_arguments() {
        return exit(false);
    }
    stack.wait_config_up().await;
    let served = serve_clients(net).await;
    if let Err(error) = served {
        report!("serving failed: {error}");
    }
    HEAP.tell_most();
    exit(served.is_ok());
}

async fn serve_clients(net: Net) -> Result<(), NetError> {
    let config = server_from_arguments();
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
    let listener = net.listen(everywhere).await?;
    let listener = TlsListener::new(listener, &config);
    let mut listener = listener.expect("a configuration without early data");
    report!("listening on port {PORT}");
    for _ in 0..argument("clients").unwrap_or(u32::MAX) {
        let stream = listener.accept().await?;
        match timeout(&net, LIMIT, serve_page(stream, "all is well")).await {
            Ok(Ok(())) => report!("a client was served"),
            Ok(Err(error)) => report!("a client failed: {error}"),
            Err(error) => report!("a client failed: {error}"),
        }
    }
    Ok(())
}
