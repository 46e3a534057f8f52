//! A client's side of a conversation.

use embassy_futures::select::{Either, select};
use futures_util::future::join;
use tacket::testing::Pattern;
use tacket::{
    AsyncResource as _, Error as _, Fault, HalfCloseable as _, ReceiveStream, SendStream,
    Split as _,
};
use tacket_std::{IoError, TcpStream};

use crate::answer::add;
use crate::opening::Ending;
use crate::plan::{Dice, Pace, Pauses, Plan};

/// What the receiving direction comes to.
#[derive(Debug)]
#[expect(dead_code, reason = "told as they are")]
enum Received {
    /// The server's end, after so much.
    End(u64),
    /// A failure.
    Failed(IoError),
    /// Another byte than the server's seed says, at this place.
    Differs(u64),
}

/// What was sent and received by a client, or by all.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    pub(crate) sent: core::cell::Cell<u64>,
    pub(crate) received: core::cell::Cell<u64>,
}

/// Does what `plan` says, with a server that says what `seed` says.
pub(crate) async fn converse(
    mut stream: TcpStream,
    seed: u64,
    mut plan: Plan,
    pace: &Pace,
    bytes: &Bytes,
) -> Result<Ending, String> {
    let ending = plan.opening.ending;
    let (mut tx, mut rx) = stream.split();
    let receiving = Receiving {
        expected: Pattern::new(seed),
        slow_step: plan.slow_step,
        bytes,
    };
    let receiving = receiving.run(&mut rx, plan.read, Pauses::new(pace), &mut plan.receiving);
    let opening = plan.opening.to_bytes();
    let sending = async {
        tx.send_all(&opening).await?;
        let pauses = Pauses::new(pace);
        let (says, seed) = (plan.says, plan.opening.seed);
        say(&mut tx, says, seed, pauses, &mut plan.sending, bytes).await?;
        match ending {
            Ending::Orderly => tx.send_eof().await,
            Ending::ClientResets | Ending::ServerResets => Ok(()),
        }
    };
    match ending {
        Ending::Orderly => {
            let all = plan.opening.length + plan.opening.tail;
            match join(sending, receiving).await {
                (Ok(()), Received::End(end)) if end == all => {}
                other => return Err(format!("not the end after {all} bytes: {other:?}")),
            }
            let closed = stream.close().await;
            closed.map_err(|error| format!("closing: {error}"))?;
        }
        Ending::ClientResets => {
            match select(sending, receiving).await {
                Either::First(Ok(())) => {}
                Either::First(Err(error)) => return Err(format!("sending: {error}")),
                Either::Second(received) => {
                    return Err(format!("before the reset: {received:?}"));
                }
            }
            stream.close_forcefully();
        }
        Ending::ServerResets => match join(sending, receiving).await {
            (sent, Received::Failed(error))
                if sent.as_ref().err().is_none_or(is_broken) && is_broken(&error) => {}
            other => return Err(format!("no reset: {other:?}")),
        },
    }
    Ok(ending)
}

fn is_broken(error: &IoError) -> bool {
    error.fault() == Fault::Broken
}

/// Says `length` bytes of the pattern of `seed`, in pieces, with pauses.
async fn say<S: SendStream>(
    tx: &mut S,
    length: u64,
    seed: u64,
    pauses: Pauses<'_>,
    dice: &mut Dice,
    bytes: &Bytes,
) -> Result<(), S::Error> {
    let mut pattern = Pattern::new(seed);
    pauses.next(dice).await;
    while pattern.position() < length {
        let mut piece = vec![0; dice.piece(length - pattern.position())];
        pattern.fill(&mut piece);
        let mut rest = piece.as_slice();
        let sent = tx.send_rest(&mut rest).await;
        add(&bytes.sent, (piece.len() - rest.len()) as u64);
        sent?;
        drop(piece); // not over the pause
        pauses.next(dice).await;
    }
    Ok(())
}

/// What receives and checks.
struct Receiving<'c> {
    expected: Pattern,
    slow_step: Option<u64>,
    bytes: &'c Bytes,
}

impl Receiving<'_> {
    async fn run<R: ReceiveStream<Error = IoError>>(
        mut self,
        rx: &mut R,
        most: usize,
        pauses: Pauses<'_>,
        dice: &mut Dice,
    ) -> Received {
        let mut buf = vec![0; most];
        let mut next_pause = self.slow_step.map_or(u64::MAX, |_| 0);
        loop {
            if self.expected.position() >= next_pause {
                next_pause = self.expected.position() + self.slow_step.unwrap_or_default();
                pauses.next(dice).await;
            }
            match rx.receive_some(&mut buf).await {
                Ok(0) => return Received::End(self.expected.position()),
                Ok(count) => {
                    add(&self.bytes.received, count as u64);
                    if let Err(place) = self.expected.verify(&buf[..count]) {
                        return Received::Differs(place);
                    }
                }
                Err(error) => return Received::Failed(error),
            }
        }
    }
}
