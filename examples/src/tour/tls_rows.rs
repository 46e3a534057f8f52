//! The rows with TLS: over TCP, in a tunnel that is TLS itself, and over pipes.

use core::net::SocketAddr;
use core::time::Duration;

use futures_util::future::try_join;
use tacket::{Listener as _, LocalAddress as _};
use tacket_examples::http;
use tacket_std::{TaskGroup, TcpListener, TcpStream};
use tacket_tls::TlsStream;

use crate::identity::Identity;
use crate::proxy;
use crate::rows::{connect, listen};
use crate::visit::{Failure, Visit};

pub(crate) async fn tls(visit: &Visit<'_>) -> Result<Duration, Failure> {
    let identity = Identity::new()?;
    let mut listener = listen()?;
    let (client, server) = connect(&mut listener).await?;
    let (client, server) = (identity.client(client)?, identity.server(server)?);
    visit.telemetry(client, server).await?;
    let (client, server) = connect(&mut listener).await?;
    let (client, server) = (identity.client(client)?, identity.server(server)?);
    visit.echo(client, server).await
}

/// The client reaches the server through a proxy to which it speaks TLS, and speaks TLS with the server inside of that.
pub(crate) async fn tls_in_tls(visit: &Visit<'_>) -> Result<Duration, Failure> {
    let mut gate = listen()?;
    let mut tunnels = Tunnels {
        proxy_address: gate.local_addr()?,
        proxy: Identity::new()?,
        listener: listen()?,
        target: Identity::new()?,
    };
    let proxy = tunnels.proxy.clone();
    TaskGroup::run(async |group| {
        group.spawn(async move {
            for _connection in 0..2 {
                proxy::serve(proxy.server(gate.accept().await?)?).await?;
            }
            Ok(())
        });
        let (client, server) = tunnels.connect().await?;
        visit.telemetry(client, server).await?;
        let (client, server) = tunnels.connect().await?;
        visit.echo(client, server).await
    })
    .await
}

/// A way through the proxy, and a server at its far end.
struct Tunnels {
    proxy_address: SocketAddr,
    proxy: Identity,
    listener: TcpListener,
    target: Identity,
}

impl Tunnels {
    async fn connect(
        &mut self,
    ) -> Result<(TlsStream<TlsStream<TcpStream>>, TlsStream<TcpStream>), Failure> {
        let address = self.listener.local_addr()?.to_string();
        let near = TcpStream::connect(self.proxy_address).await?;
        let near = self.proxy.client(near)?;
        let tunnel = async {
            let tunnel = http::connect(near, &address, &mut [0; 512]).await;
            tunnel.map_err(|error| Failure::new("tunnel", error))
        };
        let accepted = async { Ok(self.listener.accept().await?) };
        let (tunnel, accepted) = try_join(tunnel, accepted).await?;
        Ok((self.target.client(tunnel)?, self.target.server(accepted)?))
    }
}

#[cfg(unix)]
pub(crate) async fn tls_pipes(visit: &Visit<'_>) -> Result<Duration, Failure> {
    use crate::child::Child;
    use crate::options::Protocol;

    let identity = Identity::new()?;
    let (child, stream) = Child::start(visit, Protocol::Telemetry, Some(&identity))?;
    let client = identity.client(stream)?;
    child.outlive(visit.telemetry_client(client)).await?;
    let (child, stream) = Child::start(visit, Protocol::Echo, Some(&identity))?;
    let client = identity.client(stream)?;
    child.outlive(visit.echo_client(client)).await
}

#[cfg(not(unix))]
pub(crate) async fn tls_pipes(_: &Visit<'_>) -> Result<Duration, Failure> {
    Err(Failure::Unavailable("no pipes on this system yet"))
}
