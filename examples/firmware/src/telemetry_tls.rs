//! The telemetry client over TLS, with records of any size.

use tacket_board::argument;
use tacket_embassy::{Net, NetError};
use tacket_examples::telemetry::{self, ClientError, SessionError, Summary};
use tacket_tls::{Anchors, CryptoRngCore, MaxFragment, TlsError, TlsStorage};

use crate::{Provision, connect_tls};

/// How a session over TLS fails.
pub type TlsSessionError = SessionError<TlsError<NetError>>;

/// Talks to the thermostat at the address of the argument `server`, whom `provision` says how to know, over TLS in `storage`.
///
/// # Errors
///
/// Those of the session: whoever is not trusted, for instance, fails it with the engine's error.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the connection forcefully, and what was on its way is lost.
///
/// # Panics
///
/// When an argument is missing or is not what it should be.
pub async fn telemetry_over_tls<const RX: usize, const TX: usize>(
    net: &Net,
    provision: &Provision,
    max_fragment: Option<MaxFragment>,
    rng: &mut dyn CryptoRngCore,
    storage: &mut TlsStorage<RX, TX>,
) -> Result<Summary, TlsSessionError> {
    let server = argument("server").expect("the argument server=");
    let roots = [provision.root()];
    let anchors = Anchors::from_certificates(&roots).expect("root= is of an authority");
    let config = provision.client(&anchors, max_fragment);
    match connect_tls(net, server, &config, rng, storage).await {
        Ok(stream) => telemetry::session(stream, net).await,
        Err(error) => Err(SessionError::Client(ClientError::Stream(error))),
    }
}
