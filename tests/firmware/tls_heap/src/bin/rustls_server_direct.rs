//! The server over rustls alone.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;

use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use tacket_board::{exit, report};
use tacket_firmware_heap::{generate_from_arguments, rustls_server_from_arguments};
use tacket_firmware_tls_heap::{Alone, HEAP, PIECE, Session, give_back, run_server, start_server};
use tacket_tls::rustls::ServerConfig;
use tacket_tls::rustls::server::UnbufferedServerConnection;

#[tacket_board::entry]
fn main() -> ! {
    HEAP.start();
    tacket_board::run(|spawner: Spawner| {
        let stack = start_server(spawner);
        spawner.spawn(image(stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(stack: Stack<'static>) {
    if !generate_from_arguments() {
        return exit(false);
    }
    run_server(stack, Direct(rustls_server_from_arguments().into())).await;
}

struct Direct(Arc<ServerConfig>);

impl Session for Direct {
    type Work = &'static mut [u8; PIECE];

    async fn hold(&self, socket: &mut TcpSocket<'static>, buffer: &mut Self::Work) -> bool {
        let connection = UnbufferedServerConnection::new(self.0.clone());
        let mut stream = Alone::new(connection.expect("a configuration"), socket);
        if let Err(error) = stream.shake_hands().await {
            report!("the handshake failed: {error}");
            return false;
        }
        give_back(&mut stream, buffer).await && stream.close().await.is_ok()
    }
}
