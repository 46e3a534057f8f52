//! The echo client over TLS, with either engine.

use tacket::Stream;
use tacket_board::{argument, exit, report};
use tacket_embassy::{Net, NetError};
use tacket_examples::echo::{self, ExchangeError};
use tacket_tls::{TlsConnector, TlsError};

use crate::{TlsClient, connect_tls};

/// A buffer for each direction.
pub type EchoBuffers = [[u8; 2048]; 2];

/// Has as many bytes as the argument `bytes` says, 64 KiB without it, sent back by the server at the address of the argument `server`, which proves to
/// have `name`; reports what came of it, and ends the program.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the connection forcefully, and what was on its way is lost.
///
/// # Panics
///
/// When an argument is missing or is not what it should be.
pub async fn echo_over_tls<C: TlsConnector>(
    net: &Net,
    name: &str,
    connector: C,
    buffers: &mut EchoBuffers,
) where
    TlsClient<C>: Stream<Error = TlsError<NetError>>,
{
    let bytes = argument("bytes").unwrap_or(64 * 1024);
    let result = exchange(net, name, connector, buffers, bytes).await;
    match &result {
        Ok(()) => report!("{bytes} bytes came back"),
        Err(error) => report!("the exchange failed: {error}"),
    }
    exit(result.is_ok());
}

async fn exchange<C: TlsConnector>(
    net: &Net,
    name: &str,
    connector: C,
    [sending, receiving]: &mut EchoBuffers,
    bytes: u64,
) -> Result<(), ExchangeError<TlsError<NetError>>>
where
    TlsClient<C>: Stream<Error = TlsError<NetError>>,
{
    let server = argument("server").expect("the argument server=");
    let stream = connect_tls(net, server, name, connector).await;
    let stream = stream.map_err(ExchangeError::Stream)?;
    echo::exchange(stream, bytes, 5, sending, receiving, |_| ()).await
}
