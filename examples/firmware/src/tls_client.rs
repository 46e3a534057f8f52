//! Connecting by TLS, without a heap.

use core::net::SocketAddr;

use tacket::Connect as _;
use tacket_embassy::{Net, NetError, TcpStream};
use tacket_tls::{
    CryptoRngCore, GuardedClientConfig, GuardedEngine, TlsError, TlsStorage, TlsStream,
};

/// A TLS stream over the network of the board.
pub type TlsClient<'b, S = TcpStream> = TlsStream<S, GuardedEngine<'b>>;

/// Connects to `server`, and performs the handshake: halves cannot, and the protocols split their stream.
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
/// When `rng` has no random bytes.
pub async fn connect_tls<'b, const RX: usize, const TX: usize>(
    net: &Net,
    server: SocketAddr,
    config: &'b GuardedClientConfig<'b>,
    rng: &mut dyn CryptoRngCore,
    storage: &'b mut TlsStorage<RX, TX>,
) -> Result<TlsClient<'b>, TlsError<NetError>> {
    let stream = net.connect(server).await.map_err(TlsError::Transport)?;
    let stream = TlsStream::guarded_client(stream, config, rng, storage);
    let mut stream = stream.expect("random bytes");
    stream.do_handshake().await?;
    Ok(stream)
}
