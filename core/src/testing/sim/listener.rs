//! Listeners of a simulated network.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};

use embedded_io_async::ErrorType;

use super::connection::ACCEPTOR;
use super::stream::Handle;
use super::world::{HostId, Shared, World, is_taken, register};
use super::{SimError, SimStream};
use crate::{AsyncResource, Listener, LocalAddress};

/// How many connections wait for a listener.
const BACKLOG: usize = 128;

/// Connections that wait to be accepted.
pub(super) struct Backlog {
    host: HostId,
    address: SocketAddr,
    /// At every address of the host.
    everywhere: bool,
    waiting: VecDeque<u64>,
    acceptor: Option<Waker>,
}

impl World {
    pub(super) fn listen(&mut self, host: HostId, local: SocketAddr) -> Result<u64, SimError> {
        let address = self.take_address(host, local, |world, port| {
            let mut others = world
                .listeners
                .values()
                .map(|other| (other.host, other.address));
            others.any(|(at, other)| at == host && is_taken(other, local, port))
        })?;
        let id = self.number();
        let backlog = Backlog {
            host,
            address,
            everywhere: local.ip().is_unspecified(),
            waiting: VecDeque::new(),
            acceptor: None,
        };
        self.listeners.insert(id, backlog);
        Ok(id)
    }

    pub(super) fn listener_address(&self, id: u64) -> Result<SocketAddr, SimError> {
        let listener = self.listeners.get(&id);
        listener
            .map(|listener| listener.address)
            .ok_or(SimError::Closed)
    }

    /// Who listens where this connection goes.
    fn listener_for(&mut self, connection: u64) -> Option<&mut Backlog> {
        let connection = self.connections.get(&connection)?;
        let (host, (at, _)) = (connection.host(ACCEPTOR)?, connection.addresses(ACCEPTOR));
        let mut listeners = self.listeners.values_mut();
        listeners.find(|listener| {
            let there = match listener.everywhere {
                true => listener.address.is_ipv4() == at.is_ipv4(),
                false => listener.address.ip() == at.ip(),
            };
            listener.host == host && listener.address.port() == at.port() && there
        })
    }

    pub(super) fn backlog_is_full(&mut self, connection: u64) -> bool {
        let listener = self.listener_for(connection);
        listener.is_some_and(|listener| listener.waiting.len() >= BACKLOG)
    }

    /// Lets a connection wait to be accepted. False if nobody listens.
    pub(super) fn enqueue(&mut self, connection: u64) -> bool {
        let Some(listener) = self.listener_for(connection) else {
            return false;
        };
        listener.waiting.push_back(connection);
        let waker = listener.acceptor.take();
        self.wake(waker);
        true
    }

    fn poll_accept(&mut self, cx: &Context<'_>, id: u64) -> Poll<Result<u64, SimError>> {
        loop {
            let listener = self.listeners.get_mut(&id).ok_or(SimError::Closed)?;
            let Some(connection) = listener.waiting.pop_front() else {
                let before = register(&mut listener.acceptor, cx);
                self.wake(before);
                return Poll::Pending;
            };
            if self
                .connections
                .get(&connection)
                .is_some_and(|found| found.is_fresh())
            {
                return Poll::Ready(Ok(connection));
            }
            self.let_go(connection, ACCEPTOR);
        }
    }

    fn listen_no_more(&mut self, id: u64) {
        let Some(listener) = self.listeners.remove(&id) else {
            return;
        };
        self.wake(listener.acceptor);
        for connection in listener.waiting {
            self.let_go(connection, ACCEPTOR);
        }
    }
}

/// Accepts connections at an address of a [`SimHost`](super::SimHost).
///
/// 128 connections wait to be accepted; more get no answer until there is room. Dropped, it resets those that wait.
#[derive(Debug)]
pub struct SimListener {
    shared: Rc<Shared>,
    id: u64,
}

impl SimListener {
    pub(super) const fn new(shared: Rc<Shared>, id: u64) -> Self {
        Self { shared, id }
    }
}

impl ErrorType for SimListener {
    type Error = SimError;
}

impl Listener for SimListener {
    type Stream = SimStream;

    async fn accept(&mut self) -> Result<SimStream, SimError> {
        let accepting = poll_fn(|cx| self.shared.with(|world| world.poll_accept(cx, self.id)));
        let connection = accepting.await?;
        let handle = Handle::new(Rc::clone(&self.shared), connection, ACCEPTOR);
        Ok(SimStream::new(handle))
    }
}

impl LocalAddress for SimListener {
    /// The address at which other hosts reach it: for one that listens everywhere, the first of its host.
    fn local_addr(&self) -> Result<SocketAddr, SimError> {
        self.shared.with(|world| world.listener_address(self.id))
    }
}

impl AsyncResource for SimListener {
    async fn close(self) -> Result<(), SimError> {
        Ok(())
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        self.shared.with(|world| world.listen_no_more(self.id));
    }
}
