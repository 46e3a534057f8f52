//! Thermostats over TLS on port 8, two clients at the same time; whoever comes meanwhile waits. A client of port 9 has it drain, and end.
//!
//! Arguments: `certificate=HEX` and `key=HEX`, in DER, `now=SECONDS` since 1970, `entropy=HEX` of 32 random bytes; `serve=page` has it be a web
//! server of one page.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use embassy_executor::Spawner;
use embassy_net::Stack;
use futures_util::future::join;
use tacket::{AsyncResource as _, Handler as _, Listen as _, Listener as _, ServeEvent, Server};
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options, TcpListener, TcpStream};
use tacket_examples::telemetry::{self, ServeError, Thermostat};
use tacket_firmware::{Handlers, Memory, output_bytes, task_bytes};
use tacket_firmware_heap::{Heap, generate_from_arguments, serve_page, server_from_arguments};
use tacket_tls::{TlsError, TlsListener, TlsStream, WithHandshake, WithHandshakeError};

const PORT: u16 = 8;
const COMMANDS: u16 = 9;

/// How many clients are served at the same time, and how many may wait to be.
const CLIENTS: usize = 2;

/// The time that a client has for its handshake: three times what one takes here, for two at once.
const HANDSHAKE: Duration = Duration::from_secs(10);

#[global_allocator]
static HEAP: Heap<114_688> = Heap::new();

/// Sockets for those who are served, those who wait, those who were served last and are still closing, and a command.
static MEMORY: Memory<7, 1024, 1024, 8, Handlers<CLIENTS>> = Memory::new();

/// How a client of this server fails.
type Failure = WithHandshakeError<NetError, ServeError<TlsError<NetError>>>;

/// What there is for clients.
#[derive(Clone, Copy)]
struct Service {
    net: Net,
    is_page: bool,
}

#[tacket_board::entry]
fn main() -> ! {
    HEAP.start();
    tacket_board::run(|spawner: Spawner| {
        let ledger = MEMORY.ledger().task(task_bytes(&serve));
        ledger
            .handlers(MEMORY.handlers(), output_bytes(&handle))
            .heap(size_of_val(&HEAP))
            .close();
        let (net, stack) = MEMORY.start(spawner, ethernet(), Options::new().backlog(1));
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

/// Shakes hands with a client, and serves it.
async fn handle(stream: TlsStream<TcpStream>, service: Service) -> Result<(), Failure> {
    let Service { net, is_page } = service;
    let serving = async |stream: TlsStream<TcpStream>| {
        if is_page {
            let page = serve_page(stream, "all is well").await;
            return page.map_err(ServeError::Stream);
        }
        telemetry::serve(stream, &mut Thermostat::new(), &net).await?;
        Ok(())
    };
    let handler = WithHandshake::new(net, HANDSHAKE, serving);
    handler.handle(stream).await
}

async fn serve_clients(net: Net) -> Result<(), NetError> {
    let config = server_from_arguments();
    let is_page = argument("serve").is_some_and(|what: heapless::String<16>| what == "page");
    let service = Service { net, is_page };
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind_with_backlog(net, everywhere(PORT), CLIENTS)?;
    let listener = TlsListener::new(listener, &config).expect("a configuration without early data");
    let mut commands = net.listen(everywhere(COMMANDS)).await?;
    let tell = |event: ServeEvent<NetError, Failure>| match event {
        ServeEvent::Failed(error) => report!("a client failed: {error}"),
        ServeEvent::Full(error) => report!("no room for a client: {error}"),
        _ => {}
    };
    let handler = |stream| handle(stream, service);
    let server = Server::<_, _, _, _, CLIENTS>::with_report(listener, &net, handler, tell);
    let stopping = async {
        let command = commands.accept().await?;
        server.stop(Duration::from_millis(argument("grace").unwrap_or(2000)));
        report!("draining, with {} clients", server.statistics().active);
        command.close().await
    };
    report!("listening on port {PORT}");
    let (served, stopped) = join(server.run::<CLIENTS>(), stopping).await;
    if let Ok(so_far) = served {
        report!(
            "{} accepted, {} at the same time, {} completed, {} failed, {} cut",
            so_far.accepted,
            so_far.most_active,
            so_far.completed,
            so_far.failed,
            so_far.cut
        );
    }
    stopped
}
