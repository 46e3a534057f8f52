//! The telemetry client over TLS, with either engine.

use tacket::Stream;
use tacket_board::{argument, exit, report};
use tacket_embassy::{Net, NetError};
use tacket_examples::telemetry::{self, ClientError, SessionError, Summary};
use tacket_tls::{TlsConnector, TlsError};

use crate::{TlsClient, connect_tls};

/// How a session over TLS fails.
pub type TlsSessionError = SessionError<TlsError<NetError>>;

/// Talks to the thermostat at the address of the argument `server`, which proves to have `name`, reports what came of it, and ends the program.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the connection forcefully, and what was on its way is lost.
///
/// # Panics
///
/// When the argument is missing or is not what it should be.
pub async fn telemetry_over_tls<C: TlsConnector>(net: &Net, name: &str, connector: C)
where
    TlsClient<C>: Stream<Error = TlsError<NetError>>,
{
    match session(net, name, connector).await {
        Ok(summary) => {
            report!("{} requests, {} samples", summary.requests, summary.samples);
            exit(true);
        }
        Err(error) => {
            report!("the session failed: {error}");
            exit(false);
        }
    }
}

async fn session<C: TlsConnector>(
    net: &Net,
    name: &str,
    connector: C,
) -> Result<Summary, TlsSessionError>
where
    TlsClient<C>: Stream<Error = TlsError<NetError>>,
{
    let server = argument("server").expect("the argument server=");
    match connect_tls(net, server, name, connector).await {
        Ok(stream) => telemetry::session(stream, net).await,
        Err(error) => Err(SessionError::Client(ClientError::Stream(error))),
    }
}
