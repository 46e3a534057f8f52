//! A client without a heap that is under attack, and what it promises nevertheless.

use core::mem;

use embedded_io_async::{Read as _, Write as _};
use futures_util::future::join;
use tacket::testing::{DropPoint, MemoryError};
use tacket::{AsyncResource as _, HalfCloseable as _, SendStream as _, Split as _, StapledError};
use tacket_tls::{EngineError, GuardError, GuardSuite, GuardedEngine, TlsError, TlsStream, rustls};

use super::attacked::{Attacked, Refusal, finish};
use super::guard_parties::PAPERS;
use super::guard_program::{Belief, Guard};
use super::message::{
    CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, ENCRYPTED_EXTENSIONS, FINISHED,
    SERVER_HELLO, first_message,
};
use super::middle::{Middle, Said};
use super::speech::Speech;
use super::subject::{Act, Deed, Transport, receive};
use crate::fuzz_tls::act::send;
use crate::fuzz_tls::ledger::Ledger;

type Error = TlsError<StapledError<MemoryError, MemoryError>>;
type Tls<'p, 'b, C> = TlsStream<Transport<'p>, GuardedEngine<'b, C>>;

pub(super) struct Guarded<'p, 'b, 's, C: GuardSuite> {
    tls: Option<Tls<'p, 'b, C>>,
    guard: Guard,
    is_lax: bool,
    is_honest: bool,
    /// Something was changed of what its peer says.
    is_edited: bool,
    /// A handshake is being made.
    is_shaking: bool,
    /// One was given up, and nothing goes on from there.
    has_given_up: bool,
    speech: &'s Speech,
    sent: &'s Ledger,
    refusal: Refusal,
}

impl<'p, 'b, 's, C: GuardSuite> Guarded<'p, 'b, 's, C> {
    pub(super) fn new(
        tls: Tls<'p, 'b, C>,
        guard: Guard,
        is_lax: bool,
        is_honest: bool,
        is_edited: bool,
        (speech, sent): (&'s Speech, &'s Ledger),
    ) -> Self {
        Self {
            tls: Some(tls),
            guard,
            is_lax,
            is_honest,
            is_edited,
            is_shaking: false,
            has_given_up: false,
            speech,
            sent,
            refusal: Refusal::default(),
        }
    }

    /// Whether a handshake was dropped before it was done.
    fn has_given_up(&self) -> bool {
        self.has_given_up || self.is_shaking && !self.is_established()
    }

    fn check(&mut self, deed: Deed, done: &Result<(), Error>) {
        if let Err(error) = done {
            assert!(self.may_say(deed, error), "{deed:?}: {error:?}");
        }
        if self.has_given_up && matches!(deed, Deed::Handshake) {
            // Unless it had failed before.
            assert!(
                done.is_err(),
                "it goes on with a handshake that was given up"
            );
        }
        self.refusal.check(deed, done);
    }

    /// Whether this error is one that is documented for it.
    fn may_say(&self, deed: Deed, error: &Error) -> bool {
        let is_harmed = !self.is_honest || self.has_given_up;
        let sends_only = matches!(
            deed,
            Deed::Send(_)
                | Deed::Write(_)
                | Deed::Flush
                | Deed::SendEof
                | Deed::WaitToSend
                | Deed::Close
        );
        match error {
            TlsError::Engine(EngineError::Guard(GuardError::Internal)) => false,
            TlsError::Engine(_) => !self.is_honest,
            TlsError::Broken | TlsError::Transport(_) => is_harmed,
            TlsError::Truncated => is_harmed && !sends_only,
            TlsError::Closed => !matches!(
                deed,
                Deed::Receive(_) | Deed::Read(_) | Deed::Shutdown | Deed::Close
            ),
            TlsError::NeedHandshake => matches!(deed, Deed::Exchange(_)) && !self.is_established(),
            TlsError::UnreadData => matches!(deed, Deed::Shutdown),
            TlsError::EmptyBuffer => matches!(deed, Deed::Receive(0)),
            _ => false,
        }
    }

    async fn perform(&mut self, deed: Deed) -> Result<(), Error> {
        let (sent, speech, is_lax) = (self.sent, self.speech, self.is_lax);
        match deed {
            Deed::Close => {
                let Some(tls) = self.tls.take() else {
                    return Ok(());
                };
                sent.end();
                return tls.close().await;
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
}

impl<C: GuardSuite> Attacked for Guarded<'_, '_, '_, C> {
    async fn act(&mut self, act: Act) {
        if self.tls.is_none() {
            return;
        }
        self.has_given_up = self.has_given_up();
        // A half does not shake hands.
        self.is_shaking = !self.is_established() && !matches!(act.deed, Deed::Exchange(_));
        let doing = self.perform(act.deed);
        let done = match act.polls {
            None => Some(doing.await),
            Some(polls) => DropPoint::after_poll(polls).cut(doing).await,
        };
        if let Some(done) = done {
            self.is_shaking = false;
            self.check(act.deed, &done);
        }
    }

    async fn finish(&mut self) -> bool {
        self.has_given_up = self.has_given_up();
        self.is_shaking = false;
        let Some(mut tls) = self.tls.take() else {
            return true;
        };
        self.sent.end();
        let finished = finish(&mut tls, self.speech).await;
        self.tls = Some(tls);
        match finished {
            Ok(()) => true,
            Err(error) => {
                assert!(self.may_say(Deed::Shutdown, &error), "{error:?}");
                false
            }
        }
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
        self.is_honest && !self.has_given_up()
    }

    fn is_convinced_by(&self, middle: &Middle) -> bool {
        let (meant, told) = middle.meant_and_told();
        let has_psk = self.guard.belief == Belief::PreSharedKey;
        self.guard.is_right()
            && !self.has_given_up
            && (self.guard.is_in_concert || middle.has_told_the_truth())
            && has_proved(meant, told, has_psk)
    }

    fn refusal(&self) -> Option<&EngineError> {
        self.refusal.reason()
    }

    fn may_fail(&self, error: &rustls::Error) -> bool {
        match error {
            rustls::Error::AlertReceived(_) => true,
            // A record that was not sealed with the next number, or a handshake that was another one.
            rustls::Error::DecryptError => false,
            _ => {
                self.is_edited
                    || mem::discriminant(&self.guard.belief)
                        != mem::discriminant(&Belief::Authority)
            }
        }
    }
}

/// Whether a server with what it was told is the one that meant it: its certificate and its proof are there, unchanged, each in its
/// place, and nothing else. Or neither, and both know a key.
fn has_proved(meant: &[Said], told: &[Said], has_psk: bool) -> bool {
    let (meant, told) = (messages(meant), messages(told));
    let mut told = told.into_iter();
    let is_meant = |message: &(Option<usize>, Vec<u8>)| meant.contains(message);
    let mut next = || {
        let message = told.next()?;
        let typ = *message.1.first()?;
        let keys = (typ != SERVER_HELLO).then_some(0);
        (message.0 == keys).then_some((typ, message))
    };
    let mut prove = || {
        let (SERVER_HELLO, _) = next()? else {
            return None;
        };
        let (ENCRYPTED_EXTENSIONS, _) = next()? else {
            return None;
        };
        if !has_psk {
            let (CERTIFICATE, certificate) = (match next()? {
                (CERTIFICATE_REQUEST, _) => next()?,
                other => other,
            }) else {
                return None;
            };
            // Behind type, length, context, and the lengths of the list and of the first entry.
            let own = certificate.1.get(4 + 1 + 3 + 3..)?;
            own.starts_with(&PAPERS.certificate).then_some(())?;
            let (CERTIFICATE_VERIFY, verify) = next()? else {
                return None;
            };
            is_meant(&verify).then_some(())?;
        }
        let (FINISHED, finished) = next()? else {
            return None;
        };
        is_meant(&finished).then_some(())
    };
    prove().is_some()
}

/// The messages of a conversation, each with the keys that protect it. `None`, where keys change within one.
fn messages(said: &[Said]) -> Vec<(Option<usize>, Vec<u8>)> {
    let bytes: Vec<_> = said.iter().map(|(_, byte)| *byte).collect();
    let (mut rest, mut said) = (&bytes[..], said);
    let mut messages = Vec::new();
    while let Some(length) = first_message(rest) {
        let (message, behind) = rest.split_at(length);
        let (keys, others) = said.split_at(length);
        let first = keys.first().and_then(|(keys, _)| *keys);
        let is_uniform = keys.iter().all(|(keys, _)| *keys == first);
        let keys = if is_uniform { first } else { Some(usize::MAX) };
        messages.push((keys, message.to_vec()));
        (rest, said) = (behind, others);
    }
    messages
}
