//! Talks to a thermostat over TLS, wherever its name leads to: all of its addresses race. There is no heap.
//!
//! Arguments: `port=PORT`, and those of `telemetry_tls_client` but `server`: the address is looked up. With `address`, `dns=ADDRESS` is who knows names.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use tacket::ConnectOptions;
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, Options};
use tacket_examples::telemetry::{self, ClientError};
use tacket_firmware::{Memory, Provision, generator, task_bytes};
use tacket_tls::{Anchors, CryptoRngCore, GuardedConnector, TlsStorage, open_tls_over_tcp_stream};

/// How many addresses the name may have.
const ADDRESSES: usize = 4;

/// Whatever the server sends.
const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;

/// A socket for each address: they may all be tried at the same time. The stack has a place for each, for DHCP and for DNS.
static MEMORY: Memory<ADDRESSES, 1024, 1024, { ADDRESSES + 2 }, TlsStorage<RX, 1024>> =
    Memory::new();

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
    exit(session(&net, &provision, &mut rng).await);
}

/// Whether the server is found, trusted, and answers as it should.
async fn session(net: &Net, provision: &Provision, rng: &mut dyn CryptoRngCore) -> bool {
    let port = argument("port").expect("the argument port=");
    let roots = [provision.root()];
    let anchors = Anchors::from_certificates(&roots).expect("root= is of an authority");
    let config = provision.client(&anchors, None);
    let options = ConnectOptions::new().addresses::<ADDRESSES>();
    let connector = GuardedConnector::new(&config, rng, MEMORY.take());
    let opening = open_tls_over_tcp_stream(net, &provision.name, port, options, connector);
    let mut stream = match opening.await {
        Ok(stream) => stream,
        Err(error) => {
            report!("no connection: {error}");
            return false;
        }
    };
    report!("connected to {}", stream.transport().peer_addr());
    let session = async {
        // Halves cannot perform it, and the session splits the stream.
        stream.do_handshake().await.map_err(ClientError::Stream)?;
        telemetry::session(stream, net).await
    };
    match session.await {
        Ok(summary) => {
            report!("{} requests, {} samples", summary.requests, summary.samples);
            true
        }
        Err(error) => {
            report!("the session failed: {error}");
            false
        }
    }
}
