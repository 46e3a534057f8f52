//! Connecting by TLS, with either engine.

use core::net::SocketAddr;

use tacket::Connect as _;
use tacket_embassy::{Net, NetError, TcpStream};
use tacket_tls::{TlsConnector, TlsError, TlsStream};

/// A TLS stream over the network of the board, as a connector makes it.
pub type TlsClient<C> = TlsStream<TcpStream, <C as TlsConnector>::Engine>;

/// Connects to `server`, and performs the handshake, in which that proves to be `name`: halves of some engines cannot, and the protocols split
/// their stream.
///
/// # Errors
///
/// There is no connection, or the server is not who it should be.
///
/// # Cancel safety
///
/// Safe. Dropped, it has given the connection up; the storage serves the next one.
///
/// # Panics
///
/// When `connector` is for another name, or has no random bytes.
pub async fn connect_tls<C: TlsConnector>(
    net: &Net,
    server: SocketAddr,
    name: &str,
    connector: C,
) -> Result<TlsClient<C>, TlsError<NetError>> {
    let stream = net.connect(server).await.map_err(TlsError::Transport)?;
    let Ok(mut stream) = connector.connect(stream, name) else {
        panic!("another name, or no random bytes");
    };
    stream.do_handshake().await?;
    Ok(stream)
}
