//! Talks to a thermostat through a proxy: TLS to the proxy, and in the tunnel that it makes TLS to the thermostat. There is no heap.
//!
//! Arguments: `proxy=ADDRESS:PORT` and `proxy_name=NAME` that its certificate is for; `target=HOST:PORT` of the thermostat, as the proxy knows it; and
//! those of `telemetry_tls_client` but `server`. One authority has certified both.
#![no_std]
#![no_main]

use core::fmt::Display;

use embassy_executor::Spawner;
use embassy_net::Stack;
use heapless::String;
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, Options};
use tacket_examples::http;
use tacket_examples::telemetry::{self, Summary};
use tacket_firmware::{Memory, Provision, connect_tls, generator, task_bytes};
use tacket_tls::{Anchors, CryptoRngCore, GuardedConnector, MaxFragment, TlsStorage, TlsStream};

/// Both servers have to keep to these records, and have their handshakes in one each.
const RECORDS: MaxFragment = MaxFragment::Of1024;

/// The record that has been agreed on, with its header, its tag and its padding.
const RX: usize = 5 + 1024 + 256;

/// Enough for the first message, with a name of 100 bytes.
const TX: usize = 512;

type Session = TlsStorage<RX, TX>;

static MEMORY: Memory<1, 1024, 1024, 2, (Session, Session)> = Memory::new();

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
    match session(&net, &provision, &mut rng).await {
        Ok(summary) => {
            report!("{} requests, {} samples", summary.requests, summary.samples);
            exit(true);
        }
        Err(Failure) => exit(false),
    }
}

async fn session(
    net: &Net,
    provision: &Provision,
    rng: &mut dyn CryptoRngCore,
) -> Result<Summary, Failure> {
    let proxy = argument("proxy").expect("the argument proxy=");
    let proxy_name: String<253> = argument("proxy_name").expect("the argument proxy_name=");
    let target: String<64> = argument("target").expect("the argument target=");
    let roots = [provision.root()];
    let anchors = Anchors::from_certificates(&roots).expect("root= is of an authority");
    let outer = provision.client_of(&proxy_name, &anchors, Some(RECORDS));
    let inner = provision.client(&anchors, Some(RECORDS));
    let (outer_storage, inner_storage) = MEMORY.take();

    let connector = GuardedConnector::new(&outer, rng, outer_storage);
    let proxy = connect_tls(net, proxy, &proxy_name, connector).await;
    let proxy = proxy.map_err(failed("the proxy"))?;
    let tunnel = http::connect(proxy, &target, &mut [0; 256]).await;
    let tunnel = tunnel.map_err(failed("the tunnel"))?;
    let stream = TlsStream::guarded_client(tunnel, &inner, rng, inner_storage);
    let mut stream = stream.expect("random bytes");
    // Halves cannot perform it, and the session splits the stream.
    stream.do_handshake().await.map_err(failed("the server"))?;
    telemetry::session(stream, net)
        .await
        .map_err(failed("the session"))
}

/// It was reported.
struct Failure;

fn failed<E: Display>(what: &str) -> impl Fn(E) -> Failure {
    move |error| {
        report!("{what} failed: {error}");
        Failure
    }
}
