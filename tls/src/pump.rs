//! The awaits of a session: what moves bytes between it and the transport.
//!
//! Each await is in an operation of the transport that a drop leaves without effect, or in a lock. What an await brings is
//! put away before the next. So a future can be dropped anywhere, and the next one goes on from there.

#[cfg(feature = "rustls")]
use alloc::boxed::Box;
use core::fmt;
use core::future::poll_fn;
#[cfg(feature = "embedded-tls")]
use core::future::ready;
use core::ops::Deref;
use core::pin::{Pin, pin};
use core::task::Poll;

use embedded_io_async::ErrorType;
#[cfg(feature = "rustls")]
use tacket::IntoSplit;
use tacket::{Error as _, Fault, HalfCloseable, ReceiveStream, Split};

use crate::engine::{Engine, SansIo};
use crate::error::TlsError;
use crate::lock::Lock;
use crate::memory::Memory;
use crate::reading::FIRST_READ;
use crate::session::{Failure, Session, Shaken, Taken, into_error};
use crate::staged::Outgoing;

/// A session and both directions of its transport: `T` sends, `R` receives, `H` refers to the session. All are borrowed from a
/// stream, or all owned by its halves.
///
/// During the handshake whoever needs it first drives both directions, and others wait for their turn. After it, receiving
/// uses only the receiving half, and never waits for a sender.
pub(crate) struct Pump<H, T, R> {
    session: H,
    tx: Lock<T>,
    rx: Lock<R>,
}

/// What it takes to drive a stream that is borrowed.
pub(crate) type Borrowing<'p, S, E> =
    Pump<&'p Session<E>, <S as Split>::Sending<'p>, <S as Split>::Receiving<'p>>;

/// What it takes to drive a stream that was given away.
#[cfg(feature = "rustls")]
pub(crate) type Owning<S, E> =
    Pump<Box<Session<E>>, <S as IntoSplit>::OwnedSending, <S as IntoSplit>::OwnedReceiving>;

type Error<S> = TlsError<<S as ErrorType>::Error>;

type Staged<H> = Outgoing<<<H as Handle>::Engine as SansIo>::Memory>;

/// A reference to a session, from whoever may do with it what the kind of reference says.
pub(crate) trait Handle: Deref<Target = Session<Self::Engine>> + Sized {
    type Engine: Engine;

    /// Whether the peer can be told of a failure.
    const CAN_TELL: bool = true;

    /// Completes the handshake.
    fn handshake<T, R>(pump: &Pump<Self, T, R>) -> impl Future<Output = Result<(), Error<T>>>
    where
        T: HalfCloseable,
        R: ReceiveStream + ErrorType<Error = T::Error>,
    {
        // Each send and receive and close would have room for it otherwise, for as long as the connection lasts.
        Self::Engine::aside(pump.handshake_in_turn())
    }
}

impl<E: Engine> Handle for &Session<E> {
    type Engine = E;
}

#[cfg(feature = "rustls")]
impl<E: Engine> Handle for Box<Session<E>> {
    type Engine = E;
}

/// For a half of a stream that cannot perform the handshake alone, and sends or does not.
#[cfg(feature = "embedded-tls")]
#[derive(Debug)]
pub(crate) struct Half<'p, E: Engine, const SENDS: bool>(pub(crate) &'p Session<E>);

#[cfg(feature = "embedded-tls")]
impl<E: Engine, const SENDS: bool> Deref for Half<'_, E, SENDS> {
    type Target = Session<E>;

    fn deref(&self) -> &Session<E> {
        self.0
    }
}

#[cfg(feature = "embedded-tls")]
impl<E: Engine, const SENDS: bool> Handle for Half<'_, E, SENDS> {
    type Engine = E;

    const CAN_TELL: bool = SENDS;

    fn handshake<T, R>(_pump: &Pump<Self, T, R>) -> impl Future<Output = Result<(), Error<T>>>
    where
        T: HalfCloseable,
        R: ReceiveStream + ErrorType<Error = T::Error>,
    {
        ready(Err(TlsError::NeedHandshake))
    }
}

impl<H, T, R> Pump<H, T, R> {
    pub(crate) fn new(session: H, (tx, rx): (T, R)) -> Self {
        Self {
            session,
            tx: Lock::new(tx),
            rx: Lock::new(rx),
        }
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn into_parts(self) -> (H, (T, R)) {
        let halves = (self.tx.into_inner(), self.rx.into_inner());
        (self.session, halves)
    }
}

impl<H, T, R> Pump<H, T, R>
where
    H: Handle,
    T: HalfCloseable,
    R: ReceiveStream + ErrorType<Error = T::Error>,
{
    pub(crate) fn session(&self) -> &Session<H::Engine> {
        &self.session
    }

    /// Completes the handshake, unless that was done.
    pub(crate) async fn handshake(&self) -> Result<(), Error<T>> {
        match self.session.is_established() {
            Ok(true) => Ok(()),
            Ok(false) => H::handshake(self).await,
            Err(failure) => H::Engine::aside(self.told(Err(failure))).await,
        }
    }

    async fn handshake_in_turn(&self) -> Result<(), Error<T>> {
        let _turn = self.session.turn.lock().await;
        // Whoever had the turn before may have completed it.
        if self.is_established().await? {
            return Ok(());
        }
        let mut tx = self.tx.lock().await;
        let mut outgoing = self.session.outgoing.lock().await;
        let shaken = self.shake_hands(&mut tx, &mut outgoing).await;
        if shaken.is_err() {
            drop((tx, outgoing));
            self.tell_why().await;
        }
        shaken
    }

    async fn is_established(&self) -> Result<bool, Error<T>> {
        self.told(self.session.is_established()).await
    }

    async fn shake_hands(&self, tx: &mut T, outgoing: &mut Staged<H>) -> Result<(), Error<T>> {
        let mut opening = pin!(H::Engine::open(self.session.begin()?));
        loop {
            let shaken = self.step(opening.as_mut(), outgoing).await?;
            let moved = match shaken {
                Shaken::Done | Shaken::NeedRoom => self.send_flight(tx, outgoing).await,
                Shaken::NeedInput => self.exchange(tx, outgoing).await,
            };
            if let Err(error) = moved {
                // The peer may have told why, before it went.
                return match self.step(opening.as_mut(), outgoing).await {
                    Err(Failure::Engine(told)) => Err(TlsError::Engine(into_error(told))),
                    _ => Err(error),
                };
            }
            if shaken == Shaken::Done {
                self.session.establish();
                outgoing.shrink();
                return Ok(());
            }
        }
    }

    async fn step(
        &self,
        opening: Pin<&mut impl Future<Output = <H::Engine as SansIo>::Opened>>,
        outgoing: &mut Staged<H>,
    ) -> Result<Shaken, Failure> {
        let mut incoming = self.session.incoming.lock().await;
        self.session.shake_hands(opening, &mut incoming, outgoing)
    }

    /// Sends what is staged and reads what comes, until something has come.
    ///
    /// Both at once: where the transport holds little, each end may have to send before the other's message is complete.
    async fn exchange(&self, tx: &mut T, outgoing: &mut Staged<H>) -> Result<(), Error<T>> {
        let mut sending = pin!(self.flush_staged(tx, outgoing));
        let mut sent = false;
        let mut fetching = pin!(self.fetch());
        poll_fn(|cx| {
            let sending = if sent {
                Poll::Pending
            } else {
                sending.as_mut().poll(cx)
            };
            sent |= sending.is_ready();
            let fetched = fetching.as_mut().poll(cx);
            match sending {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => fetched,
            }
        })
        .await
    }

    /// Sends what is staged, and waits for nothing else. Meanwhile it reads ahead: a server may send already, and look at nothing
    /// before all of that was taken.
    async fn send_flight(&self, tx: &mut T, outgoing: &mut Staged<H>) -> Result<(), Error<T>> {
        let mut sending = pin!(self.flush_staged(tx, outgoing));
        let mut reading = pin!(self.read_ahead());
        let mut has_read = false;
        poll_fn(|cx| {
            let sent = sending.as_mut().poll(cx);
            if !has_read && !matches!(sent, Poll::Ready(Ok(()))) {
                has_read = reading.as_mut().poll(cx).is_ready();
            }
            sent
        })
        .await
    }

    /// Reads as long as there is room. An end or a failure is left for the next to find.
    async fn read_ahead(&self) {
        while let Some(Ok(1..)) = self.read().await {}
    }

    /// Receives some bytes; `Ok(0)` is the end.
    pub(crate) async fn receive(&self, buf: &mut [u8]) -> Result<usize, Error<T>> {
        if buf.is_empty() {
            return Err(TlsError::EmptyBuffer);
        }
        if matches!(self.session.is_established(), Ok(false))
            && let Err(error) = self.handshake().await
            && !self.session.has_received_end()
        {
            return Err(error);
        }
        loop {
            let mut incoming = self.session.incoming.lock().await;
            let taken = self.session.take(&mut incoming, buf);
            drop(incoming);
            match self.told(taken).await? {
                Taken::Data(count) => return Ok(count),
                Taken::End => return Ok(0),
                Taken::NeedInput => self.fetch().await?,
            }
        }
    }

    /// Reads what the transport has next into the incoming buffer.
    async fn fetch(&self) -> Result<(), Error<T>> {
        match self.read().await {
            None => return Err(self.session.overflowed().into()),
            Some(Ok(0)) => self.session.transport_ended(),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(self.session.receiving_failed(error)),
        }
        Ok(())
    }

    /// `None`: there is no room.
    async fn read(&self) -> Option<Result<usize, T::Error>> {
        let mut rx = self.rx.lock().await;
        let mut incoming = self.session.incoming.lock().await;
        let room = incoming.room()?;
        if !self.session.is_joining() {
            let read = rx.read(room).await;
            if let Ok(count) = read {
                incoming.commit(count);
            }
            return Some(read);
        }
        // A sender must be able to see the parts of a message while this waits for the rest.
        let mut landing = <H::Engine as SansIo>::Memory::default();
        landing.grow(room.len().min(FIRST_READ));
        drop(incoming);
        let read = rx.read(landing.as_mut()).await;
        if let Ok(count) = read {
            // Only who holds `rx` keeps it across an await, so this does not wait.
            let mut incoming = self.session.incoming.lock().await;
            incoming.append(landing.as_ref().get(..count).unwrap_or_default());
        }
        Some(read)
    }

    /// Takes a prefix of `data` to be sent.
    pub(crate) async fn write(&self, data: &[u8]) -> Result<usize, Error<T>> {
        if data.is_empty() {
            self.check_sending().await?;
            return Ok(0);
        }
        self.prepare_to_send().await?;
        let mut tx = self.tx.lock().await;
        let mut outgoing = self.session.outgoing.lock().await;
        loop {
            match self.session.seal(&mut outgoing, data) {
                Ok(0) => self.send_staged(&mut tx, &mut outgoing).await?,
                Ok(count) => return Ok(count),
                failed => {
                    drop((tx, outgoing));
                    let told = H::Engine::aside(self.told(failed)).await;
                    return told.map_err(failure_to_send);
                }
            }
        }
    }

    /// Takes all of `data`, moving its start along, and flushes. Without data it still needs the handshake.
    pub(crate) async fn send_rest(&self, data: &mut &[u8]) -> Result<(), Error<T>> {
        self.prepare_to_send().await?;
        while !data.is_empty() {
            let count = self.write(data).await?;
            *data = data.get(count..).unwrap_or_default();
        }
        self.flush().await
    }

    /// Changes the keys of the sending direction, and asks the peer to do the same.
    #[cfg(feature = "rustls")]
    pub(crate) async fn update_keys(&self) -> Result<(), Error<T>> {
        self.prepare_to_send().await?;
        let mut outgoing = self.session.outgoing.lock().await;
        let updated = self.session.update_keys(&mut outgoing);
        drop(outgoing);
        if !self.told(updated).await.map_err(failure_to_send)? {
            return Err(TlsError::Unsupported);
        }
        self.flush().await
    }

    /// Hands everything that was taken to the transport, and flushes that.
    pub(crate) async fn flush(&self) -> Result<(), Error<T>> {
        let mut outgoing = self.session.outgoing.lock().await;
        if outgoing.is_dirty()
            && let Err(failure) = self.session.check_sending()
        {
            drop(outgoing);
            return self.told(Err(failure)).await.map_err(failure_to_send);
        }
        let mut tx = self.tx.lock().await;
        self.flush_staged(&mut tx, &mut outgoing).await
    }

    /// Sends the authenticated end, and everything before it.
    pub(crate) async fn send_eof(&self) -> Result<(), Error<T>> {
        if !self.session.has_sent_end() {
            self.handshake_to_send().await?;
            self.end().await.map_err(failure_to_send)?;
        }
        self.flush().await
    }

    /// Stages the authenticated end.
    async fn end(&self) -> Result<(), Error<T>> {
        loop {
            let mut outgoing = self.session.outgoing.lock().await;
            let ended = self.session.end(&mut outgoing);
            drop(outgoing);
            if self.told(ended).await? {
                return Ok(());
            }
            self.flush().await?;
        }
    }

    /// Sends the authenticated end and waits for the peer's.
    ///
    /// Both at once: where the transport holds little, each end may have to read before the other's end can be sent.
    pub(crate) async fn shutdown(&self) -> Result<(), Error<T>> {
        if !self.session.has_sent_end() {
            self.handshake().await?;
            self.end().await?;
        }
        let mut receiving = pin!(self.receive_end());
        let mut sending = pin!(self.flush());
        let (mut received, mut sent) = (false, false);
        poll_fn(|cx| {
            // The end goes out even if there is data before the peer's.
            let mut failed = Ok(());
            if !sent && let Poll::Ready(result) = sending.as_mut().poll(cx) {
                sent = true;
                failed = result;
            }
            // What the peer says goes before: it may explain why nothing can be sent.
            if !received && let Poll::Ready(result) = receiving.as_mut().poll(cx) {
                received = true;
                result?;
            }
            failed?;
            if received && sent {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    }

    async fn receive_end(&self) -> Result<(), Error<T>> {
        loop {
            let mut incoming = self.session.incoming.lock().await;
            let taken = self.session.take_end(&mut incoming);
            drop(incoming);
            match self.told(taken).await? {
                Taken::End => return Ok(()),
                Taken::Data(_) => return Err(TlsError::UnreadData),
                Taken::NeedInput => self.fetch().await?,
            }
        }
    }

    /// Waits until the transport might take what a send brings.
    pub(crate) async fn wait_send_all_might_not_block(&self) -> Result<(), Error<T>> {
        self.prepare_to_send().await?;
        let mut tx = self.tx.lock().await;
        let mut outgoing = self.session.outgoing.lock().await;
        self.send_staged(&mut tx, &mut outgoing).await?;
        let waited = tx.wait_send_all_might_not_block().await;
        waited.map_err(|error| self.session.sending_failed(error))
    }

    /// Sends what has to be sent before a close: the end, but for an `https_compatible` stream, and nothing after a failure.
    pub(crate) async fn say_farewell(&self) -> Result<(), Error<T>> {
        let said = if self.session.check_sending().is_err() {
            // But for the alert, if there was no occasion for that yet.
            self.tell_why().await;
            Ok(())
        } else if self.session.is_https_compatible() {
            self.flush().await
        } else {
            self.send_eof().await
        };
        match said {
            // A peer that is gone is no failure of a close.
            Err(error) if matches!(error.fault(), Fault::Broken | Fault::Truncated) => Ok(()),
            said => said,
        }
    }

    /// Sends the authenticated end, and that of the transport, so that all of it arrives even if both halves are then dropped.
    #[cfg(feature = "rustls")]
    pub(crate) async fn send_both_ends(&self) -> Result<(), Error<T>> {
        self.send_eof().await?;
        self.end_transport().await
    }

    /// The same for a close, as far as there is something to end.
    #[cfg(feature = "rustls")]
    pub(crate) async fn close_sending(&self) -> Result<(), Error<T>> {
        let said = self.say_farewell().await;
        match self.end_transport().await {
            Err(error) if error.fault() != Fault::Broken => said.and(Err(error)),
            _ => said,
        }
    }

    #[cfg(feature = "rustls")]
    async fn end_transport(&self) -> Result<(), Error<T>> {
        let mut tx = self.tx.lock().await;
        match tx.send_eof().await {
            Err(error) if error.fault() != Fault::Unsupported => {
                Err(self.session.sending_failed(error))
            }
            _ => Ok(()),
        }
    }

    /// Waits for what a send needs first.
    async fn prepare_to_send(&self) -> Result<(), Error<T>> {
        // All but always it needs nothing.
        if self.session.can_send() {
            return Ok(());
        }
        self.check_sending().await?;
        self.handshake_to_send().await
    }

    async fn check_sending(&self) -> Result<(), Error<T>> {
        if self.session.has_sent_end() {
            return Err(TlsError::Closed);
        }
        let Err(failure) = self.session.check_sending() else {
            return Ok(());
        };
        let told = H::Engine::aside(self.told(Err(failure))).await;
        told.map_err(failure_to_send)
    }

    async fn handshake_to_send(&self) -> Result<(), Error<T>> {
        self.handshake().await.map_err(failure_to_send)
    }

    async fn send_staged(&self, tx: &mut T, outgoing: &mut Staged<H>) -> Result<(), Error<T>> {
        while !outgoing.rest().is_empty() {
            match tx.write(outgoing.rest()).await {
                Ok(0) => return Err(self.session.sending_stuck().into()),
                Ok(count) => outgoing.consume(count),
                Err(error) => return Err(self.session.sending_failed(error)),
            }
        }
        Ok(())
    }

    async fn flush_staged(&self, tx: &mut T, outgoing: &mut Staged<H>) -> Result<(), Error<T>> {
        if outgoing.is_dirty() {
            self.send_staged(tx, outgoing).await?;
            let flushed = tx.flush().await;
            flushed.map_err(|error| self.session.sending_failed(error))?;
            outgoing.flushed();
        }
        Ok(())
    }

    /// Hands `outcome` on. A failure is told to the peer, if that was not done and nobody is sending: whoever comes next does it then.
    async fn told<O>(&self, outcome: Result<O, Failure>) -> Result<O, Error<T>> {
        if outcome.is_err() {
            self.tell_why().await;
        }
        Ok(outcome?)
    }

    /// Sends the alert that belongs to a failure, if there is one, nobody is sending, and the transport takes it at once.
    async fn tell_why(&self) {
        poll_fn(|cx| {
            if H::CAN_TELL
                && let (Some(mut tx), Some(mut outgoing)) =
                    (self.tx.try_lock(), self.session.outgoing.try_lock())
                && self.session.last_words(&mut outgoing)
            {
                let sending = pin!(self.flush_staged(&mut tx, &mut outgoing));
                let _ = sending.poll(cx);
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// A sender does not care how much of the other direction arrived.
fn failure_to_send<T>(error: TlsError<T>) -> TlsError<T> {
    match error {
        TlsError::Truncated => TlsError::Broken,
        other => other,
    }
}

impl<H: Deref<Target: fmt::Debug>, T, R> fmt::Debug for Pump<H, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("session", &&*self.session)
            .finish_non_exhaustive()
    }
}
