//! Streams that are broken on purpose, each in one way, and the clauses that must catch them.
//!
//! A check that never fails proves nothing. Each flaw here is one that real streams have had.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use embedded_io_async::{ErrorType, Read, Write};
use futures_util::FutureExt as _;
use tacket::testing::{
    Makers, MemoryError, MemoryPipe, MemoryReceiveStream, MemorySendStream,
    check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket::{AsyncResource, HalfCloseable, ReceiveStream, SendStream, StapledStream};
use tacket_tests::{Patience, Recorder, examine_in};

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// A receive takes a byte out before it waits, and keeps it in its future.
    ReceiveKeepsBytesInItsFuture,
    /// A write takes its bytes at the first poll, and then waits.
    WriteTakesBeforeItWaits,
    /// `send_rest` sends, but does not say how far it got when it is dropped.
    SendRestForgetsItsProgress,
    /// A write says it took all, and took one byte less.
    WriteOverstates,
    /// A write takes nothing, and calls that a success.
    WriteTakesNothing,
    /// Every 50th receive hands its first byte out twice.
    ReceiveRepeatsAByte,
    /// An empty buffer gets the answer that means the end.
    EmptyBufferLooksLikeTheEnd,
    /// An empty send is taken for the end.
    EmptySendEnds,
    /// After the end, the next receive waits for more.
    EndIsNotSticky,
    /// Only the first send after the receiver left says so.
    BrokenIsNotSticky,
    /// Only the first receive after the sender was cut off says so; then it looks like an end.
    CutOffLooksLikeAnEndLater,
    /// Nobody tells the sender that the receiver left.
    BrokenIsNeverReported,
    /// Who waits for room is not woken when there is some.
    WaitIsNeverWoken,
    /// `close` drops instead of ending.
    CloseCutsOff,
    /// A close that fails because the peer is gone.
    CloseFailsWithoutPeer,
    /// A dropped close leaves everything open.
    DroppedCloseLeavesOpen,
    /// After `send_eof`, sends are swallowed.
    SendsAfterTheEndAreSwallowed,
    /// The second `send_eof` fails.
    SecondEndFails,
    /// A write stages its bytes, and only the next or the end sends them: a flush does nothing.
    FlushLeavesBytesStaged,
    /// `write_all` leaves the last byte out.
    WriteAllStopsShort,
    /// `read` behind the end waits for more.
    ReadIgnoresTheEnd,
    /// `read` hands its first byte out twice.
    ReadRepeatsAByte,
}

struct Sending<'p> {
    inner: Option<MemorySendStream<'p, [u8; 64]>>,
    flaw: Flaw,
    ended: bool,
    reported: bool,
    staged: Vec<u8>,
}

struct Receiving<'p> {
    inner: MemoryReceiveStream<'p, [u8; 64]>,
    flaw: Flaw,
    ended: bool,
    receives: usize,
}

impl<'p> Sending<'p> {
    fn inner(&mut self) -> &mut MemorySendStream<'p, [u8; 64]> {
        self.inner.as_mut().expect("there until it is closed")
    }

    async fn send_staged(&mut self) -> Result<(), MemoryError> {
        while let Some(&first) = self.staged.first() {
            self.inner().write(&[first]).await?;
            self.staged.remove(0);
        }
        Ok(())
    }
}

impl ErrorType for Sending<'_> {
    type Error = MemoryError;
}

impl Write for Sending<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, MemoryError> {
        match self.flaw {
            Flaw::EmptySendEnds if buf.is_empty() => {
                self.inner().send_eof().await?;
                Ok(0)
            }
            Flaw::SendsAfterTheEndAreSwallowed if self.ended => Ok(buf.len()),
            Flaw::WriteTakesNothing => {
                self.inner().write(b"").await?;
                Ok(0)
            }
            Flaw::WriteOverstates if buf.len() > 20 => {
                let count = self.inner().write(&buf[..19]).await?;
                Ok(count + 1)
            }
            Flaw::FlushLeavesBytesStaged if !buf.is_empty() => {
                self.send_staged().await?;
                let count = buf.len().min(8);
                self.staged.extend(&buf[..count]);
                Ok(count)
            }
            Flaw::WriteTakesBeforeItWaits => {
                let count = self.inner().write(buf).await?;
                let mut waited = false;
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::replace(&mut waited, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                Ok(count)
            }
            Flaw::BrokenIsNotSticky | Flaw::BrokenIsNeverReported => {
                match self.inner().write(buf).await {
                    Err(MemoryError::Broken)
                        if self.flaw == Flaw::BrokenIsNeverReported
                            || std::mem::replace(&mut self.reported, true) =>
                    {
                        Ok(buf.len())
                    }
                    result => result,
                }
            }
            _ => self.inner().write(buf).await,
        }
    }

    async fn flush(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), MemoryError> {
        let short = usize::from(self.flaw == Flaw::WriteAllStopsShort && !buf.is_empty());
        self.send_all(&buf[..buf.len() - short]).await
    }
}

impl SendStream for Sending<'_> {
    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), MemoryError> {
        let mut rest = *data;
        loop {
            let count = self.write(rest).await?;
            if count == 0 && !rest.is_empty() {
                tacket::testing::DropPoint::when_woken_after_poll(1)
                    .cut(poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        Poll::<()>::Pending
                    }))
                    .await;
            }
            rest = &rest[count..];
            if self.flaw != Flaw::SendRestForgetsItsProgress || rest.is_empty() {
                *data = rest;
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), MemoryError> {
        if self.flaw == Flaw::WaitIsNeverWoken {
            let mut waiting = std::pin::pin!(self.inner().wait_send_all_might_not_block());
            // Polled once; if it is not ready then, never again.
            if let Some(ready) = waiting.as_mut().now_or_never() {
                return ready;
            }
            return std::future::pending().await;
        }
        self.inner().wait_send_all_might_not_block().await
    }
}

impl HalfCloseable for Sending<'_> {
    async fn send_eof(&mut self) -> Result<(), MemoryError> {
        if std::mem::replace(&mut self.ended, true) && self.flaw == Flaw::SecondEndFails {
            return Err(MemoryError::Broken);
        }
        self.send_staged().await?;
        self.inner().send_eof().await
    }
}

thread_local! {
    /// What a flawed close forgot to close.
    static LEFT_OPEN: Cell<usize> = const { Cell::new(0) };
}

impl AsyncResource for Sending<'_> {
    async fn close(mut self) -> Result<(), MemoryError> {
        self.send_staged().await?;
        let inner = self.inner.take().expect("there until it is closed");
        match self.flaw {
            Flaw::CloseCutsOff => Ok(()),
            Flaw::CloseFailsWithoutPeer if !self.ended => {
                let mut inner = inner;
                match inner.wait_send_all_might_not_block().now_or_never() {
                    Some(Err(error)) => Err(error),
                    _ => inner.close().await,
                }
            }
            Flaw::DroppedCloseLeavesOpen => {
                // Leaked while it waits, as by a close that a background task should do.
                let mut inner = std::mem::ManuallyDrop::new(inner);
                LEFT_OPEN.set(LEFT_OPEN.get() + 1);
                let mut polls = 0;
                poll_fn(|cx| {
                    polls += 1;
                    cx.waker().wake_by_ref();
                    if polls > 2 {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                inner.send_eof().await?;
                drop(std::mem::ManuallyDrop::into_inner(inner));
                Ok(())
            }
            _ => inner.close().await,
        }
    }
}

impl ErrorType for Receiving<'_> {
    type Error = MemoryError;
}

impl Read for Receiving<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        match self.flaw {
            _ if buf.is_empty() => Ok(0),
            Flaw::ReadIgnoresTheEnd if self.ended => std::future::pending().await,
            Flaw::ReadRepeatsAByte if self.receives.is_multiple_of(5) && buf.len() > 1 => {
                let count = self.receive_some(&mut buf[1..]).await?;
                buf[0] = buf[1];
                Ok(if count == 0 { 0 } else { count + 1 })
            }
            _ => self.receive_some(buf).await,
        }
    }
}

impl ReceiveStream for Receiving<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        self.receives += 1;
        match self.flaw {
            Flaw::EmptyBufferLooksLikeTheEnd if buf.is_empty() => Ok(0),
            Flaw::EndIsNotSticky if self.ended => std::future::pending().await,
            Flaw::CutOffLooksLikeAnEndLater if self.ended => Ok(0),
            Flaw::CutOffLooksLikeAnEndLater => {
                let result = self.inner.receive_some(buf).await;
                self.ended |= result == Err(MemoryError::Broken);
                result
            }
            Flaw::ReceiveKeepsBytesInItsFuture => {
                let count = self.inner.receive_some(buf).await?;
                let mut waited = false;
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::replace(&mut waited, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                Ok(count)
            }
            Flaw::ReceiveRepeatsAByte if self.receives.is_multiple_of(50) && buf.len() > 1 => {
                let count = self.inner.receive_some(&mut buf[1..]).await?;
                buf[0] = buf[1];
                Ok(if count == 0 { 0 } else { count + 1 })
            }
            _ => {
                let result = self.inner.receive_some(buf).await;
                self.ended |= result == Ok(0);
                result
            }
        }
    }
}

impl AsyncResource for Receiving<'_> {
    async fn close(self) -> Result<(), MemoryError> {
        self.inner.close().await
    }
}

/// The clauses that a stream with this flaw breaks.
pub(super) fn check(flaw: Flaw) -> Recorder {
    let make = async || {
        // Leaked, because some flaws leave their ends open.
        let pipe = || &*Box::leak(Box::new(MemoryPipe::new([0; 64])));
        let ((to_right, from_left), (to_left, from_right)) =
            (pipe().open().expect("new"), pipe().open().expect("new"));
        let stream = |tx, rx| {
            StapledStream::new(
                Sending {
                    inner: Some(tx),
                    flaw,
                    ended: false,
                    reported: false,
                    staged: Vec::new(),
                },
                Receiving {
                    inner: rx,
                    flaw,
                    ended: false,
                    receives: 0,
                },
            )
        };
        (stream(to_right, from_right), stream(to_left, from_left))
    };
    examine_in(&mut [0; 1024], Patience::short(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
}

/// The flaw breaks these clauses and no others: they are the right ones.
fn assert_caught_only_by(flaw: Flaw, clauses: &[&str]) {
    let recorder = check(flaw);
    let failed: Vec<_> = recorder.failed().into_iter().collect();
    assert_eq!(failed, clauses, "{flaw:?}\n{}", recorder.text());
}

/// The flaw breaks nearly everything; these are the clauses that are about it.
fn assert_caught_by(flaw: Flaw, clauses: &[&str]) {
    let recorder = check(flaw);
    let failed = recorder.failed();
    assert!(
        clauses.iter().all(|clause| failed.contains(clause)),
        "{flaw:?}\n{}",
        recorder.text()
    );
}

macro_rules! flaws {
    ($assert:ident: $($name:ident: $flaw:ident => $clauses:expr,)*) => {
        $(#[test] fn $name() { $assert(Flaw::$flaw, &$clauses); })*
    };
}

/// Covers TST-01: each check has all clauses of the one before it.
#[test]
fn each_check_includes_the_previous() {
    let pair = tacket::testing::MemoryPair::new([0; 64], [0; 64]);
    let make = async || pair.open().expect("the last pair is gone");
    let ids = |recorder: Recorder| recorder.passed();
    let mut patience = Patience::memory();
    patience.duplex_bytes = 1 << 12;
    let one_way = ids(examine_in(&mut [0; 256], patience, async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
    }));
    let two_way = ids(examine_in(&mut [0; 256], patience, async |e| {
        check_two_way_stream(e, Makers::new(make, make)).await;
    }));
    let half_closeable = ids(examine_in(&mut [0; 256], patience, async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    }));
    assert!(one_way.is_subset(&two_way) && one_way.len() < two_way.len());
    assert!(two_way.is_subset(&half_closeable) && two_way.len() < half_closeable.len());
}

flaws! { assert_caught_only_by:
    the_same_stream_without_a_flaw_passes: None => [],
    a_receive_that_keeps_bytes_in_its_future_is_caught:
        ReceiveKeepsBytesInItsFuture => ["TKT-03", "TKT-08", "TKT-10"],
    a_cut_off_that_looks_like_an_end_later_is_caught:
        CutOffLooksLikeAnEndLater => ["RES-07", "TKT-12"],
    a_write_that_takes_before_it_waits_is_caught:
        WriteTakesBeforeItWaits => ["TKT-04", "TKT-05", "TKT-08", "TKT-10"],
    a_send_rest_that_forgets_its_progress_is_caught:
        SendRestForgetsItsProgress => ["TKT-05", "TKT-08", "TKT-10"],
    a_receive_that_repeats_a_byte_is_caught: ReceiveRepeatsAByte => ["STR-22", "STR-28", "TKT-08"],
    an_empty_buffer_that_looks_like_the_end_is_caught: EmptyBufferLooksLikeTheEnd => ["STR-04"],
    an_empty_send_that_ends_is_caught: EmptySendEnds => ["STR-02", "STR-09", "STR-25"],
    an_end_that_is_not_sticky_is_caught: EndIsNotSticky => ["STR-13"],
    a_broken_stream_that_is_not_sticky_is_caught: BrokenIsNotSticky => ["STR-09"],
    a_broken_stream_that_never_says_so_is_caught:
        BrokenIsNeverReported => ["RES-06", "STR-08", "STR-09", "STR-14", "TKT-02"],
    a_wait_that_is_never_woken_is_caught: WaitIsNeverWoken => ["STR-16", "TKT-02", "TKT-07", "TKT-08"],
    a_close_that_fails_without_a_peer_is_caught:
        CloseFailsWithoutPeer => ["RES-01", "RES-06", "STR-23", "STR-26"],
    a_dropped_close_that_leaves_open_is_caught: DroppedCloseLeavesOpen => ["RES-05"],
    sends_swallowed_after_the_end_are_caught: SendsAfterTheEndAreSwallowed => ["STR-25", "TKT-11"],
    a_second_end_that_fails_is_caught: SecondEndFails => ["STR-26", "TKT-11"],
    a_write_all_that_stops_short_is_caught: WriteAllStopsShort => ["STR-28"],
    a_read_that_ignores_the_end_is_caught: ReadIgnoresTheEnd => ["STR-13"],
}

flaws! { assert_caught_by:
    a_write_that_takes_nothing_is_caught: WriteTakesNothing => ["TKT-01"],
    a_flush_that_leaves_bytes_staged_is_caught: FlushLeavesBytesStaged => ["TKT-01", "TKT-06"],
    a_read_that_repeats_a_byte_is_caught: ReadRepeatsAByte => ["STR-28"],
    a_write_that_overstates_is_caught: WriteOverstates => ["STR-01", "TKT-01"],
    a_close_that_cuts_off_is_caught: CloseCutsOff => ["RES-01", "STR-13"],
}
