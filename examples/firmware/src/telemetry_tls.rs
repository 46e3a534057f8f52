//! The telemetry client over TLS, without a heap, with records of any size.

use core::net::SocketAddr;

use tacket::Connect as _;
use tacket_board::argument;
use tacket_embassy::{Net, NetError};
use tacket_examples::telemetry::{self, ClientError, SessionError, Summary};
use tacket_tls::{
    Anchors, ConfigError, CryptoRngCore, GuardTrust, GuardedClientConfig, MaxFragment, TlsError,
    TlsStorage, TlsStream, Validity,
};

use crate::Provision;

/// How a session over TLS fails.
pub type TlsSessionError = SessionError<TlsError<NetError>>;

/// Talks to the thermostat at the address of the argument `server`, whom `provision` says how to know, over TLS in `storage`.
///
/// # Errors
///
/// Those of the session: whoever is not trusted, for instance, fails it with the engine's error.
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
    let server: SocketAddr = argument("server").expect("the argument server=");
    let roots = [provision.root()];
    let anchors = Anchors::from_certificates(&roots).expect("root= is of an authority");
    let config = configure(provision, &anchors, max_fragment).expect("name= is a name");

    let stream = net.connect(server).await;
    let stream = stream.map_err(|error| failed(TlsError::Transport(error)))?;
    let stream = TlsStream::guarded_client(stream, &config, rng, storage);
    let mut stream = stream.expect("random bytes");
    // The session splits the stream, and this engine has its handshake before that.
    stream.do_handshake().await.map_err(failed)?;
    telemetry::session(stream, net).await
}

fn configure<'c>(
    provision: &'c Provision,
    anchors: &'c Anchors<'c, 1>,
    max_fragment: Option<MaxFragment>,
) -> Result<GuardedClientConfig<'c>, ConfigError> {
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("there is one");
    let validity = Validity::Now(&provision.date);
    let config = GuardedClientConfig::new(trust, provision.name.as_str(), validity)?;
    Ok(match max_fragment {
        Some(max_fragment) => config.with_max_fragment(max_fragment),
        None => config,
    })
}

fn failed(error: TlsError<NetError>) -> TlsSessionError {
    SessionError::Client(ClientError::Stream(error))
}
