//! The client over the guard.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use rand_chacha::ChaCha20Rng;
use static_cell::ConstStaticCell;
use tacket::AsyncResource as _;
use tacket_board::report;
use tacket_firmware::Provision;
use tacket_firmware_direct::Direct;
use tacket_firmware_tls::{Echo, PIECE, Session, run, start};
use tacket_tls::{Anchors, GuardTrust, GuardedClientConfig, TlsStorage, TlsStream, Validity};

const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;
const TX: usize = PIECE + 133;

static STORAGE: ConstStaticCell<TlsStorage<RX, TX>> = ConstStaticCell::new(TlsStorage::new());

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let stack = start(spawner);
        spawner.spawn(image(stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(stack: Stack<'static>) {
    run(stack, Guarded(STORAGE.take())).await;
}

struct Guarded(&'static mut TlsStorage<RX, TX>);

impl Session for Guarded {
    async fn hold(
        &mut self,
        socket: &mut TcpSocket<'static>,
        provision: &Provision,
        rng: &mut ChaCha20Rng,
        echo: &mut Echo,
    ) -> bool {
        let roots = [provision.root()];
        let anchors = Anchors::from_certificates(&roots).expect("a root");
        let trust = GuardTrust::in_roots(anchors.as_slice()).expect("there is one");
        let validity = Validity::Now(&provision.date);
        let config = GuardedClientConfig::new(trust, provision.name.as_str(), validity);
        let config = config.expect("a name");
        let stream = TlsStream::guarded_client(Direct(socket), &config, rng, self.0);
        let mut stream = stream.expect("random bytes");
        if let Err(error) = stream.do_handshake().await {
            report!("the handshake failed: {error}");
            return false;
        }
        let echoed = echo.exchange(&mut stream).await;
        match stream.close().await {
            Ok(()) => echoed,
            Err(error) => {
                report!("the end failed: {error}");
                false
            }
        }
    }
}
