//! Hosts of a simulated network.

use alloc::rc::Rc;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use embedded_io_async::ErrorType;

use super::connection::OPENER;
use super::stream::Handle;
use super::world::{HostId, Shared, any_like};
use super::{SimDatagram, SimError, SimListener, SimStream};
use crate::{Bind, Clock, Connect, Listen, Resolve};

/// A host of a [`SimNet`](super::SimNet): a [`Network`](crate::Network) for a program. Clones are the same host.
#[derive(Clone, Debug)]
pub struct SimHost {
    shared: Rc<Shared>,
    pub(super) id: HostId,
}

impl SimHost {
    pub(super) const fn new(shared: Rc<Shared>, id: HostId) -> Self {
        Self { shared, id }
    }
}

impl ErrorType for SimHost {
    type Error = SimError;
}

impl Clock for SimHost {
    fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    /// # Panics
    ///
    /// When 1024 sleep already.
    async fn sleep_until(&self, deadline: Duration) {
        self.shared.clock.sleep_until(deadline).await;
    }
}

impl Connect for SimHost {
    type Stream = SimStream;

    async fn connect(&self, peer: SocketAddr) -> Result<SimStream, SimError> {
        self.connect_from(any_like(peer.ip()), peer).await
    }

    async fn connect_from(&self, local: IpAddr, peer: SocketAddr) -> Result<SimStream, SimError> {
        let connection = self.shared.with(|world| world.open(self.id, local, peer))?;
        let handle = Handle::new(Rc::clone(&self.shared), connection, OPENER);
        handle.established().await?;
        Ok(SimStream::new(handle))
    }
}

impl Listen for SimHost {
    type Listener = SimListener;

    async fn listen(&self, local: SocketAddr) -> Result<SimListener, SimError> {
        let id = self.shared.with(|world| world.listen(self.id, local))?;
        Ok(SimListener::new(Rc::clone(&self.shared), id))
    }
}

impl Bind for SimHost {
    type Datagram = SimDatagram;

    async fn bind(&self, local: SocketAddr) -> Result<SimDatagram, SimError> {
        let id = self.shared.with(|world| world.bind(self.id, local))?;
        Ok(SimDatagram::new(Rc::clone(&self.shared), id))
    }
}

impl Resolve for SimHost {
    async fn resolve(&self, host: &str, addresses: &mut [IpAddr]) -> Result<usize, SimError> {
        if addresses.is_empty() {
            return Err(SimError::EmptyBuffer);
        }
        if let (Ok(address), [first, ..]) = (host.parse(), &mut *addresses) {
            *first = address;
            return Ok(1);
        }
        let (time, found) = self.shared.with(|world| world.look_up(host));
        if !time.is_zero() {
            self.sleep_until(self.now().saturating_add(time)).await;
        }
        let found = found.ok_or(SimError::NoSuchName)?;
        for (place, address) in addresses.iter_mut().zip(&found) {
            *place = *address;
        }
        Ok(found.len())
    }
}
