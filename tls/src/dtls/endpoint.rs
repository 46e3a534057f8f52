//! One socket, and many peers.

use alloc::rc::Rc;
use core::fmt;
use core::net::SocketAddr;

use embedded_io_async::ErrorType;
use rustls_pki_types::ServerName;
use tacket::{AsyncResource, Clock, Datagram};

use super::association::Over;
use super::channel::DtlsChannel;
use super::config::DtlsClientConfig;
use super::error::{DtlsConnectError, DtlsError};
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
/// moves. It keeps somewhat more than a MiB of address space for datagrams, of which it touches what they need. Where there are many channels and no server, one task that does nothing else is of use: each waiting operation looks at the socket when something has come.
///
/// It is a handle; clones are the same endpoint. [Closed](AsyncResource::close), or when the last one is dropped, it ends all its channels, and the socket is free.
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

    /// A channel to `peer`, which is to be `name`: a DNS name or an IP address. Where certificates are pinned or keys are shared, any will do.
    ///
    /// Nothing is sent yet: the first message, or [`do_handshake`](DtlsChannel::do_handshake), begins the handshake. It replaces a channel that there is
    /// for this peer. Where two endpoints both serve, agree on who connects: if each connects to the other at the same time, each hello replaces the other's channel.
    ///
    /// # Errors
    ///
    /// [`DtlsConnectError::InvalidName`], or [`DtlsConnectError::Closed`]: the endpoint is.
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
    /// Closes it for all its handles: peers are told the end, channels are [`DtlsError::Closed`], and so is the socket.
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

impl<E> From<Over> for DtlsError<E> {
    fn from(over: Over) -> Self {
        match over {
            Over::Closed => Self::Closed,
            Over::Replaced => Self::Replaced,
            Over::Broken => Self::Broken,
            Over::Problem(problem) => Self::Problem(problem),
        }
    }
}
