//! The client over rustls alone.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;

use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use tacket_board::{exit, report};
use tacket_firmware::Provision;
use tacket_firmware_heap::{generate_from_arguments, rustls_client_of};
use tacket_firmware_tls_heap::{Alone, Echo, HEAP, Session, run_client, start_client};
use tacket_tls::pki_types::ServerName;
use tacket_tls::rustls::ClientConfig;
use tacket_tls::rustls::client::UnbufferedClientConnection;

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
    let config = rustls_client_of(&provision).into();
    run_client(stack, Direct(&provision, config)).await;
}

struct Direct<'p>(&'p Provision, Arc<ClientConfig>);

impl Session for Direct<'_> {
    type Work = Echo;

    async fn hold(&self, socket: &mut TcpSocket<'static>, echo: &mut Echo) -> bool {
        let Self(provision, config) = self;
        let name = ServerName::try_from(provision.name.as_str()).expect("a name");
        let connection = UnbufferedClientConnection::new(config.clone(), name.to_owned());
        let mut stream = Alone::new(connection.expect("a configuration"), socket);
        if let Err(error) = stream.shake_hands().await {
            report!("the handshake failed: {error}");
            return false;
        }
        echo.exchange(&mut stream).await && stream.close().await.is_ok()
    }
}
