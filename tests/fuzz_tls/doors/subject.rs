//! The stream under attack, and what it promises nevertheless.

use embedded_io_async::{Read as _, Write as _};
use futures_util::future::join;
use tacket::testing::{DropPoint, MemoryError, MemoryReceiveStream, MemorySendStream};
use tacket::{
    AsyncResource as _, HalfCloseable as _, IntoSplit as _, ReceiveStream, SendStream as _,
    Split as _, StapledError, StapledStream,
};
use tacket_tls::rustls::PeerMisbehaved;
use tacket_tls::{EngineError, TlsError, TlsStream, TlsVersion, rustls};

use super::attacked::{Attacked, Refusal, finish};
use super::middle::Middle;
use super::program::TlsPeerProgram;
use super::speech::Speech;
use crate::fuzz_tls::act::send;
use crate::fuzz_tls::ledger::Ledger;

pub(super) type Transport<'p> =
    StapledStream<MemorySendStream<'p, Vec<u8>>, MemoryReceiveStream<'p, Vec<u8>>>;

type Error = TlsError<StapledError<MemoryError, MemoryError>>;

/// Something to do, and after how many polls it is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) deed: Deed,
    pub(super) polls: Option<usize>,
}

/// What there is to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Handshake,
    Send(usize),
    Receive(usize),
    /// By the trait of others, which takes an empty buffer.
    Read(usize),
    /// Without a flush.
    Write(usize),
    Flush,
    SendEof,
    Shutdown,
    UpdateKeys,
    WaitToSend,
    /// Sends and receives at the same time, by halves that are lent.
    Exchange(usize),
    /// The same by halves that are given away, and then reunited.
    OwnedExchange(usize),
    /// The sending half is closed, and the other receives so many bytes.
    CloseHalf(usize),
    Unwrap,
    Close,
    Drop,
}

pub(super) struct Subject<'p, 's> {
    tls: Option<TlsStream<Transport<'p>>>,
    is_lax: bool,
    is_honest: bool,
    /// It would not notice that a message was changed.
    is_blind: bool,
    /// Something was changed of what its peer says.
    is_edited: bool,
    speech: &'s Speech,
    sent: &'s Ledger,
    refusal: Refusal,
}

impl<'p, 's> Subject<'p, 's> {
    pub(super) fn new(
        tls: TlsStream<Transport<'p>>,
        program: &TlsPeerProgram,
        (speech, sent): (&'s Speech, &'s Ledger),
    ) -> Self {
        Self {
            tls: Some(tls),
            is_lax: program.options.is_lax,
            is_honest: program.is_honest(),
            is_blind: program.options.is_blind,
            is_edited: !program.edits.is_empty(),
            speech,
            sent,
            refusal: Refusal::default(),
        }
    }

    fn check(&mut self, deed: Deed, done: &Result<(), Error>) {
        if let Err(error) = done {
            assert!(self.may_say(deed, error), "{deed:?}: {error:?}");
        }
        self.refusal.check(deed, done);
    }

    /// Whether this error is one that is documented for it.
    fn may_say(&self, deed: Deed, error: &Error) -> bool {
        let sends_only = matches!(
            deed,
            Deed::Send(_)
                | Deed::Write(_)
                | Deed::Flush
                | Deed::SendEof
                | Deed::UpdateKeys
                | Deed::WaitToSend
                | Deed::Close
        );
        match error {
            TlsError::Engine(_) => !self.is_honest,
            // Of a lax stream, only the transport is closed, which the handshake may still have needed.
            TlsError::Broken | TlsError::Transport(_) => {
                !self.is_honest || self.is_lax && matches!(deed, Deed::CloseHalf(_))
            }
            TlsError::Truncated => !self.is_honest && !sends_only,
            TlsError::Closed => !matches!(
                deed,
                Deed::Receive(_) | Deed::Read(_) | Deed::Shutdown | Deed::Unwrap | Deed::Close
            ),
            TlsError::Unsupported => {
                let negotiated = self.tls.as_ref().map(TlsStream::negotiated);
                let is_tls12 = negotiated
                    .is_some_and(|it| it.is_ok_and(|it| it.version() == TlsVersion::Tls12));
                matches!(deed, Deed::UpdateKeys) && is_tls12
            }
            TlsError::UnreadData => matches!(deed, Deed::Shutdown | Deed::Unwrap),
            TlsError::EmptyBuffer => matches!(deed, Deed::Receive(0)),
            _ => false,
        }
    }

    async fn perform(&mut self, deed: Deed) -> Result<(), Error> {
        let (sent, speech, is_lax) = (self.sent, self.speech, self.is_lax);
        match deed {
            Deed::OwnedExchange(_) | Deed::CloseHalf(_) | Deed::Unwrap | Deed::Close => {
                let Some(tls) = self.tls.take() else {
                    return Ok(());
                };
                return self.perform_by_value(deed, tls).await;
            }
            Deed::Drop => self.tls = None,
            _ => {}
        }
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        match deed {
            Deed::Handshake => tls.do_handshake().await,
            Deed::Send(length) => send(tls, length, sent).await,
            Deed::Receive(length) => receive(tls, length, speech, is_lax).await,
            Deed::Read(length) => {
                let mut buf = vec![0; length];
                let count = tls.read(&mut buf).await?;
                if count == 0 && length > 0 && !is_lax {
                    speech.arrive_at_end();
                }
                speech.arrive(buf.get(..count).unwrap_or_default());
                Ok(())
            }
            Deed::Write(length) => {
                let data = sent.next(length);
                let taken = tls.write(&data).await?;
                sent.offer(taken);
                Ok(())
            }
            Deed::Flush => tls.flush().await,
            Deed::SendEof => {
                sent.end();
                tls.send_eof().await
            }
            Deed::Shutdown => {
                sent.end();
                tls.shutdown().await?;
                speech.arrive_at_end();
                Ok(())
            }
            Deed::UpdateKeys => tls.update_keys().await,
            Deed::WaitToSend => tls.wait_send_all_might_not_block().await,
            Deed::Exchange(length) => {
                let (mut tx, mut rx) = tls.split();
                let both = join(
                    send(&mut tx, length, sent),
                    receive(&mut rx, length.max(1), speech, is_lax),
                );
                let (sending, receiving) = both.await;
                sending.and(receiving)
            }
            _ => Ok(()),
        }
    }

    async fn perform_by_value(
        &mut self,
        deed: Deed,
        tls: TlsStream<Transport<'p>>,
    ) -> Result<(), Error> {
        let (sent, speech, is_lax) = (self.sent, self.speech, self.is_lax);
        match deed {
            Deed::OwnedExchange(length) => {
                let (mut tx, mut rx) = tls.into_split();
                let both = join(
                    send(&mut tx, length, sent),
                    receive(&mut rx, length.max(1), speech, is_lax),
                );
                let (sending, receiving) = both.await;
                self.tls = TlsStream::reunite(tx, rx).ok();
                assert!(self.tls.is_some(), "they belong together");
                sending.and(receiving)
            }
            Deed::CloseHalf(length) => {
                let (tx, mut rx) = tls.into_split();
                sent.end();
                let (closed, received) =
                    join(tx.close(), receive(&mut rx, length.max(1), speech, is_lax)).await;
                rx.close().await?;
                closed.and(received)
            }
            Deed::Unwrap => {
                sent.end();
                tls.unwrap().await?;
                speech.arrive_at_end();
                Ok(())
            }
            _ => {
                sent.end();
                tls.close().await
            }
        }
    }
}

impl Attacked for Subject<'_, '_> {
    async fn act(&mut self, act: Act) {
        if self.tls.is_none() {
            return;
        }
        let doing = self.perform(act.deed);
        let done = match act.polls {
            None => Some(doing.await),
            Some(polls) => DropPoint::after_poll(polls).cut(doing).await,
        };
        if let Some(done) = done {
            self.check(act.deed, &done);
        }
    }

    async fn finish(&mut self) -> bool {
        let Some(mut tls) = self.tls.take() else {
            return true;
        };
        self.sent.end();
        let is_ended = match finish(&mut tls, self.speech).await {
            Ok(()) => true,
            Err(error) => {
                assert!(self.may_say(Deed::Shutdown, &error), "{error:?}");
                false
            }
        };
        self.tls = Some(tls);
        is_ended
    }

    fn is_there(&self) -> bool {
        self.tls.is_some()
    }

    fn is_established(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.negotiated().is_ok())
    }

    fn is_honest(&self) -> bool {
        self.is_honest
    }

    fn is_convinced_by(&self, middle: &Middle) -> bool {
        self.is_blind || middle.has_told_the_truth()
    }

    fn refusal(&self) -> Option<&EngineError> {
        self.refusal.reason()
    }

    fn may_fail(&self, error: &rustls::Error) -> bool {
        match error {
            rustls::Error::AlertReceived(_) => true,
            // The stream has changed its keys again and again.
            rustls::Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests) => true,
            _ => self.is_edited,
        }
    }
}

pub(super) async fn receive<R>(
    rx: &mut R,
    length: usize,
    speech: &Speech,
    is_lax: bool,
) -> Result<(), R::Error>
where
    R: ReceiveStream,
{
    let mut buf = vec![0; length];
    match rx.receive_some(&mut buf).await? {
        0 if is_lax => {}
        0 => speech.arrive_at_end(),
        count => speech.arrive(buf.get(..count).unwrap_or_default()),
    }
    Ok(())
}
