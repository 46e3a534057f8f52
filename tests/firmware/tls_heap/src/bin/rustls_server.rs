//! The server over rustls with the layer.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use tacket::AsyncResource as _;
use tacket_board::{exit, report};
use tacket_firmware_direct::Direct;
use tacket_firmware_heap::{generate_from_arguments, server_from_arguments};
use tacket_firmware_tls_heap::{HEAP, PIECE, Session, give_back, run_server, start_server};
use tacket_tls::{ServerConfig, TlsStream};

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
    run_server(stack, Layered(server_from_arguments())).await;
}

struct Layered(ServerConfig);

impl Session for Layered {
    type Work = &'static mut [u8; PIECE];

    async fn hold(&self, socket: &mut TcpSocket<'static>, buffer: &mut Self::Work) -> bool {
        let Self(config) = self;
        let stream = TlsStream::server(Direct(socket), config);
        let mut stream = stream.expect("a configuration without early data");
        if let Err(error) = stream.do_handshake().await {
            report!("the handshake failed: {error}");
            return false;
        }
        give_back(&mut stream, buffer).await && stream.close().await.is_ok()
    }
}
