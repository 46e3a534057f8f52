//! Serving a TCP port.

use core::convert::Infallible;
use core::future::pending;

use super::{Handler, ServeError, Server};
use crate::{Clock, Listen, Listener, Listeners, open_tcp_listeners};

/// Listens on `port` of every address, and has `handler` handle the clients, `W` of them at the same time.
///
/// It is [`open_tcp_listeners`] and a [`Server`] in one. Once clients can connect, `ready` is called with the listeners, which
/// tell their addresses: with port 0 nobody knows them before. It serves until it is dropped. What it cannot do, a `Server` can: stop
/// gracefully, report and count what happens, or serve as many clients as come.
///
/// # Errors
///
/// It cannot listen, or one of the listeners failed, with whatever is not [`Fault::Capacity`](crate::Fault::Capacity). A handler that
/// fails harms no other.
///
/// # Cancel safety
///
/// Safe. Listeners, handlers and their streams are dropped; this is how it ends.
///
/// # Examples
///
/// ```
/// use core::convert::Infallible;
/// use tacket::{AsyncResource, Network, ReceiveStream, SendStream, serve_tcp};
///
/// /// Sends back what clients send, four at a time, at the port of RFC 862.
/// async fn echo<N: Network>(network: &N) -> Result<Infallible, N::Error> {
///     let handler = async |mut stream: N::Stream| {
///         let mut buf = [0; 256];
///         loop {
///             match stream.receive_some(&mut buf).await? {
///                 0 => return stream.close().await,
///                 n => stream.send_all(&buf[..n]).await?,
///             }
///         }
///     };
///     serve_tcp::<4, _>(network, 7, handler, |_| ()).await
/// }
/// ```
pub async fn serve_tcp<const W: usize, N: Listen + Clock>(
    network: &N,
    port: u16,
    handler: impl Handler<<N::Listener as Listener>::Stream>,
    ready: impl FnOnce(&Listeners<N::Listener, 2>),
) -> Result<Infallible, N::Error> {
    let listeners = open_tcp_listeners(network, port).await?;
    ready(&listeners);
    let server = Server::<_, _, _, _, W>::new(listeners, network, handler);
    match server.run::<W>().await {
        Err(ServeError::Listener(error)) => Err(error),
        // Nobody else has the server, to stop it or to take its workers.
        Ok(_) | Err(ServeError::TooManyWorkers) => pending().await,
    }
}
