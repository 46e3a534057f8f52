//! A server of echo on port 7, with two clients at the same time.

use core::cell::Cell;

use embassy_executor::Spawner;
use embassy_net::{Stack, StackResources};
use embedded_io_async::{Read, Write};
use futures_util::future::join;
use static_cell::{ConstStaticCell, StaticCell};
use tacket_board::{argument, ethernet, exit, report, start_network};

use crate::{HEAP, PIECE, Session, SocketBuffers};

const PORT: u16 = 7;

static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
static BUFFERS: ConstStaticCell<[SocketBuffers; 2]> = ConstStaticCell::new([[[0; 2048]; 2]; 2]);
static ECHOES: ConstStaticCell<[[u8; PIECE]; 2]> = ConstStaticCell::new([[0; PIECE]; 2]);

/// Starts a network.
#[must_use]
pub fn start_server(spawner: Spawner) -> Stack<'static> {
    start_network(spawner, ethernet(), RESOURCES.init(StackResources::new()))
}

/// Sends back what comes, until its end. Whether that came.
///
/// # Cancel safety
///
/// Not safe. Dropped, a part of it may be on its way.
pub async fn give_back<S: Read + Write>(stream: &mut S, buffer: &mut [u8; PIECE]) -> bool {
    loop {
        match stream.read(buffer).await {
            Ok(0) => return true,
            Ok(count) => {
                let taken = stream.write_all(&buffer[..count]).await;
                if taken.is_err() || stream.flush().await.is_err() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
}

/// Holds all sessions, two at the same time, and ends the program.
///
/// # Panics
///
/// When an argument is missing.
///
/// # Cancel safety
///
/// Not safe. Its buffers are taken, so it cannot be called again.
pub async fn run_server(
    stack: Stack<'static>,
    session: impl Session<Work = &'static mut [u8; PIECE]>,
) {
    let left = Cell::new(argument("sessions").expect("the argument sessions="));
    stack.wait_config_up().await;
    let ([first, second], [one, other]) = (BUFFERS.take(), ECHOES.take());
    report!("listening on port {PORT}");
    let one = serve(stack, first, &session, one, &left);
    let other = serve(stack, second, &session, other, &left);
    join(one, other).await;
    HEAP.tell_most();
    exit(true);
}

/// Serves one client after the other, as long as there are sessions left.
async fn serve(
    stack: Stack<'static>,
    buffers: &'static mut SocketBuffers,
    session: &impl Session<Work = &'static mut [u8; PIECE]>,
    mut echo: &'static mut [u8; PIECE],
    left: &Cell<u32>,
) {
    let mut socket = tacket_firmware_direct::socket(stack, buffers);
    while let Some(rest) = left.get().checked_sub(1) {
        left.set(rest);
        let accepted = socket.accept(PORT).await.is_ok();
        if !accepted || !session.hold(&mut socket, &mut echo).await {
            report!("a client failed");
        }
        socket.abort();
        let _ = socket.flush().await;
    }
}
