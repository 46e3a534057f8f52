//! Thermostats on port 8, three clients at the same time. A client of port 9 has it drain, and end.
//!
//! It reports what it has done.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use embassy_executor::Spawner;
use embassy_net::Stack;
use futures_util::future::join;
use tacket::{AsyncResource as _, Listen as _, Listener as _, ServeEvent, Server};
use tacket_board::{argument, ethernet, exit, report};
use tacket_embassy::{Net, NetError, Options, TcpListener, TcpStream};
use tacket_examples::telemetry::{self, Thermostat};
use tacket_firmware::{Handlers, Memory, output_bytes, task_bytes};

const PORT: u16 = 8;
const COMMANDS: u16 = 9;

/// How many clients are served at the same time.
const CLIENTS: usize = 3;

/// As many clients may come in the same instant as are served, while the ones before them are still closing.
static MEMORY: Memory<8, 1024, 1024, 9, Handlers<CLIENTS>> = Memory::new();

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let ledger = MEMORY.ledger().task(task_bytes(&hub));
        ledger
            .handlers(MEMORY.handlers(), output_bytes(&handle))
            .close();
        let (net, stack) = MEMORY.start(spawner, ethernet(), Options::new().backlog(1));
        spawner.spawn(image(net, stack).expect("one task"));
    })
}

#[embassy_executor::task]
fn image(net: Net, stack: Stack<'static>) -> impl Future<Output = ()> {
    hub(net, stack)
}

async fn hub(net: Net, stack: Stack<'static>) {
    stack.wait_config_up().await;
    let served = serve(net).await;
    if let Err(error) = served {
        report!("serving failed: {error}");
    }
    exit(served.is_ok());
}

async fn handle(stream: TcpStream, net: Net) -> Result<(), telemetry::ServeError<NetError>> {
    telemetry::serve(stream, &mut Thermostat::new(), &net).await?;
    Ok(())
}

async fn serve(net: Net) -> Result<(), NetError> {
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind_with_backlog(net, everywhere(PORT), CLIENTS)?;
    let mut commands = net.listen(everywhere(COMMANDS)).await?;
    let tell = |event: ServeEvent<NetError, telemetry::ServeError<NetError>>| match event {
        ServeEvent::Failed(error) => report!("a client failed: {error}"),
        ServeEvent::Full(error) => report!("no room for a client: {error}"),
        _ => {}
    };
    let server = Server::<_, _, _, _, CLIENTS>::with_report(
        listener,
        &net,
        |stream| handle(stream, net),
        tell,
    );
    let stopping = async {
        let command = commands.accept().await?;
        let grace = argument("grace").unwrap_or(2000);
        server.stop(Duration::from_millis(grace));
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
