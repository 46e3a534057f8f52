//! What an end does.

use embedded_io_async::Write as _;
use futures_util::future::join;
use tacket::testing::{DropPoint, MemoryError, MemoryStream};
use tacket::{AsyncResource as _, HalfCloseable as _, ReceiveStream, SendStream, Split as _};
use tacket_tls::{TlsError, TlsStream};

use super::ledger::Ledger;

pub(super) type Tls<'p> = TlsStream<MemoryStream<'p, Vec<u8>>>;

/// Something to do, and after how many polls it is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) deed: Deed,
    pub(super) polls: Option<usize>,
}

/// What there is to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Nothing,
    Handshake,
    Send(usize),
    Receive(usize),
    /// Sends and receives at the same time.
    Exchange(usize),
    /// Without a flush.
    Write(usize),
    Flush,
    SendEof,
    Shutdown,
    UpdateKeys,
    WaitToSend,
    Close,
    Drop,
}

/// One end of the session.
#[derive(Debug)]
pub(super) struct End<'p> {
    pub(super) tls: Option<Tls<'p>>,
    pub(super) is_lax: bool,
}

impl End<'_> {
    /// Does it, and checks what comes of it. `honest` says that the wire is.
    pub(super) async fn act(&mut self, act: Act, sent: &Ledger, received: &Ledger, honest: bool) {
        if matches!(act.deed, Deed::Close | Deed::Drop) {
            sent.is_gone.set(true);
        }
        let doing = self.perform(act.deed, sent, received);
        let done = match act.polls {
            None => Some(doing.await),
            Some(polls) => DropPoint::after_poll(polls).cut(doing).await,
        };
        if let Some(Err(error)) = done {
            let is_allowed = match error {
                TlsError::Engine(_) => !honest,
                TlsError::Broken | TlsError::Transport(_) | TlsError::Truncated => {
                    !honest || received.is_gone.get() || sent.is_gone.get()
                }
                _ => true,
            };
            assert!(is_allowed, "{act:?}: {error:?}");
        }
    }

    async fn perform(
        &mut self,
        deed: Deed,
        sent: &Ledger,
        received: &Ledger,
    ) -> Result<(), TlsError<MemoryError>> {
        let is_lax = self.is_lax;
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        match deed {
            Deed::Nothing => Ok(()),
            Deed::Handshake => tls.do_handshake().await,
            Deed::Send(length) => send(tls, length, sent).await,
            Deed::Receive(length) => receive(tls, length, received, is_lax).await,
            Deed::Exchange(length) => {
                let (mut tx, mut rx) = tls.split();
                let both = join(
                    send(&mut tx, length, sent),
                    receive(&mut rx, length, received, is_lax),
                );
                let (sending, receiving) = both.await;
                sending.and(receiving)
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
                received.arrive_at_end();
                Ok(())
            }
            Deed::UpdateKeys => tls.update_keys().await,
            Deed::WaitToSend => tls.wait_send_all_might_not_block().await,
            Deed::Close => match self.tls.take() {
                Some(tls) => {
                    sent.end();
                    tls.close().await
                }
                None => Ok(()),
            },
            Deed::Drop => {
                self.tls = None;
                Ok(())
            }
        }
    }
}

pub(super) async fn send<S>(tx: &mut S, length: usize, sent: &Ledger) -> Result<(), S::Error>
where
    S: SendStream,
{
    let data = sent.next(length);
    sent.offer(data.len());
    let mut sending = Sending { rest: &data, sent };
    tx.send_rest(&mut sending.rest).await
}

/// Notes what was not taken of a send, however it ends, by a drop too.
struct Sending<'a> {
    rest: &'a [u8],
    sent: &'a Ledger,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.sent.withdraw(self.rest.len());
    }
}

async fn receive<R>(
    rx: &mut R,
    length: usize,
    received: &Ledger,
    is_lax: bool,
) -> Result<(), R::Error>
where
    R: ReceiveStream,
{
    let mut buf = vec![0; length.max(1)];
    match rx.receive_some(&mut buf).await? {
        0 if is_lax => {}
        0 => received.arrive_at_end(),
        count => received.arrive(buf.get(..count).unwrap_or_default()),
    }
    Ok(())
}
