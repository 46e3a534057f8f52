//! One socket, and many peers.

use alloc::rc::Rc;
use core::fmt;
use core::net::SocketAddr;

use embedded_io_async::ErrorType;
use rustls_pki_types::ServerName;
use tacket::{AsyncResource, Clock, Datagram};

use super::channel::DtlsChannel;
use super::config::DtlsClientConfig;
use super::error::{DtlsConnectError, DtlsError, Over};
use super::provider;
use super::shared::Shared;
use super::statistics::DtlsStatistics;
use crate::error::ConfigError;

/// A socket for datagrams as an endpoint of DTLS: for as many peers as there are, as a client and as a server at the same time.
///
/// Messages to and from a peer pass through a [`DtlsChannel`]. A client's comes from [`connect`](Self::connect), a server's are given to the handler of
/// [`serve`](Self::serve). Which channel a datagram is for, its sender's address says: a peer has one at a time.
///
/// No task of its own runs in it. Whoever waits, in whatever operation of the endpoint or of a channel, moves the datagrams of all; if nobody waits, nothing
/// moves. While nobody serves, each event wakes every waiting operation of the endpoint, though only the first of them does the work; while somebody serves,
/// it wakes that task and those whom it concerns. An endpoint reserves 1.2 MiB of address space for buffers, and touches only what its datagrams need.
///
/// It is a handle; clones are the same endpoint. Dropping the last one ends all its channels at once, tells no peer, and frees the socket; so
/// [close](AsyncResource::close) it.
///
/// ```
/// use core::net::SocketAddr;
/// use tacket::{AsyncResource, Clock, Datagram};
/// use tacket_tls::{DtlsClientConfig, DtlsEndpoint, DtlsError};
///
/// /// Says a word, and returns how long the answer is.
/// async fn ask<D, C>(
///     socket: D,
///     clock: C,
///     server: SocketAddr,
///     config: &DtlsClientConfig,
/// ) -> Result<Option<usize>, Box<dyn std::error::Error>>
/// where
///     D: Datagram<Error: std::error::Error + 'static> + 'static,
///     C: Clock + 'static,
/// {
///     let endpoint = DtlsEndpoint::new(socket, clock)?;
///     let channel = endpoint.connect(server, config, "server.example")?;
///     channel.send(b"word").await?;
///     let mut answer = [0; 1500];
///     let length = channel.receive(&mut answer).await?;
///     channel.close().await?;
///     endpoint.close().await?;
///     Ok(length)
/// }
/// ```
///
#[doc = include_str!("../../DTLS.md")]
pub struct DtlsEndpoint<D: Datagram<Error: 'static>> {
    handle: Rc<Handle<D>>,
}

/// As long as there is one, the endpoint is open.
struct Handle<D: Datagram<Error: 'static>>(Rc<Shared<D::Error>>);

impl<D: Datagram<Error: 'static>> Drop for Handle<D> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<D: Datagram<Error: 'static>> DtlsEndpoint<D> {
    /// Takes the socket. Ask it for its address before.
    ///
    /// Clients believe only the address that they asked. On a host with several, bind the socket of a server to one of them: from one that is bound to
    /// all, the system may answer by another.
    ///
    /// The clock, and the drop of the socket's errors, must not use the endpoint or its channels: they are called in the middle of its work, and that would panic.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoEntropy`]: the system has no random bytes.
    pub fn new<C: Clock + 'static>(socket: D, clock: C) -> Result<Self, ConfigError>
    where
        D: 'static,
    {
        let mut key = [0; 32];
        provider::random(&mut key)?;
        let shared = Shared::new(socket, clock, &key);
        Ok(Self {
            handle: Rc::new(Handle(Rc::new(shared))),
        })
    }

    /// A channel to `peer`, which is to be `name`: a DNS name or an IP address. Where certificates are pinned or a key is shared, the name is not checked,
    /// but must be one all the same.
    ///
    /// Nothing is sent yet: the first `send`, `receive` or `do_handshake` begins the handshake. A channel that there is for this peer becomes
    /// [`DtlsError::Replaced`]. Where two endpoints both serve, agree on who connects: if each connects to the other at the same time, each hello replaces the
    /// other's channel.
    ///
    /// # Errors
    ///
    /// [`DtlsConnectError::InvalidName`]: `name` is neither. [`DtlsConnectError::Closed`]: the endpoint was closed. [`DtlsConnectError::Broken`]: its socket
    /// has failed.
    pub fn connect(
        &self,
        peer: SocketAddr,
        config: &DtlsClientConfig,
        name: &str,
    ) -> Result<DtlsChannel<D>, DtlsConnectError> {
        let name = ServerName::try_from(name).map_err(|_| DtlsConnectError::InvalidName)?;
        let name = name.to_owned();
        let shared = self.shared();
        let id = shared.with(|table| table.connect(peer, config.clone(), name));
        match id {
            Ok(id) => Ok(DtlsChannel::new(Rc::clone(shared), id, peer)),
            Err(Over::Broken) => Err(DtlsConnectError::Broken),
            Err(_) => Err(DtlsConnectError::Closed),
        }
    }

    /// What it has seen so far.
    #[must_use]
    pub fn statistics(&self) -> DtlsStatistics {
        self.shared().with(|table| table.statistics())
    }

    pub(super) fn shared(&self) -> &Rc<Shared<D::Error>> {
        &self.handle.0
    }
}

impl<D: Datagram<Error: 'static>> Clone for DtlsEndpoint<D> {
    fn clone(&self) -> Self {
        Self {
            handle: Rc::clone(&self.handle),
        }
    }
}

impl<D: Datagram<Error: 'static>> ErrorType for DtlsEndpoint<D> {
    type Error = DtlsError<D::Error>;
}

impl<D: Datagram<Error: 'static>> AsyncResource for DtlsEndpoint<D> {
    /// Closes it for all its handles: sends what waits, tells each peer the end, and closes the socket. Channels are [`DtlsError::Closed`] from then on.
    ///
    /// # Errors
    ///
    /// [`DtlsError::Transport`]: the socket could not be closed gracefully. Of several who close at the same time, one hears of it.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it ends everything at once and tells nobody more, unless another handle is closing too.
    async fn close(self) -> Result<(), Self::Error> {
        let shared = Rc::clone(self.shared());
        shared.close().await.map_err(DtlsError::Transport)
    }
}

impl<D: Datagram<Error: 'static>> fmt::Debug for DtlsEndpoint<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsEndpoint")
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
