//! The client over rustls with the layer.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use tacket::AsyncResource as _;
use tacket_board::{exit, report};
use tacket_firmware::Provision;
use tacket_firmware_direct::Direct;
use tacket_firmware_heap::{client_of, generate_from_arguments};
use tacket_firmware_tls_heap::{Echo, HEAP, Session, run_client, start_client};
use tacket_tls::{ClientConfig, TlsStream};

#[tacket_board::entry]
fn main() -> ! {
    HEAP.start();
    tacket_board::run(|spawner: Spawner| {
        let stack = start_client(spawner);
        spawner.spawn(image(stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(stack: Stack<'static>) {
    let provision = Provision::from_arguments();
    if !generate_from_arguments() {
        return exit(false);
    }
    let config = client_of(&provision);
    run_client(stack, Layered(&provision, config)).await;
}

struct Layered<'p>(&'p Provision, ClientConfig);

impl Session for Layered<'_> {
    type Work = Echo;

    async fn hold(&self, socket: &mut TcpSocket<'static>, echo: &mut Echo) -> bool {
        let Self(provision, config) = self;
        let stream = TlsStream::client(Direct(socket), config, provision.name.as_str());
        let mut stream = stream.expect("a name");
        if let Err(error) = stream.do_handshake().await {
            report!("the handshake failed: {error}");
            return false;
        }
        echo.exchange(&mut stream).await && stream.close().await.is_ok()
    }
}
