//! TCP listeners.

use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embedded_io_async::ErrorType;
use tacket::{AsyncResource, Listener, LocalAddress};

use crate::pool::Pool;
use crate::{Net, NetError, TcpStream};

/// A TCP port that accepts connections, with sockets of the pool.
///
/// It keeps [`Options::backlog`](crate::Options::backlog) sockets armed, as far as the pool has any; a connection that was accepted
/// is replaced by another socket. While none is armed, the stack refuses clients with a reset. A client that does not finish its handshake keeps its socket,
/// and may keep those before it from being armed, for as long as [`Options::half_open`](crate::Options::half_open) allows.
/// Dropped, it resets the connections that nobody accepted.
///
/// ```no_run
/// # // Without a time driver this links nowhere.
/// use core::net::{Ipv4Addr, SocketAddr};
/// use tacket::{AsyncResource, Listener, SendStream};
/// use tacket_embassy::{Net, NetError, TcpListener};
///
/// async fn greet(net: Net) -> Result<(), NetError> {
///     let mut listener = TcpListener::bind(net, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7)))?;
///     loop {
///         let mut stream = listener.accept().await?;
///         stream.send_all(b"hello\n").await?;
///         stream.close().await?;
///     }
/// }
/// ```
#[derive(Debug)]
pub struct TcpListener {
    pool: &'static Pool,
    place: usize,
}

impl TcpListener {
    /// Listens on `local`, an address of this stack, or an unspecified one for all of them, those of the other version
    /// of IP included. Port 0 lets the pool choose one of 49152 and above.
    ///
    /// # Errors
    ///
    /// [`NetError::PortInUse`] by another listener of this pool, [`NetError::PoolExhausted`]: there is no socket to arm, or
    /// [`NetError::InvalidAddress`]: this stack does not have it, or not yet.
    pub fn bind(net: Net, local: SocketAddr) -> Result<Self, NetError> {
        Self::bind_with_backlog(net, local, net.pool().options.backlog)
    }

    /// As [`bind`](Self::bind), with a backlog of its own; at least 1.
    ///
    /// # Errors
    ///
    /// As `bind`.
    pub fn bind_with_backlog(
        net: Net,
        local: SocketAddr,
        backlog: usize,
    ) -> Result<Self, NetError> {
        let pool = net.pool();
        let mut on = pool.local_endpoint(local)?;
        if on.port == 0 {
            on.port = pool.choose_port();
        }
        let place = pool.listen(on, backlog)?;
        Ok(Self { pool, place })
    }
}

impl LocalAddress for TcpListener {
    fn local_addr(&self) -> Result<SocketAddr, NetError> {
        let on = self.pool.endpoint(self.place).ok_or(NetError::Closed)?;
        let ip = on
            .addr
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), Into::into);
        Ok(SocketAddr::new(ip, on.port))
    }
}

impl ErrorType for TcpListener {
    type Error = NetError;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    /// # Errors
    ///
    /// None: while the pool is empty, it waits.
    async fn accept(&mut self) -> Result<TcpStream, NetError> {
        let slot = poll_fn(|cx| self.pool.poll_accept(cx, self.place)).await;
        Ok(TcpStream::accepted(self.pool, slot))
    }
}

impl AsyncResource for TcpListener {
    /// Stops listening. Connections that nobody accepted are reset.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), NetError> {
        Ok(())
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.pool.unlisten(self.place);
    }
}
