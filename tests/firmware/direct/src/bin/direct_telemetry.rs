//! The telemetry server over embassy-net's own socket: the same protocol code as `telemetry_server`, on a stream that only passes
//! each call on. What it lacks, such as a reset when it is dropped, is what tacket's sockets add.
#![no_std]
#![no_main]

use core::fmt;
use core::time::Duration;

use embassy_executor::Spawner;
use embassy_net::tcp::{self, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{Stack, StackResources};
use embassy_time::{Instant, Timer};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use futures_util::future::join;
use static_cell::{ConstStaticCell, StaticCell};
use tacket::{AsyncResource, Clock, Fault, HalfCloseable, ReceiveStream, SendStream, Split};
use tacket_board::{argument, ethernet, exit, report, start_network};
use tacket_examples::telemetry::{self, Thermostat};

const PORT: u16 = 8;

static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
static SOCKETS: ConstStaticCell<[[[u8; 1024]; 2]; 2]> = ConstStaticCell::new([[[0; 1024]; 2]; 2]);

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
    let mut thermostat = Thermostat::new();
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
        let session = telemetry::serve(Direct(&mut serving), &mut thermostat, &EmbassyClock);
        let (served, connected) = join(session, next).await;
        match served {
            Ok(served) => report!(
                "served {} requests, {} samples",
                served.requests,
                served.samples
            ),
            Err(error) => report!("a client failed: {error}"),
        }
        accepted = connected;
        core::mem::swap(&mut serving, &mut armed);
        clients -= 1;
    }
    exit(true);
}

fn socket(
    stack: Stack<'static>,
    [receive, send]: &'static mut [[u8; 1024]; 2],
) -> TcpSocket<'static> {
    let mut socket = TcpSocket::new(stack, receive, send);
    socket.set_nagle_enabled(false);
    socket.set_timeout(Some(embassy_time::Duration::from_secs(120)));
    socket.set_keep_alive(Some(embassy_time::Duration::from_secs(30)));
    socket
}

/// The socket as a stream: each call is passed on.
struct Direct<'a>(&'a mut TcpSocket<'static>);

#[derive(Debug)]
struct Reset(tcp::Error);

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was reset")
    }
}

impl core::error::Error for Reset {}

impl embedded_io_async::Error for Reset {
    fn kind(&self) -> ErrorKind {
        self.0.kind()
    }
}

impl tacket::Error for Reset {
    fn fault(&self) -> Fault {
        Fault::Broken
    }
}

impl ErrorType for Direct<'_> {
    type Error = Reset;
}

impl Read for Direct<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl Write for Direct<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Reset> {
        self.0.write(buf).await.map_err(Reset)
    }

    async fn flush(&mut self) -> Result<(), Reset> {
        Ok(()) // that of the socket waits for the peer
    }
}

impl ReceiveStream for Direct<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl SendStream for Direct<'_> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Reset> {
        self.0.wait_write_ready().await;
        Ok(())
    }
}

impl HalfCloseable for Direct<'_> {
    async fn send_eof(&mut self) -> Result<(), Reset> {
        self.0.close();
        Ok(())
    }
}

impl AsyncResource for Direct<'_> {
    async fn close(self) -> Result<(), Reset> {
        self.0.close();
        self.0.flush().await.map_err(Reset)?;
        self.0.abort(); // or the socket waits for a minute until it can accept again
        Ok(())
    }
}

/// The protocol uses one direction at a time, so the halves are there for the types only.
struct Half<T>(T);

impl<T> ErrorType for Half<T> {
    type Error = Reset;
}

impl Read for Half<TcpReader<'_>> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl ReceiveStream for Half<TcpReader<'_>> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Reset> {
        self.0.read(buf).await.map_err(Reset)
    }
}

impl Write for Half<TcpWriter<'_>> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Reset> {
        self.0.write(buf).await.map_err(Reset)
    }

    async fn flush(&mut self) -> Result<(), Reset> {
        Ok(())
    }
}

impl SendStream for Half<TcpWriter<'_>> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Reset> {
        self.0.wait_write_ready().await;
        Ok(())
    }
}

impl HalfCloseable for Half<TcpWriter<'_>> {
    async fn send_eof(&mut self) -> Result<(), Reset> {
        unreachable!("no half of the socket can end its direction")
    }
}

impl Split for Direct<'_> {
    type Sending<'h>
        = Half<TcpWriter<'h>>
    where
        Self: 'h;
    type Receiving<'h>
        = Half<TcpReader<'h>>
    where
        Self: 'h;

    fn split(&mut self) -> (Half<TcpWriter<'_>>, Half<TcpReader<'_>>) {
        let (reader, writer) = self.0.split();
        (Half(writer), Half(reader))
    }
}

struct EmbassyClock;

impl Clock for EmbassyClock {
    fn now(&self) -> Duration {
        Duration::from_micros(Instant::now().as_micros())
    }

    async fn sleep_until(&self, deadline: Duration) {
        Timer::at(Instant::from_micros(deadline.as_micros() as u64)).await;
    }
}
