//! Thermostats over TLS on port 8, two clients at the same time, while two more wait. A client of port 9 has it drain, and end.
//!
//! Arguments: `certificate=HEX` and `key=HEX`, in DER, `now=SECONDS` since 1970, `entropy=HEX` of 32 random bytes; `session=MS`, the time that a
//! client has in all.
#![no_std]
#![no_main]

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use embassy_executor::Spawner;
use embassy_net::Stack;
use futures_util::future::try_join;
use tacket::{
    AsyncResource as _, Handler as _, Listen as _, Listener as _, ServeEvent, Server, timeout,
};
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options, TcpListener, TcpStream};
use tacket_examples::telemetry::{self, ServeError, Thermostat};
use tacket_firmware::{Handlers, Memory, output_bytes, task_bytes};
use tacket_firmware_heap::{Heap, generate_from_arguments, server_from_arguments};
use tacket_tls::{TlsError, TlsListener, TlsStream, WithHandshake, WithHandshakeError};

const PORT: u16 = 8;
const COMMANDS: u16 = 9;

/// How many clients are served at the same time, and how many may wait to be.
const CLIENTS: usize = 2;

/// The time that a client has for its handshake: three times what one takes here, for two at once.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The time that a client has in all, in milliseconds: a silent one keeps others out no longer.
const SESSION: u64 = 10 * 60 * 1000;

#[global_allocator]
static HEAP: Heap<147_456> = Heap::new();

/// Sockets for those who are served, those who wait, those who were served last and are still closing, and a command.
static MEMORY: Memory<7, 1024, 1024, 8, Handlers<CLIENTS>> = Memory::new();

/// How a client of this server fails.
type Failure = WithHandshakeError<NetError, SessionError>;

/// How a session fails.
enum SessionError {
    Serve(ServeError<TlsError<NetError>>),
    TooLong,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve(error) => error.fmt(f),
            Self::TooLong => f.write_str("the session took too long"),
        }
    }
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
async fn handle(stream: TlsStream<TcpStream>, net: Net) -> Result<(), Failure> {
    let limit = Duration::from_millis(argument("session").unwrap_or(SESSION));
    let session = async |stream: TlsStream<TcpStream>| {
        let mut thermostat = Thermostat::new();
        let serving = telemetry::serve(stream, &mut thermostat, &net);
        match timeout(&net, limit, serving).await {
            Ok(served) => served.map(drop).map_err(SessionError::Serve),
            Err(_) => Err(SessionError::TooLong),
        }
    };
    let handler = WithHandshake::new(net, HANDSHAKE, session);
    handler.handle(stream).await
}

async fn serve_clients(net: Net) -> Result<(), NetError> {
    let config = server_from_arguments();
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind_with_backlog(net, everywhere(PORT), CLIENTS)?;
    let listener = TlsListener::new(listener, &config).expect("a configuration without early data");
    let mut commands = net.listen(everywhere(COMMANDS)).await?;
    let tell = |event: ServeEvent<NetError, Failure>| match event {
        ServeEvent::Failed(error) => report!("a client failed: {error}"),
        ServeEvent::Full(error) => report!("no room for a client: {error}"),
        _ => {}
    };
    let handler = |stream| handle(stream, net);
    let server = Server::<_, _, _, _, CLIENTS>::with_report(listener, &net, handler, tell);
    let stopping = async {
        let command = commands.accept().await?;
        server.stop(Duration::from_millis(argument("grace").unwrap_or(2000)));
        report!("draining, with {} clients", server.statistics().active);
        command.close().await
    };
    report!("listening on port {PORT}");
    let serving = async {
        server.run::<CLIENTS>().await.map_err(|error| match error {
            tacket::ServeError::Listener(error) => error,
            other => panic!("{other}"),
        })
    };
    let (served, ()) = try_join(serving, stopping).await?;
    report!(
        "{} accepted, {} at the same time, {} completed, {} failed, {} cut",
        served.accepted,
        served.most_active,
        served.completed,
        served.failed,
        served.cut
    );
    Ok(())
}
