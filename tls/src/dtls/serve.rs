//! Serving: a handler for each client.

use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Poll, ready};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tacket::{Datagram, Handler};

use super::channel::DtlsChannel;
use super::config::DtlsServerConfig;
use super::endpoint::DtlsEndpoint;
use super::error::{DtlsError, Over};
use super::shared::Served;
use super::table::Table;

/// What [`serve`](DtlsEndpoint::serve) has done.
///
/// ```
/// use tacket_tls::DtlsServeStatistics;
///
/// const fn is_all_well(done: &DtlsServeStatistics) -> bool {
///     done.failed == 0
/// }
/// # assert!(is_all_well(&DtlsServeStatistics::default()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DtlsServeStatistics {
    /// Clients that got a handler.
    pub accepted: u64,
    /// Handlers that returned `Ok`.
    pub completed: u64,
    /// Handlers that returned an error.
    pub failed: u64,
    /// Handlers that were dropped before they were done, as the endpoint was closed.
    pub cut: u64,
}

impl<D: Datagram<Error: 'static>> DtlsEndpoint<D> {
    /// Serves clients until the endpoint is closed: `handler` handles each, at most `limit` of them at the same time.
    ///
    /// A client that has proven its address gets a handler; the handshake is the handler's. Of one that has not, nothing is remembered, if it speaks
    /// DTLS 1.2 and its hello is whole. While all handlers are at work, clients get a cookie and no more, and try again. One that lost its memory begins anew from
    /// the same address: its old channel is [`DtlsError::Replaced`] then, and a new handler gets the new one, as soon as the old one is done if all are at work.
    ///
    /// A client that goes away says so only if it can, and one that wants to harm never does. It keeps its handler for as long as that waits. So a handler
    /// needs two limits: one for the handshake, and one for silence, or in the end all wait for nobody.
    ///
    /// While it serves, it moves the datagrams of all channels of the endpoint. So it must be polled, or nothing moves.
    ///
    /// When the endpoint is closed, its channels are [`DtlsError::Closed`], which handlers that wait for them see. One that is not done then is dropped: a server that is
    /// to finish what it has begun waits for that before it closes the endpoint. With a `limit` of 0 nobody is served.
    ///
    /// # Errors
    ///
    /// [`DtlsError::Busy`]: the endpoint serves already. [`DtlsError::Closed`]: it was closed before. [`DtlsError::Broken`]: its socket has failed.
    /// A handler that fails is no error here: it is counted, and what its error was is its own to say.
    ///
    /// # Cancel safety
    ///
    /// Safe. Handlers are dropped, and with them their channels. The next `serve` goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use tacket::{AsyncResource, Clock, Datagram, timeout};
    /// use tacket_tls::{DtlsChannel, DtlsEndpoint, DtlsError, DtlsServerConfig};
    ///
    /// const HANDSHAKE: Duration = Duration::from_secs(30);
    /// const SILENCE: Duration = Duration::from_secs(300);
    ///
    /// /// Sends each message back, for up to a hundred clients at the same time.
    /// async fn echo<D: Datagram<Error: 'static>>(
    ///     endpoint: &DtlsEndpoint<D>,
    ///     config: &DtlsServerConfig,
    ///     clock: &impl Clock,
    /// ) -> Result<(), DtlsError<D::Error>> {
    ///     let handler = async |channel: DtlsChannel<D>| {
    ///         match timeout(clock, HANDSHAKE, channel.do_handshake()).await {
    ///             Ok(done) => done?,
    ///             Err(_) => return channel.close().await,
    ///         }
    ///         let mut message = [0; 1500];
    ///         loop {
    ///             let received = timeout(clock, SILENCE, channel.receive(&mut message)).await;
    ///             match received.unwrap_or(Ok(None))? {
    ///                 Some(length) => channel.send(&message[..length]).await?,
    ///                 None => return channel.close().await,
    ///             }
    ///         }
    ///     };
    ///     endpoint.serve(config, 100, handler).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn serve<H>(
        &self,
        config: &DtlsServerConfig,
        limit: usize,
        handler: H,
    ) -> Result<DtlsServeStatistics, DtlsError<D::Error>>
    where
        H: Handler<DtlsChannel<D>>,
    {
        let shared = self.shared();
        shared.with(|table| match table.over().cloned() {
            Some(over) => Err(over.into()),
            None if table.serve(config, limit) => Ok(()),
            None => Err(DtlsError::Busy),
        })?;
        let served = shared.serve();
        let mut statistics = DtlsServeStatistics::default();
        let mut handlers = FuturesUnordered::new();
        let mut accepting = pin!(accept(&served));
        let over = poll_fn(|cx| {
            loop {
                while let Poll::Ready(Some(handled)) = handlers.poll_next_unpin(cx) {
                    shared.with(Table::handler_is_done);
                    match handled {
                        Ok(()) => statistics.completed += 1,
                        Err(_) => statistics.failed += 1,
                    }
                }
                match ready!(accepting.as_mut().poll(cx)) {
                    Ok((id, peer)) => {
                        statistics.accepted += 1;
                        let channel = DtlsChannel::new(Rc::clone(shared), id, peer);
                        handlers.push(handler.handle(channel));
                    }
                    Err(over) => return Poll::Ready(over),
                }
                accepting.set(accept(&served));
            }
        })
        .await;
        statistics.cut = handlers.len() as u64;
        match over {
            Over::Closed => Ok(statistics),
            over => Err(over.into()),
        }
    }
}

/// The next client, or why there will be none.
async fn accept<E: tacket::Error + 'static>(
    served: &Served<'_, E>,
) -> Result<(u64, SocketAddr), Over> {
    let next = |table: &mut Table| match table.over() {
        Some(over) => Some(Err(over.clone())),
        None => table.next_client().map(Ok),
    };
    served.wait(next).await
}
