//! One socket of the pool, through all the connections it serves.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
use core::net::{Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::task::{Context, Poll, ready};

use embassy_net::tcp::{ConnectError, State, TcpSocket};
use embassy_net::{IpEndpoint, IpListenEndpoint};
use embassy_time::{Duration, Instant};

use crate::pool::Common;
use crate::{NetError, address};

/// How long a reset may wait for the link before its socket is taken back all the same.
const RESET_LIMIT: Duration = Duration::from_secs(1);

/// The stack forgets a connection, with all that was received, 10 s after both ends were exchanged. Before that we do,
/// and keep what was received. smoltcp 0.13.1, `CLOSE_DELAY`.
const KEEP_AFTER: Duration = Duration::from_secs(8);

/// How soon a peer that has not acknowledged is asked for a sign of life, once the stack sees no reason to send anything.
///
/// That can happen for ever otherwise: an acknowledgement that was overtaken by a later one still sets the window, to none
/// maybe, and then no timer is left running. smoltcp 0.13.1, `process`: no check of SND.WL1 and SND.WL2 (RFC 9293, 3.10.7.4).
const PROBE: Duration = Duration::from_secs(5);

/// How long a peer may be silent at least while something that was sent is not acknowledged. The stack asks one whose window is closed
/// every 60 s, and for no other sign of life meanwhile: three of these may get lost. smoltcp 0.13.1, `RTTE_MAX_RTO` and `dispatch`.
const LEAST_SILENCE: Duration = Duration::from_secs(240);

/// What a socket is doing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    /// Nothing.
    Free,
    /// Waits for a client of a listener, or for that client's accept.
    Armed(Armed),
    /// Held by a stream or by halves. Once both ends were exchanged: when to save what was received.
    Held { save: Option<Instant> },
    /// Its handles are gone; what they sent is being delivered. Reset at the deadline.
    Closing { deadline: Instant },
    /// A reset is to be sent.
    Aborting { deadline: Instant },
}

/// A socket that a listener watches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    /// The place of the listener among those of the pool.
    pub(crate) listener: usize,
    /// When to give up on a client that does not finish the handshake.
    pub(crate) half_open: Option<Instant>,
    /// Its place in the queue of those to be accepted.
    pub(crate) order: Option<u32>,
}

/// A socket of the pool.
pub(crate) struct Slot {
    socket: RefCell<TcpSocket<'static>>,
    life: Cell<Life>,
    handles: Cell<u8>,
    common: &'static Common,
    /// Something is under way: a sign of life is asked for each [`PROBE`], and may take [`LEAST_SILENCE`].
    is_probing: Cell<bool>,
    /// The end of the sending direction was sent.
    send_over: Cell<bool>,
    /// The end of the receiving direction was received.
    receive_over: Cell<bool>,
    /// Nobody will receive: what comes is thrown away.
    discards: Cell<bool>,
    /// A close waits for what was sent to be delivered. Dropped, it is to be a reset.
    leaving: Cell<bool>,
    /// Those of the last connection: the stack forgets them.
    ends: Cell<Option<Ends>>,
}

/// This end of a connection, and that of the peer.
type Ends = (IpEndpoint, IpEndpoint);

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("life", &self.life)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

impl Slot {
    /// Over a new socket.
    pub(crate) fn new(mut socket: TcpSocket<'static>, common: &'static Common) -> Self {
        // A small message does not wait for the acknowledgement of the one before.
        socket.set_nagle_enabled(false);
        socket.set_keep_alive(common.patience.keep_alive);
        Self {
            socket: RefCell::new(socket),
            common,
            is_probing: Cell::new(false),
            life: Cell::new(Life::Free),
            handles: Cell::new(0),
            send_over: Cell::new(false),
            receive_over: Cell::new(false),
            discards: Cell::new(false),
            leaving: Cell::new(false),
            ends: Cell::new(None),
        }
    }

    pub(crate) fn life(&self) -> Life {
        self.life.get()
    }

    pub(crate) fn set_life(&self, life: Life) {
        self.life.set(life);
    }

    pub(crate) fn state(&self) -> State {
        self.socket.borrow().state()
    }

    /// The addresses of this end and of the peer, unspecified before there was one.
    pub(crate) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let ends = self.ends.get();
        let nobody = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        ends.map_or((nobody, nobody), |(local, peer)| {
            (address::from_stack(local), address::from_stack(peer))
        })
    }

    // ------------------------------------------------------------ handles

    /// Counts one handle more.
    pub(crate) fn retain(&self) {
        self.handles.set(self.handles.get().saturating_add(1));
    }

    /// Counts one handle less; true if it was the last.
    pub(crate) fn release(&self) -> bool {
        self.handles.set(self.handles.get().saturating_sub(1));
        self.handles.get() == 0
    }

    /// Starts a connection's life, with one handle.
    pub(crate) fn hold(&self) {
        self.handles.set(1);
        self.send_over.set(false);
        self.receive_over.set(false);
        self.discards.set(false);
        self.leaving.set(false);
        self.life.set(Life::Held { save: None });
        self.limit_silence();
    }

    /// Whether what was sent is complete, and nobody has asked to hear of its delivery.
    pub(crate) fn may_linger(&self) -> bool {
        self.send_over.get() && !self.leaving.get()
    }

    pub(crate) fn set_leaving(&self, leaving: bool) {
        self.leaving.set(leaving);
        self.limit_silence();
    }

    /// Tells the stack how long the peer may be silent. Who waits for the end to be delivered has a limit of its own.
    fn limit_silence(&self) {
        let silence = self.common.patience.silence;
        let limit = match self.life.get() {
            Life::Closing { .. } => None,
            _ if self.leaving.get() => None,
            _ if self.is_probing.get() => silence.map(|limit| limit.max(LEAST_SILENCE)),
            _ => silence,
        };
        self.socket.borrow_mut().set_timeout(limit);
    }

    pub(crate) fn discard_received(&self) {
        self.discards.set(true);
    }

    // ------------------------------------------------------------ beginning

    /// Starts to connect to `address`; [`poll_connected`](Self::poll_connected) follows that.
    pub(crate) fn connect(
        &self,
        cx: &mut Context<'_>,
        address: SocketAddr,
    ) -> Result<(), NetError> {
        let endpoint = address::endpoint_to_stack(address).ok_or(NetError::NoRoute)?;
        let mut socket = self.socket.borrow_mut();
        let step = pin!(socket.connect(endpoint)).poll(cx);
        self.ends
            .set(socket.local_endpoint().map(|local| (local, endpoint)));
        match step {
            Poll::Pending | Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(ConnectError::NoRoute)) => Err(NetError::NoRoute),
            Poll::Ready(Err(_)) => Err(NetError::Refused),
        }
    }

    /// Waits for the peer's answer.
    pub(crate) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<Result<(), NetError>> {
        match self.state() {
            State::SynSent | State::SynReceived => {
                let _ = self.poll_writable(cx);
                Poll::Pending
            }
            // It may have come about and gone again: then the stream says so.
            State::Closed if self.socket.borrow().recv_queue() == 0 => {
                Poll::Ready(Err(NetError::Refused))
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Takes the socket to wait for a client of `listener`.
    pub(crate) fn arm(&self, cx: &mut Context<'_>, listener: usize, on: IpListenEndpoint) {
        self.handles.set(0);
        self.life.set(Life::Armed(Armed {
            listener,
            half_open: None,
            order: None,
        }));
        self.limit_silence();
        let mut socket = self.socket.borrow_mut();
        // Refused only for port 0, or a socket in use; neither comes here.
        let _ = pin!(socket.accept(on)).poll(cx);
    }

    /// Makes the client's connection one that is held. `None` if it has failed meanwhile.
    pub(crate) fn accept(&self) -> Option<()> {
        self.ends.set(Some(self.endpoints()?));
        self.hold();
        Some(())
    }

    /// Both ends of the connection, as long as the stack knows it.
    pub(crate) fn endpoints(&self) -> Option<Ends> {
        let socket = self.socket.borrow();
        socket.local_endpoint().zip(socket.remote_endpoint())
    }

    // ------------------------------------------------------------ bytes

    #[inline]
    pub(crate) async fn receive_some(&self, buf: &mut [u8]) -> Result<usize, NetError> {
        match buf.is_empty() {
            true => Err(NetError::EmptyBuffer),
            false => self.read(buf).await,
        }
    }

    /// The same, but an empty buffer receives nothing.
    #[inline]
    pub(crate) async fn read(&self, buf: &mut [u8]) -> Result<usize, NetError> {
        poll_fn(|cx| {
            if self.receive_over.get() || buf.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let mut socket = self.socket.borrow_mut();
            let received = ready!(pin!(socket.read(buf)).poll(cx));
            if received == Ok(0) {
                self.receive_over.set(true);
            }
            Poll::Ready(received.map_err(|_| NetError::ConnectionLost))
        })
        .await
    }

    #[inline]
    pub(crate) async fn send_some(&self, data: &[u8]) -> Result<usize, NetError> {
        poll_fn(|cx| self.poll_send(cx, data)).await
    }

    /// Sends all of `data`, and moves its start past each byte as it is taken.
    #[inline]
    pub(crate) async fn send_rest(&self, data: &mut &[u8]) -> Result<(), NetError> {
        poll_fn(|cx| {
            loop {
                let count = ready!(self.poll_send(cx, data))?;
                *data = data.get(count..).unwrap_or_default();
                if data.is_empty() {
                    return Poll::Ready(Ok(())); // the stack has it, which is all that a flush is for
                }
            }
        })
        .await
    }

    #[inline]
    fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, NetError>> {
        if self.send_over.get() {
            return Poll::Ready(Err(NetError::Closed));
        }
        if data.is_empty() {
            return Poll::Ready(self.check_sending().map(|()| 0)); // the stack would wait for ever
        }
        let mut socket = self.socket.borrow_mut();
        let sent = ready!(pin!(socket.write(data)).poll(cx));
        if !self.is_probing.replace(true) {
            let usual = self.common.patience.keep_alive;
            socket.set_keep_alive(Some(usual.map_or(PROBE, |usual| usual.min(PROBE))));
            drop(socket);
            self.limit_silence();
            self.common.task.wake();
        }
        Poll::Ready(sent.map_err(|_| NetError::ConnectionLost))
    }

    /// Waits until bytes can be sent, or never again.
    pub(crate) async fn might_send(&self) -> Result<(), NetError> {
        poll_fn(|cx| {
            self.check_sending()?;
            self.poll_writable(cx).map(Ok)
        })
        .await
    }

    /// The stack takes everything at once; there is only to say whether it still has it.
    pub(crate) fn flush(&self) -> Result<(), NetError> {
        match self.check_sending() {
            Err(NetError::Closed) => Ok(()),
            result => result,
        }
    }

    /// What any send would meet now.
    fn check_sending(&self) -> Result<(), NetError> {
        if self.send_over.get() {
            Err(NetError::Closed)
        } else if self.socket.borrow().may_send() {
            Ok(())
        } else {
            Err(NetError::ConnectionLost)
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        pin!(self.socket.borrow().wait_write_ready()).poll(cx)
    }

    /// Puts the end after what was sent. Again is `Ok`.
    pub(crate) fn send_eof(&self) -> Result<(), NetError> {
        match self.check_sending() {
            Ok(()) => {
                self.socket.borrow_mut().close();
                self.send_over.set(true);
                self.common.task.wake(); // from now on it watches for the other end
                Ok(())
            }
            Err(NetError::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ready once everything sent, the end included, was acknowledged, or the connection is gone.
    pub(crate) fn poll_delivered(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut socket = self.socket.borrow_mut();
        pin!(socket.flush()).poll(cx).map(|_| ())
    }

    /// Throws away what was received; true if there was something.
    pub(crate) fn drain(&self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        let mut socket = self.socket.borrow_mut();
        while socket.can_recv() {
            any = true;
            let all = socket.read_with(|data| (data.len(), ()));
            let _ = pin!(all).poll(cx);
        }
        any
    }

    // ------------------------------------------------------------ by the pool's task

    /// Looks whether something is still under way; if not, silence is judged as ever again. Returns when to look again.
    pub(crate) fn watch_probing(&self) -> Option<Instant> {
        if !self.is_probing.get() {
            return None;
        }
        let mut socket = self.socket.borrow_mut();
        if socket.send_queue() > 0 && socket.state() != State::Closed {
            return Some(Instant::now().saturating_add(PROBE));
        }
        socket.set_keep_alive(self.common.patience.keep_alive);
        drop(socket);
        self.is_probing.set(false);
        self.limit_silence();
        None
    }

    /// Lets what was sent be delivered, until `deadline`.
    pub(crate) fn linger(&self, deadline: Instant) {
        self.life.set(Life::Closing { deadline });
        self.limit_silence();
    }

    /// Resets the connection, if there is one.
    pub(crate) fn abort(&self, now: Instant) {
        let mut socket = self.socket.borrow_mut();
        socket.abort();
        self.life.set(match socket.remote_endpoint() {
            Some(_) => Life::Aborting {
                deadline: now.saturating_add(RESET_LIMIT),
            },
            None => Life::Free,
        });
    }

    /// Follows a lingering close.
    pub(crate) fn watch_closing(&self, cx: &mut Context<'_>, deadline: Instant) -> Closing {
        let more = self.drain(cx);
        match self.state() {
            State::Closed | State::TimeWait => return Closing::Done,
            // All was delivered, and the peer goes on talking to nobody: it should know.
            State::FinWait2 if more => return Closing::GiveUp,
            _ if Instant::now() >= deadline => return Closing::GiveUp,
            _ => {}
        }
        self.watch(cx);
        Closing::Goes
    }

    /// Whether the reset was sent, or is not going to be.
    pub(crate) fn watch_aborting(&self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        let sent = self.socket.borrow().remote_endpoint().is_none();
        if !sent {
            let _ = self.poll_writable(cx);
        }
        sent || Instant::now() >= deadline
    }

    /// Follows a connection that only receives. Returns when to look again.
    pub(crate) fn watch_held(
        &self,
        cx: &mut Context<'_>,
        save: Option<Instant>,
    ) -> Option<Instant> {
        if self.discards.get() {
            self.drain(cx);
            self.watch_receiving(cx);
        }
        // Until the end is sent, the sender waits there; and while it closes, the closer does.
        if !self.send_over.get() || self.leaving.get() {
            return None;
        }
        if self.state() != State::TimeWait {
            let _ = self.poll_writable(cx);
            return None;
        }
        let at = save.unwrap_or_else(|| Instant::now().saturating_add(KEEP_AFTER));
        self.life.set(Life::Held { save: Some(at) });
        if Instant::now() >= at {
            // An abort forgets the peer, but not what it sent.
            self.socket.borrow_mut().abort();
            return None;
        }
        Some(at)
    }

    /// Wakes the task of `cx` when anything about the connection changes.
    pub(crate) fn watch(&self, cx: &mut Context<'_>) {
        let _ = self.poll_writable(cx);
        self.watch_receiving(cx);
    }

    /// Wakes the task of `cx` when something arrives.
    pub(crate) fn watch_receiving(&self, cx: &mut Context<'_>) {
        let _ = pin!(self.socket.borrow().wait_read_ready()).poll(cx);
    }
}

/// How a lingering close goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    Goes,
    Done,
    GiveUp,
}
