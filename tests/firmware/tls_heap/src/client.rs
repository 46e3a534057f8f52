//! A client: so many sessions with an echo server, one after the other.

use core::net::SocketAddrV4;

use embassy_executor::Spawner;
use embassy_net::{Stack, StackResources};
use embedded_io_async::{Read, Write};
use static_cell::{ConstStaticCell, StaticCell};
use tacket_board::{argument, ethernet, exit, report, start_network};

use crate::{HEAP, PIECE, Session, SocketBuffers};

static RESOURCES: StaticCell<StackResources<2>> = StaticCell::new();
static BUFFERS: ConstStaticCell<SocketBuffers> = ConstStaticCell::new([[0; 2048]; 2]);
static SENT: ConstStaticCell<[u8; PIECE]> = ConstStaticCell::new([0; PIECE]);
static BACK: ConstStaticCell<[u8; PIECE]> = ConstStaticCell::new([0; PIECE]);

/// Starts a network.
#[must_use]
pub fn start_client(spawner: Spawner) -> Stack<'static> {
    start_network(spawner, ethernet(), RESOURCES.init(StackResources::new()))
}

/// What is to be echoed.
pub struct Echo {
    bytes: usize,
    sent: &'static mut [u8; PIECE],
    back: &'static mut [u8; PIECE],
}

impl Echo {
    /// Sends it in pieces, each when the one before is back. Whether all came back.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, a part of it may be on its way.
    pub async fn exchange<S: Read + Write>(&mut self, stream: &mut S) -> bool {
        for start in (0..self.bytes).step_by(PIECE) {
            self.sent.fill(start as u8);
            if stream.write_all(self.sent).await.is_err() || stream.flush().await.is_err() {
                return false;
            }
            let back = stream.read_exact(self.back).await;
            if back.is_err() || self.sent != self.back {
                return false;
            }
        }
        true
    }
}

/// Holds all sessions, and ends the program.
///
/// # Panics
///
/// When an argument is missing.
///
/// # Cancel safety
///
/// Not safe. Its buffers are taken, so it cannot be called again.
pub async fn run_client(stack: Stack<'static>, session: impl Session<Work = Echo>) {
    let server: SocketAddrV4 = argument("server").expect("the argument server=");
    let sessions: usize = argument("sessions").expect("the argument sessions=");
    let mut echo = Echo {
        bytes: argument("bytes").expect("the argument bytes="),
        sent: SENT.take(),
        back: BACK.take(),
    };
    stack.wait_config_up().await;
    let mut socket = tacket_firmware_direct::socket(stack, BUFFERS.take());
    for held in 0..sessions {
        let connected = socket.connect(server).await.is_ok();
        if !connected || !session.hold(&mut socket, &mut echo).await {
            report!("session {held} failed");
            return exit(false);
        }
        socket.abort();
        let _ = socket.flush().await;
    }
    report!("{sessions} sessions of {} bytes", echo.bytes);
    HEAP.tell_most();
    exit(true);
}
