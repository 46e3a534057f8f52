//! The messages of one peer.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use embedded_io_async::ErrorType;
use tacket::{AsyncResource, Datagram, ReceiveChannel, SendChannel};

use super::association::Association;
use super::error::{DtlsError, Over, Refusal};
use super::inbox::Inbox;
use super::negotiated::DtlsNegotiated;
use super::shared::{Shared, Unsent};
use super::sizes::SMALLEST;
use super::statistics::DtlsChannelStatistics;
use super::table::{Table, Topic};
use crate::error::NeedHandshake;

/// The association with one peer: messages, each authentic and at most once, as they were sent, or not at all, and in any order.
///
/// The handshake is done by whatever needs it first. While a server is silent, a client's has no time limit: what is not answered is sent again after a second, two, four and so
/// on, up to a minute, give or take a quarter. Put [`timeout`](tacket::timeout()) around it.
///
/// All operations take it shared, so several tasks can send and receive. As a [`SendChannel`] and a [`ReceiveChannel`] it is a channel like others.
///
/// [Closed](AsyncResource::close), it tells the peer so, once. Dropped, it tells nobody.
///
/// ```
/// use core::time::Duration;
/// use tacket::{AsyncResource, Clock, Datagram, timeout};
/// use tacket_tls::{DtlsChannel, DtlsError};
///
/// /// Asks until there is an answer, for datagrams get lost.
/// async fn ask<D: Datagram<Error: 'static>>(
///     channel: DtlsChannel<D>,
///     clock: &impl Clock,
///     question: &[u8],
///     answer: &mut [u8],
/// ) -> Result<Option<usize>, DtlsError<D::Error>> {
///     channel.do_handshake().await?;
///     loop {
///         channel.send(question).await?;
///         let waiting = channel.receive(answer);
///         if let Ok(received) = timeout(clock, Duration::from_secs(1), waiting).await {
///             channel.close().await?;
///             return received;
///         }
///     }
/// }
/// ```
pub struct DtlsChannel<D: Datagram<Error: 'static>> {
    shared: Rc<Shared<D::Error>>,
    id: u64,
    peer: SocketAddr,
}

impl<D: Datagram<Error: 'static>> DtlsChannel<D> {
    pub(super) const fn new(shared: Rc<Shared<D::Error>>, id: u64, peer: SocketAddr) -> Self {
        Self { shared, id, peer }
    }

    /// The peer's address.
    #[must_use]
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Performs the handshake. Once it is done, this returns at once.
    ///
    /// # Errors
    ///
    /// [`DtlsError::Transport`]: the socket itself has refused three attempts in a row, as where there is no way to the peer, and nothing has come since. The channel stays usable:
    /// with whatever is called next, a client begins anew. Of several who wait, one has the error, and the others do that.
    ///
    /// [`DtlsError::Problem`]: it failed. Before its end nothing is authentic, so a client tries again: three attempts within some seconds if the server's certificate is not
    /// trusted, nine in about four minutes (with pauses of 0, 1, 3, 7 and up to 127 first timeouts) if it does not understand what comes. A server that refuses says nothing that
    /// could be believed, and is waited for. So is one that has no place: it is asked again, about once a minute in the end. Any other error: the association is over.
    ///
    /// # Cancel safety
    ///
    /// Safe. The handshake is the channel's, and goes on with whatever is called next.
    pub async fn do_handshake(&self) -> Result<(), DtlsError<D::Error>> {
        let topic = Topic::Association(self.id);
        let done = |table: &mut Table| {
            if let Some(error) = self.send_error(table) {
                return Some(Err(error));
            }
            let done = table.with(self.id, self.shared.now(), |association, around| {
                let done = association.shake_hands(around)?;
                Ok(done.then_some(association.last_sent))
            });
            done?.map_err(Over::into).transpose()
        };
        let last = self.shared.wait(topic, done).await;
        // Whether the socket took the last of it, the peer will say.
        let _ = self.shared.gone(self.id, last?).await;
        Ok(())
    }

    /// Sends `message` as one datagram, after the handshake, and returns once the socket has taken it. That is no promise that it arrives.
    ///
    /// # Errors
    ///
    /// [`DtlsError::Empty`], [`DtlsError::TooLong`]: it has no byte, or more than fit into a datagram. [`DtlsError::Transport`]: the socket does not take
    /// it, or what goes before it, as [`do_handshake`](Self::do_handshake) says. The channel stays usable after these. [`DtlsError::PeerClosed`]: the peer has closed its channel.
    /// [`DtlsProblem::KeysUsedUp`](crate::DtlsProblem::KeysUsedUp): after 2^24 messages, by DTLS 1.3, and with AES by 1.2. Any other: the association is over.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has either sent nothing, or left the datagram to whatever is called next.
    pub async fn send(&self, message: &[u8]) -> Result<(), DtlsError<D::Error>> {
        let topic = Topic::Association(self.id);
        let sealed = |table: &mut Table| {
            if let Some(error) = self.send_error(table) {
                return Some(Err(error));
            }
            let sent = table.with(self.id, self.shared.now(), |association, around| {
                association.send(message, around)
            });
            let number = sent?.map_err(Refusal::into).transpose()?;
            Some(number.map(|number| self.shared.awaited(number)))
        };
        let awaited = self.shared.wait(topic, sealed).await?;
        let sent = self.shared.sent(self.id, awaited).await;
        sent.map_err(|unsent| match unsent {
            Unsent::Failed(error) => DtlsError::Transport(error),
            Unsent::Over(over) => over.into(),
        })
    }

    /// Receives the next message into the front of `buf`, and returns its length. `None`: the peer has closed its channel, and will send no more.
    ///
    /// # Errors
    ///
    /// [`DtlsError::BufferTooSmall`]: the message is longer than `buf`; it is still there. [`DtlsError::Transport`]: as of [`do_handshake`](Self::do_handshake), until that is done. Any other: the association is over, and what came before was received.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has received nothing.
    pub async fn receive(&self, buf: &mut [u8]) -> Result<Option<usize>, DtlsError<D::Error>> {
        let topic = Topic::Association(self.id);
        let received = |table: &mut Table| self.received(table, |inbox| inbox.receive(buf));
        self.shared.wait(topic, received).await
    }

    /// What `receive` finds. Where there is nothing, the handshake may have to begin.
    fn received<T>(
        &self,
        table: &mut Table,
        receive: impl FnOnce(&mut Inbox) -> Result<Option<T>, Refusal>,
    ) -> Option<Result<T, DtlsError<D::Error>>> {
        let association = table.get(self.id)?;
        let received = receive(&mut association.inbox)
            .map_err(Refusal::into)
            .transpose();
        if received.is_some() || association.is_established() {
            return received;
        }
        if let Some(error) = self.send_error(table) {
            return Some(Err(error));
        }
        let begun = table.with(self.id, self.shared.now(), Association::shake_hands);
        begun?.err().map(|over| Err(over.into()))
    }

    /// Why the socket sends nothing of the handshake, if it refuses that again and again.
    fn send_error(&self, table: &mut Table) -> Option<DtlsError<D::Error>> {
        if !table.get(self.id)?.has_send_errors() {
            return None;
        }
        let now = self.shared.now();
        let error = table.with(self.id, now, |association, _| association.take_send_error())??;
        let error = error.downcast::<D::Error>().ok()?;
        Some(DtlsError::Transport(*error))
    }

    /// What was agreed in the handshake: whom this channel is with. It stays so, also when the association is over.
    ///
    /// # Errors
    ///
    /// [`NeedHandshake`]: it is not done, or has failed.
    pub fn negotiated(&self) -> Result<DtlsNegotiated, NeedHandshake> {
        self.shared.with(|table| {
            let association = table.get(self.id).ok_or(NeedHandshake)?;
            association.negotiated().cloned().ok_or(NeedHandshake)
        })
    }

    // ------------------------------------------------------------ sizes and times

    /// How long datagrams to this peer may be: what the way to it carries, without the headers of UDP and IP.
    ///
    /// At first 1,472 over IPv4 and 1,452 over IPv6. It is at least 256. Messages follow it at once. A handshake keeps to this as it is when that begins, and to 548 or 1,232, which
    /// every way carries. One of DTLS 1.3, or of a hello in parts, has begun before its handler gets the channel.
    pub fn set_ciphertext_mtu(&self, mtu: usize) {
        self.set(|association| association.mtu = mtu.max(SMALLEST));
    }

    /// How long a message may be, or, where the association is over, might have been.
    ///
    /// # Errors
    ///
    /// [`NeedHandshake`]: it is not done, or has failed.
    pub fn cleartext_mtu(&self) -> Result<usize, NeedHandshake> {
        self.shared.with(|table| {
            let association = table.get(self.id).ok_or(NeedHandshake)?;
            match association.negotiated() {
                Some(_) => Ok(association.cleartext_mtu()),
                None => Err(NeedHandshake),
            }
        })
    }

    /// After how long an unanswered message of the handshake is sent again for the first time: give or take a quarter. It is a second unless set, and kept between a millisecond and a
    /// minute. Set it before the handshake begins.
    pub fn set_initial_retransmit_timeout(&self, timeout: Duration) {
        let timeout = timeout.clamp(Duration::from_millis(1), Duration::from_secs(60));
        self.set(|association| association.retransmit = timeout);
    }

    /// How many messages may wait to be received: 10 unless set. One that comes when there is no room is dropped, and counted. Those that wait already stay.
    pub fn set_receive_capacity(&self, messages: usize) {
        self.set(|association| association.inbox.room = messages);
    }

    /// What it has seen so far.
    #[must_use]
    pub fn statistics(&self) -> DtlsChannelStatistics {
        self.shared.with(|table| {
            let association = table.get(self.id);
            association.map_or_else(DtlsChannelStatistics::default, |association| {
                association.statistics()
            })
        })
    }

    fn set(&self, set: impl FnOnce(&mut Association)) {
        self.shared
            .with(|table| table.get(self.id).map(set).unwrap_or_default());
    }
}

impl<D: Datagram<Error: 'static>> Drop for DtlsChannel<D> {
    fn drop(&mut self) {
        self.shared.with(|table| table.remove(self.id));
    }
}

impl<D: Datagram<Error: 'static>> ErrorType for DtlsChannel<D> {
    type Error = DtlsError<D::Error>;
}

impl<D: Datagram<Error: 'static>> SendChannel<&[u8]> for DtlsChannel<D> {
    async fn send(&mut self, message: &[u8]) -> Result<(), Self::Error> {
        Self::send(self, message).await
    }
}

impl<D: Datagram<Error: 'static>> ReceiveChannel for DtlsChannel<D> {
    type Item = Vec<u8>;

    async fn receive(&mut self) -> Result<Option<Vec<u8>>, Self::Error> {
        let topic = Topic::Association(self.id);
        let received = |table: &mut Table| self.received(table, Inbox::take);
        self.shared.wait(topic, received).await
    }
}

impl<D: Datagram<Error: 'static>> AsyncResource for DtlsChannel<D> {
    /// Tells the peer the end, once and without waiting for an answer, if the handshake was done.
    ///
    /// # Errors
    ///
    /// None: an association that is over has nobody to tell, and what the socket does not send is lost as on its way.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it leaves the end to whoever waits on the endpoint next.
    async fn close(self) -> Result<(), Self::Error> {
        let now = self.shared.now();
        let number = self.shared.with(|table| {
            let last = table.with(self.id, now, |association, around| {
                association.close(around);
                association.last_sent
            });
            last.unwrap_or_default()
        });
        // An association that is over has nobody to tell.
        let _ = self.shared.gone(self.id, number).await;
        Ok(())
    }
}

impl<D: Datagram<Error: 'static>> fmt::Debug for DtlsChannel<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsChannel")
            .field("peer", &self.peer)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
