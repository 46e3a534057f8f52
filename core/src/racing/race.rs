//! Attempts, one after the other and beside each other.

use core::array;
use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn};
use core::task::Poll;
use core::time::Duration;

use embassy_futures::select::{Either, select, select_array};

use crate::Clock;

/// How an attempt stands.
#[derive(Clone, Copy)]
enum Stand {
    /// It has not started.
    Before,
    Started(Duration),
    Failed,
}

/// What the first of `count` attempts to succeed brings, or the errors of all. Each starts when the one before has failed, or has had `stagger` for
/// itself.
///
/// There are at most `A` attempts, in one future each, of which every wake polls all, in their order: so they need not wake each other.
pub(super) async fn first<T, E, const A: usize>(
    clock: &impl Clock,
    count: usize,
    stagger: Option<Duration>,
    attempt: impl AsyncFn(usize) -> Result<T, E>,
) -> Result<T, [Option<E>; A]> {
    let stands = [const { Cell::new(Stand::Before) }; A];
    let met = RefCell::new([const { None }; A]);
    let stand = |place: usize| stands.get(place).map_or(Stand::Before, Cell::get);
    let (stand, stands, errors, attempt) = (&stand, &stands, &met, &attempt);
    let attempts: [_; A] = array::from_fn(|place| async move {
        if place >= count {
            return pending().await;
        }
        if let Some(previous) = place.checked_sub(1) {
            wait_for_turn(|| stand(previous), stagger, clock).await;
        }
        let set = |stand| {
            if let Some(place) = stands.get(place) {
                place.set(stand);
            }
        };
        set(Stand::Started(clock.now()));
        match attempt(place).await {
            Ok(won) => won,
            Err(error) => {
                if let Some(place) = errors.borrow_mut().get_mut(place) {
                    *place = Some(error);
                }
                set(Stand::Failed);
                pending().await
            }
        }
    });
    let all_failed = until(|| {
        let mut all = (0..count).map(stand);
        all.all(|stand| matches!(stand, Stand::Failed))
            .then_some(())
    });
    match select(select_array(attempts), all_failed).await {
        Either::First((won, _)) => return Ok(won),
        Either::Second(()) => {}
    }
    Err(met.into_inner())
}

/// Waits until the attempt before has failed, or has had its time.
async fn wait_for_turn(
    previous: impl Fn() -> Stand,
    stagger: Option<Duration>,
    clock: &impl Clock,
) {
    let start = until(|| match previous() {
        Stand::Before => None,
        Stand::Started(at) => Some(Some(at)),
        Stand::Failed => Some(None),
    });
    let Some(start) = start.await else { return };
    let failed = until(|| matches!(previous(), Stand::Failed).then_some(()));
    match stagger {
        Some(stagger) => {
            let sleep = clock.sleep_until(start.saturating_add(stagger));
            select(failed, sleep).await;
        }
        None => failed.await,
    }
}

/// Waits until `condition` has something. It is asked at every poll.
async fn until<T>(condition: impl Fn() -> Option<T>) -> T {
    poll_fn(|_| condition().map_or(Poll::Pending, Poll::Ready)).await
}
