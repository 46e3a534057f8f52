//! What the images do, with the layer above rustls or without it: a client and a server of echo over TLS, on embassy-net's own sockets.
//!
//! Arguments: `sessions=`, how many are held in all, and what [`tacket_firmware_heap`] wants of a client or a server. The client takes
//! `server=ADDRESS:PORT` and `bytes=` of each session too.
#![no_std]

extern crate alloc;

mod client;
mod direct;
mod server;

use embassy_net::tcp::TcpSocket;
use tacket_firmware_heap::Heap;

pub use client::{Echo, run_client, start_client};
pub use direct::{Alone, Failure};
pub use server::{give_back, run_server, start_server};

/// How many bytes there are in a record that is sent.
pub const PIECE: usize = 1024;

/// The heap of each image, as large as that of the telemetry server.
#[global_allocator]
pub static HEAP: Heap<147_456> = Heap::new();

/// Buffers of a socket; a record that is sent fits into either.
type SocketBuffers = [[u8; 2048]; 2];

/// A session over a connection that is there.
#[expect(async_fn_in_trait, reason = "only for the images of this package")]
pub trait Session {
    /// What a session uses beside the socket.
    type Work;

    /// Shakes hands over `socket`, does its work, and closes. Whether that went as it should; what did not is reported.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, it leaves the connection where it is.
    async fn hold(&self, socket: &mut TcpSocket<'static>, work: &mut Self::Work) -> bool;
}
