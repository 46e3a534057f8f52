//! Foreign `embedded-io-async` types behind `Foreign`.

use std::collections::VecDeque;

use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};
use tacket::{Error as _, Fault, Foreign, ForeignError, HalfCloseable, ReceiveStream, SendStream};

/// A foreign type that answers from a script.
#[derive(Debug, Default)]
struct Scripted {
    reads: VecDeque<Result<&'static [u8], ErrorKind>>,
    writes: VecDeque<Result<usize, ErrorKind>>,
    calls: usize,
}

impl ErrorType for Scripted {
    type Error = ErrorKind;
}

impl Read for Scripted {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.calls += 1;
        let data = self
            .reads
            .pop_front()
            .expect("no more reads than scripted")?;
        buf[..data.len()].copy_from_slice(data);
        Ok(data.len())
    }
}

impl Write for Scripted {
    async fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        self.calls += 1;
        self.writes
            .pop_front()
            .expect("no more writes than scripted")
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tacket_std::run(future).expect("an event loop")
}

/// The foreign end may come back to life; a tacket end does not.
#[test]
fn the_first_end_is_the_end() {
    let reads = [Ok(&b"abc"[..]), Ok(b""), Ok(b"more")].into();
    let mut stream = Foreign::new(Scripted {
        reads,
        ..Scripted::default()
    });
    let mut buf = [0; 8];
    run(async {
        assert_eq!(stream.receive_some(&mut buf).await, Ok(3));
        for _ in 0..3 {
            assert_eq!(stream.receive_some(&mut buf).await, Ok(0));
        }
    });
}

#[test]
fn a_broken_foreign_stream_stays_broken_in_its_direction() {
    let mut stream = Foreign::new(Scripted {
        reads: [Ok(&b"x"[..])].into(),
        writes: [Ok(1), Err(ErrorKind::ConnectionReset)].into(),
        calls: 0,
    });
    run(async {
        assert_eq!(
            stream.send_all(b"ab").await,
            Err(ForeignError::Inner(ErrorKind::ConnectionReset))
        );
        for data in [&b"cd"[..], b""] {
            let again = stream.send_all(data).await.expect_err("broken");
            assert_eq!(
                (again.fault(), again.kind()),
                (Fault::Broken, ErrorKind::BrokenPipe)
            );
        }
        assert_eq!(stream.receive_some(&mut [0; 4]).await, Ok(1));
    });
    assert_eq!(stream.inner().calls, 3);
}

#[test]
fn a_passing_error_is_reported_once() {
    let mut stream = Foreign::new(Scripted {
        writes: [Err(ErrorKind::TimedOut), Ok(2)].into(),
        ..Scripted::default()
    });
    run(async {
        assert_eq!(
            stream.send_all(b"ab").await.expect_err("scripted").fault(),
            Fault::TimedOut
        );
        assert_eq!(stream.send_all(b"ab").await, Ok(()));
    });
}

#[test]
fn a_write_that_takes_nothing_is_an_error_and_no_endless_loop() {
    let mut stream = Foreign::new(Scripted {
        writes: [Ok(0)].into(),
        ..Scripted::default()
    });
    let error = run(stream.send_all(b"ab")).expect_err("nothing was taken");
    assert_eq!(
        (error, error.fault()),
        (ForeignError::WriteZero, Fault::Broken)
    );
}

#[test]
fn empty_buffers_do_not_reach_the_foreign_type() {
    let mut stream = Foreign::new(Scripted::default());
    run(async {
        assert_eq!(
            stream.receive_some(&mut []).await,
            Err(ForeignError::EmptyBuffer)
        );
        assert_eq!(stream.read(&mut []).await, Ok(0));
        assert_eq!(stream.write(b"").await, Ok(0));
    });
    assert_eq!(stream.inner().calls, 0);
}

#[test]
fn a_foreign_stream_has_no_end_of_its_own() {
    let mut stream = Foreign::new(Scripted::default());
    let error = run(stream.send_eof()).expect_err("unsupported");
    assert_eq!(error.fault(), Fault::Unsupported);
}

/// Covers STR-20: the wait of a foreign stream always returns early, and the check accepts that.
#[cfg(unix)]
#[test]
fn foreign_halves_stapled_with_close_as_their_end_keep_the_contract() {
    use tacket::testing::{Makers, check_half_closeable_stream};
    use tacket::{CloseOnEof, StapledStream};
    use tacket_std::{PipeReceiveStream, PipeSendStream};
    use tacket_tests::{Patience, examine};

    let make = async || {
        let pipe = || {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            let tx = Foreign::new(PipeSendStream::new(writer).expect("a write end"));
            (
                CloseOnEof::new(tx),
                Foreign::new(PipeReceiveStream::new(reader).expect("a read end")),
            )
        };
        let ((to_right, from_left), (to_left, from_right)) = (pipe(), pipe());
        (
            StapledStream::new(to_right, from_right),
            StapledStream::new(to_left, from_left),
        )
    };
    let recorder = examine(Patience::system(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    });
    recorder.assert_clean(&["STR-16", "TKT-12"]);
}
