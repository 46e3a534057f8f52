//! The echo server written on embassy-net directly: the same behaviour as `echo_server`, one client after the other, while the
//! next one can connect.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::tcp::{Error, TcpSocket};
use embassy_net::{Stack, StackResources};
use embassy_time::Duration;
use embedded_io_async::Write as _;
use futures_util::future::join;
use static_cell::{ConstStaticCell, StaticCell};
use tacket_board::{argument, ethernet, exit, report, start_network};

const PORT: u16 = 7;

static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
static SOCKETS: ConstStaticCell<[[[u8; 4096]; 2]; 2]> = ConstStaticCell::new([[[0; 4096]; 2]; 2]);
static BUFFER: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let resources = RESOURCES.init(StackResources::new());
        let stack = start_network(spawner, ethernet(), resources);
        spawner.spawn(image(stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(stack: Stack<'static>) {
    stack.wait_config_up().await;
    let [first, second] = SOCKETS.take();
    let (mut serving, mut armed) = (socket(stack, first), socket(stack, second));
    let buffer = BUFFER.take();
    report!("listening on port {PORT}");
    let mut clients = argument("clients").unwrap_or(u32::MAX);
    let mut accepted = serving.accept(PORT).await;
    while clients > 0 {
        if let Err(error) = accepted {
            report!("the listener failed: {error:?}");
            return exit(false);
        }
        let last = clients == 1;
        let next = async {
            match last {
                true => Ok(()),
                false => armed.accept(PORT).await,
            }
        };
        let (echoed, connected) = join(echo(&mut serving, buffer), next).await;
        match echoed {
            Ok(bytes) => report!("echoed {bytes} bytes"),
            Err(error) => report!("a client failed: {error:?}"),
        }
        accepted = connected;
        core::mem::swap(&mut serving, &mut armed);
        clients -= 1;
    }
    exit(true);
}

fn socket(
    stack: Stack<'static>,
    [receive, send]: &'static mut [[u8; 4096]; 2],
) -> TcpSocket<'static> {
    let mut socket = TcpSocket::new(stack, receive, send);
    socket.set_nagle_enabled(false);
    socket.set_timeout(Some(Duration::from_secs(120)));
    socket.set_keep_alive(Some(Duration::from_secs(30)));
    socket
}

async fn echo(socket: &mut TcpSocket<'static>, buffer: &mut [u8]) -> Result<u64, Error> {
    let mut echoed = 0;
    loop {
        let count = socket.read(buffer).await?;
        if count == 0 {
            break;
        }
        socket.write_all(&buffer[..count]).await?;
        echoed += count as u64;
    }
    socket.close();
    socket.flush().await?;
    socket.abort(); // or the socket waits for a minute until it can accept again
    Ok(echoed)
}
