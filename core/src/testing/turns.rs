//! Futures that run at once, in an order that a seed decides.

use core::cell::Cell;
use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_util::future::{FutureExt as _, TryFuture, TryMaybeDone, try_maybe_done};
use pin_project_lite::pin_project;
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

/// Whose turn it is. The same seed gives the same turns.
///
/// Two ends that always take turns in the same way meet only some of the orders of events that a network makes. Here the first
/// begins, as clauses need it; from then on each of them goes first now and then, and now and then one is passed over, so that the
/// other gets ahead.
#[derive(Debug)]
pub(super) struct Turns {
    state: Cell<u64>,
}

impl Turns {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            state: Cell::new(seed),
        }
    }

    fn draw(&self) -> u64 {
        let drawn = SplitMix64::seed_from_u64(self.state.get()).next_u64();
        self.state.set(drawn);
        drawn
    }

    /// Runs both until one fails, or both have ended.
    pub(super) fn try_join<A: TryFuture, B: TryFuture<Error = A::Error>>(
        &self,
        a: A,
        b: B,
    ) -> impl Future<Output = Result<(A::Ok, B::Ok), A::Error>> {
        TryJoin {
            turns: self,
            begun: false,
            a: try_maybe_done(a),
            b: try_maybe_done(b),
        }
    }

    /// Runs both to their ends.
    pub(super) fn join<A: Future, B: Future>(
        &self,
        a: A,
        b: B,
    ) -> impl Future<Output = (A::Output, B::Output)> {
        let both = self.try_join(a.map(Ok::<_, Infallible>), b.map(Ok));
        both.map(|Ok(both)| both)
    }

    /// Runs four as [`try_join`](Self::try_join) runs two.
    pub(super) fn try_join4<E>(
        &self,
        a: impl Future<Output = Result<(), E>>,
        b: impl Future<Output = Result<(), E>>,
        c: impl Future<Output = Result<(), E>>,
        d: impl Future<Output = Result<(), E>>,
    ) -> impl Future<Output = Result<(), E>> {
        let all = self.try_join(self.try_join(a, b), self.try_join(c, d));
        all.map(|ended| ended.map(|_| ()))
    }
}

// A struct, because an async function would hold its arguments twice.
pin_project! {
    struct TryJoin<'t, A: TryFuture, B: TryFuture> {
        turns: &'t Turns,
        begun: bool,
        #[pin]
        a: TryMaybeDone<A>,
        #[pin]
        b: TryMaybeDone<B>,
    }
}

impl<A: TryFuture, B: TryFuture<Error = A::Error>> Future for TryJoin<'_, A, B> {
    type Output = Result<(A::Ok, B::Ok), A::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let drawn = this.turns.draw();
        let second_first = core::mem::replace(this.begun, true) && drawn & 1 != 0;
        let mut done = true;
        for (turn, second) in [second_first, !second_first].into_iter().enumerate() {
            // Passed over in one of four turns. It has its turn in the next.
            if turn == 1 && drawn & 6 == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let polled = match second {
                false => this.a.as_mut().poll(cx)?,
                true => this.b.as_mut().poll(cx)?,
            };
            done &= polled.is_ready();
        }
        match done {
            true => Poll::Ready(Ok((taken(this.a), taken(this.b)))),
            false => Poll::Pending,
        }
    }
}

fn taken<F: TryFuture>(done: Pin<&mut TryMaybeDone<F>>) -> F::Ok {
    match done.take_output() {
        Some(output) => output,
        None => unreachable!("both are done"),
    }
}
