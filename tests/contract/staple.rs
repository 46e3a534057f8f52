//! Two halves stapled together.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::future::pending;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use futures_util::FutureExt as _;
use tacket::testing::MemoryPipe;
use tacket::{
    AsyncResource, CloseOnEof, CloseOnEofError, Error, Fault, HalfCloseable, IntoSplit,
    ReceiveStream, SendStream, Split, StapledError, StapledStream,
};

/// What happened to the halves, in order.
type Log = RefCell<Vec<&'static str>>;

/// How a half's close goes.
#[derive(Clone, Copy)]
enum Closing {
    Works,
    Fails,
    Hangs,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct CloseFailed;

impl fmt::Display for CloseFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no grace")
    }
}

impl std::error::Error for CloseFailed {}

impl embedded_io_async::Error for CloseFailed {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

impl Error for CloseFailed {
    fn fault(&self) -> Fault {
        Fault::TimedOut
    }
}

/// A half that records what is done to it; `name` is what its drop writes.
struct Half<'a> {
    name: &'static str,
    log: &'a Log,
    closing: Closing,
}

impl Half<'_> {
    fn note(&self, what: &'static str) {
        self.log.borrow_mut().push(what);
    }
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        self.note(self.name);
    }
}

impl ErrorType for Half<'_> {
    type Error = CloseFailed;
}

impl Write for Half<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, CloseFailed> {
        self.note(if buf == b"data" {
            "write data"
        } else {
            "write something else"
        });
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), CloseFailed> {
        self.note("flush");
        Ok(())
    }
}

impl SendStream for Half<'_> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), CloseFailed> {
        self.note("wait");
        Ok(())
    }
}

impl HalfCloseable for Half<'_> {
    async fn send_eof(&mut self) -> Result<(), CloseFailed> {
        self.note("send_eof");
        Ok(())
    }
}

impl Read for Half<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, CloseFailed> {
        self.receive_some(buf).await
    }
}

impl ReceiveStream for Half<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, CloseFailed> {
        self.note(if buf.len() == 7 {
            "receive 7"
        } else {
            "receive another number"
        });
        Ok(1)
    }
}

impl AsyncResource for Half<'_> {
    async fn close(self) -> Result<(), CloseFailed> {
        self.note("close");
        match self.closing {
            Closing::Works => Ok(()),
            Closing::Fails => Err(CloseFailed),
            Closing::Hangs => pending().await,
        }
    }
}

/// A stapled stream of two recording halves with these closes.
fn staple(log: &Log, send: Closing, receive: Closing) -> StapledStream<Half<'_>, Half<'_>> {
    StapledStream::new(
        Half {
            name: "send half gone",
            log,
            closing: send,
        },
        Half {
            name: "receive half gone",
            log,
            closing: receive,
        },
    )
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

/// Covers STA-01.
#[test]
fn sends_go_to_the_send_half_unchanged_and_nowhere_else() {
    let log = Log::default();
    let mut stream = staple(&log, Closing::Works, Closing::Works);
    now(async {
        stream.send_all(b"data").await?;
        stream.wait_send_all_might_not_block().await?;
        stream.send_eof().await
    })
    .expect("the half succeeds");
    assert_eq!(*log.borrow(), ["write data", "flush", "wait", "send_eof"]);
}

/// Covers STA-02.
#[test]
fn receives_go_to_the_receive_half_unchanged_and_nowhere_else() {
    let log = Log::default();
    let mut stream = staple(&log, Closing::Works, Closing::Works);
    assert_eq!(now(stream.receive_some(&mut [0; 7])), Ok(1));
    assert_eq!(*log.borrow(), ["receive 7"]);
}

/// Covers STA-03.
#[test]
fn the_halves_stay_reachable_with_their_own_types() {
    let pipe = MemoryPipe::new([0; 8]);
    let (tx, rx) = pipe.open().expect("a new pipe");
    let stream = StapledStream::new(CloseOnEof::new(tx), rx);
    let StapledStream {
        send_stream,
        receive_stream,
    } = stream;
    assert!(send_stream.into_inner().is_some());
    now(receive_stream.close()).expect("closes");
}

/// Covers STA-04.
#[test]
fn the_end_of_a_send_half_without_an_end_is_its_close() {
    let log = Log::default();
    let half = Half {
        name: "send half gone",
        log: &log,
        closing: Closing::Works,
    };
    let mut stream = StapledStream::new(CloseOnEof::new(half), Nothing);
    now(async {
        stream.send_eof().await?;
        stream.send_eof().await
    })
    .expect("ends");
    assert_eq!(*log.borrow(), ["flush", "close", "send half gone"]);
    assert_eq!(
        now(stream.send_all(b"x")).expect_err("closed").fault(),
        Fault::Closed
    );
}

#[test]
fn an_end_that_was_cut_or_failed_is_not_taken_for_one() {
    for closing in [Closing::Hangs, Closing::Fails] {
        let log = Log::default();
        let half = || Half {
            name: "gone",
            log: &log,
            closing,
        };
        let mut tx = CloseOnEof::new(half());
        assert_ne!(tx.send_eof().now_or_never(), Some(Ok(())));
        for _ in 0..2 {
            assert_eq!(now(tx.send_eof()), Err(CloseOnEofError::Cut));
        }
        let refused = now(tx.send_all(b"x")).expect_err("closed");
        assert_eq!(refused.fault(), Fault::Closed);
        let error = now(tx.close()).expect_err("no end");
        assert_eq!(error.fault(), Fault::Broken);
    }
}

#[test]
fn a_close_flushes_what_was_taken_before_it_closes() {
    let log = Log::default();
    let half = Half {
        name: "gone",
        log: &log,
        closing: Closing::Works,
    };
    now(CloseOnEof::new(half).close()).expect("closes");
    assert_eq!(*log.borrow(), ["flush", "close", "gone"]);
}

/// Covers STA-05.
#[test]
fn close_closes_the_send_half_and_then_the_receive_half() {
    let log = Log::default();
    assert_eq!(
        now(staple(&log, Closing::Works, Closing::Works).close()),
        Ok(())
    );
    assert_eq!(
        *log.borrow(),
        ["close", "send half gone", "close", "receive half gone"]
    );
}

#[test]
fn close_reaches_the_second_half_when_the_first_fails() {
    let log = Log::default();
    let failed = now(staple(&log, Closing::Fails, Closing::Works).close());
    assert_eq!(failed, Err(StapledError::Send(CloseFailed)));
    assert_eq!(
        *log.borrow(),
        ["close", "send half gone", "close", "receive half gone"]
    );
}

#[test]
fn the_first_error_of_a_close_is_the_one_reported() {
    let log = Log::default();
    let failed = now(staple(&log, Closing::Fails, Closing::Fails).close());
    assert_eq!(failed, Err(StapledError::Send(CloseFailed)));
    let failed = now(staple(&log, Closing::Works, Closing::Fails).close());
    assert_eq!(failed, Err(StapledError::Receive(CloseFailed)));
}

#[test]
fn a_close_dropped_midway_has_closed_both_halves() {
    for (send, receive) in [
        (Closing::Hangs, Closing::Works),
        (Closing::Works, Closing::Hangs),
    ] {
        let log = Log::default();
        let closing = staple(&log, send, receive).close();
        assert!(closing.now_or_never().is_none());
        let log = log.into_inner();
        assert!(
            log.contains(&"send half gone") && log.contains(&"receive half gone"),
            "{log:?}"
        );
    }
}

#[test]
fn an_error_names_its_half_and_keeps_its_fault() {
    let error: StapledError<CloseFailed, Infallible> = StapledError::Send(CloseFailed);
    assert_eq!(error.to_string(), "send half: no grace");
    assert_eq!(error.fault(), Fault::TimedOut);
}

#[test]
fn borrowed_halves_do_what_the_stream_does_and_close_nothing() {
    let log = Log::default();
    let mut stream = staple(&log, Closing::Works, Closing::Works);
    {
        let (mut tx, mut rx) = stream.split();
        now(tx.send_all(b"data")).expect("sends");
        now(rx.receive_some(&mut [0; 7])).expect("receives");
    }
    assert_eq!(*log.borrow(), ["write data", "flush", "receive 7"]);
}

#[test]
fn a_mutable_reference_is_a_stream_too() {
    async fn greet(mut stream: impl Split) -> Cell<usize> {
        let (mut tx, _) = stream.split();
        Cell::new(tx.write(b"data").await.unwrap_or_default())
    }
    let log = Log::default();
    let mut stream = staple(&log, Closing::Works, Closing::Works);
    assert_eq!(now(greet(&mut stream)).get(), 4);
    now(stream.close()).expect("still there to close");
}

/// A receive half that nobody receives from.
#[derive(Debug)]
struct Nothing;

impl ErrorType for Nothing {
    type Error = Infallible;
}

#[test]
fn halves_that_are_given_away_close_on_their_own_and_can_be_stapled_again() {
    let (there, back) = (MemoryPipe::new([0; 16]), MemoryPipe::new([0; 16]));
    let (tx, mut far_rx) = there.open().expect("not open yet");
    let (mut far_tx, rx) = back.open().expect("not open yet");
    let talk = async {
        let (mut tx, rx) = StapledStream::new(tx, rx).into_split();
        tx.send_all(b"to").await.expect("sends");
        let (mut tx, mut rx) = StapledStream::reunite(tx, rx)
            .map_err(drop)
            .expect("any two")
            .into_split();
        tx.send_all(b"gether").await.expect("sends");
        tx.close().await.expect("closes");
        let mut buf = [0; 16];
        assert_eq!(far_rx.receive_some(&mut buf).await, Ok(8));
        assert_eq!(far_rx.receive_some(&mut buf).await, Ok(0));
        far_tx.send_all(b"yes").await.expect("sends");
        assert_eq!(rx.receive_some(&mut buf).await, Ok(3));
        rx.close().await.expect("closes");
        assert!(far_tx.send_all(b"no").await.is_err());
    };
    talk.now_or_never().expect("it does not wait");
}
