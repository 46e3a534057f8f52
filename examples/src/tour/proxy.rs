//! A proxy that makes tunnels to addresses on this machine.

use core::fmt::Display;
use core::net::SocketAddr;

use tacket::Stream;
use tacket_examples::http::ConnectRequest;
use tacket_examples::relay;
use tacket_std::TcpStream;

use crate::visit::{Failure, Visit};

/// Makes one tunnel for `client`, and serves it until both ends have ended.
pub(crate) async fn serve(client: impl Stream) -> Result<(), Failure> {
    let (mut there, mut back) = (Visit::buffer(), Visit::buffer());
    let request = ConnectRequest::receive(client, &mut there).await;
    let request = request.map_err(failed)?;
    let address: SocketAddr = request.target().parse().map_err(failed)?;
    let target = match TcpStream::connect(address).await {
        Ok(target) => target,
        Err(error) => {
            request.refuse().await.map_err(failed)?;
            return Err(failed(error));
        }
    };
    let tunnel = request.accept().await.map_err(failed)?;
    relay(tunnel, target, &mut there, &mut back)
        .await
        .map_err(failed)
}

fn failed(error: impl Display) -> Failure {
    Failure::new("proxy", error)
}
