//! The client over `embedded-tls` alone, with the certificate check that comes with it.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embedded_tls::pki::CertVerifier;
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, CryptoRngCore, TlsClock, TlsConfig,
    TlsConnection, TlsContext, TlsError, TlsVerifier,
};
use rand_chacha::ChaCha20Rng;
use static_cell::ConstStaticCell;
use tacket_board::{argument, report};
use tacket_firmware::Provision;
use tacket_firmware_direct::Direct;
use tacket_firmware_tls::{Echo, PIECE, Session, run, start};

/// As many as a certificate of a server has, at most.
const CERTIFICATE: usize = 1024;

static INCOMING: ConstStaticCell<[u8; 16_640]> = ConstStaticCell::new([0; 16_640]);
static OUTGOING: ConstStaticCell<[u8; PIECE + 133]> = ConstStaticCell::new([0; PIECE + 133]);

/// The date of the boot, which is enough here.
static NOW: AtomicU32 = AtomicU32::new(0);

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let stack = start(spawner);
        spawner.spawn(image(stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(stack: Stack<'static>) {
    let now = argument("now").expect("the argument now=");
    NOW.store(now, Ordering::Relaxed);
    run(stack, Alone(INCOMING.take(), OUTGOING.take())).await;
}

struct Alone(&'static mut [u8; 16_640], &'static mut [u8; PIECE + 133]);

struct Date;

impl TlsClock for Date {
    fn now() -> Option<u64> {
        Some(NOW.load(Ordering::Relaxed).into())
    }
}

struct Provider<'a> {
    rng: &'a mut ChaCha20Rng,
    verifier: CertVerifier<'a, Aes128GcmSha256, Date, CERTIFICATE>,
}

impl CryptoProvider for Provider<'_> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = p256::ecdsa::DerSignature;

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut *self.rng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

impl Session for Alone {
    async fn hold(
        &mut self,
        socket: &mut TcpSocket<'static>,
        provision: &Provision,
        rng: &mut ChaCha20Rng,
        echo: &mut Echo,
    ) -> bool {
        let root = provision.root();
        let verifier = CertVerifier::new(Certificate::X509(&root));
        let config = TlsConfig::new().with_server_name(&provision.name);
        let mut connection = TlsConnection::new(Direct(&mut *socket), self.0, self.1);
        let context = TlsContext::new(&config, Provider { rng, verifier });
        if let Err(error) = connection.open(context).await {
            report!("the handshake failed: {error:?}");
            return false;
        }
        echo.exchange(&mut connection).await && connection.close().await.is_ok()
    }
}
