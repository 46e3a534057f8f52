//! The echo client over TLS, with records of any size.

use tacket_board::argument;
use tacket_embassy::{Net, NetError};
use tacket_examples::echo::{self, ExchangeError};
use tacket_tls::{Anchors, CryptoRngCore, MaxFragment, TlsError, TlsStorage};

use crate::{Provision, connect_tls};

/// A buffer for each direction.
pub type EchoBuffers = [[u8; 2048]; 2];

/// Has `bytes` bytes sent back by the server at the address of the argument `server`, whom `provision` says how to know, over TLS in `storage`.
///
/// # Errors
///
/// Those of the exchange: whoever is not trusted, for instance, fails it with the engine's error.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the connection forcefully, and what was on its way is lost.
///
/// # Panics
///
/// When an argument is missing or is not what it should be.
pub async fn echo_over_tls<const RX: usize, const TX: usize>(
    net: &Net,
    provision: &Provision,
    max_fragment: Option<MaxFragment>,
    rng: &mut dyn CryptoRngCore,
    storage: &mut TlsStorage<RX, TX>,
    [sending, receiving]: &mut EchoBuffers,
    bytes: u64,
) -> Result<(), ExchangeError<TlsError<NetError>>> {
    let server = argument("server").expect("the argument server=");
    let roots = [provision.root()];
    let anchors = Anchors::from_certificates(&roots).expect("root= is of an authority");
    let config = provision.client(&anchors, max_fragment);
    let stream = connect_tls(net, server, &config, rng, storage).await;
    let stream = stream.map_err(ExchangeError::Stream)?;
    echo::exchange(stream, bytes, 5, sending, receiving, |_| ()).await
}
