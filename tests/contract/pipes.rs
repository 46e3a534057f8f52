//! The contract on pipes of the operating system, stapled.

#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::Duration;

use tacket::testing::{
    Makers, check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket::{
    AsyncResource, Clock as _, CloseOnEof, Error as _, Fault, HalfCloseable, ReceiveStream,
    SendStream, StapledStream, timeout,
};
use tacket_std::{MonotonicClock, PipeReceiveStream, PipeSendStream};
use tacket_tests::{Patience, examine};

type PipeStream = StapledStream<CloseOnEof<PipeSendStream>, PipeReceiveStream>;

fn pipe() -> (PipeSendStream, PipeReceiveStream) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let tx = PipeSendStream::new(writer).expect("a write end");
    let rx = PipeReceiveStream::new(reader).expect("a read end");
    (tx, rx)
}

fn stapled_pair() -> (PipeStream, PipeStream) {
    let ((to_right, from_left), (to_left, from_right)) = (pipe(), pipe());
    (
        StapledStream::new(CloseOnEof::new(to_right), from_right),
        StapledStream::new(CloseOnEof::new(to_left), from_left),
    )
}

#[test]
fn pipes_keep_the_contract_of_one_way_streams() {
    let make = async || pipe();
    examine(Patience::system(), async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&["TKT-12"]);
}

#[test]
fn stapled_pipes_keep_the_contract_of_two_way_streams() {
    let make = async || stapled_pair();
    examine(Patience::system(), async |e| {
        check_two_way_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&["TKT-12"]);
}

#[test]
fn stapled_pipes_keep_the_contract_of_half_closeable_streams() {
    let make = async || stapled_pair();
    examine(Patience::system(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&["TKT-12"]);
}

#[test]
fn a_child_that_dies_breaks_the_send_half_and_ends_the_receive_half() {
    let mut child = Command::new("sh")
        .args(["-c", "kill -9 $$"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let tx = PipeSendStream::new(child.stdin.take().expect("piped")).expect("a pipe");
    let rx = PipeReceiveStream::new(child.stdout.take().expect("piped")).expect("a pipe");
    let mut stream = StapledStream::new(CloseOnEof::new(tx), rx);
    tacket_std::run(async {
        assert_eq!(stream.receive_some(&mut [0; 16]).await.expect("the end"), 0);
        let error = loop {
            if let Err(error) = stream.send_all(&[0; 4096]).await {
                break error;
            }
        };
        assert_eq!(error.fault(), Fault::Broken);
        stream
            .close()
            .await
            .expect("a gone peer is no failure of a close");
    })
    .expect("an event loop");
    assert!(!child.wait().expect("reaped").success());
}

#[test]
fn what_a_child_wrote_before_it_died_arrives() {
    let mut child = Command::new("sh")
        .args(["-c", "printf 'last words'; kill -9 $$"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut rx = PipeReceiveStream::new(child.stdout.take().expect("piped")).expect("a pipe");
    tacket_std::run(async {
        let (mut got, mut buf) = (Vec::new(), [0; 4]);
        while let count @ 1.. = rx.receive_some(&mut buf).await.expect("no error") {
            got.extend_from_slice(&buf[..count]);
        }
        assert_eq!(got, b"last words");
    })
    .expect("an event loop");
    child.wait().expect("reaped");
}

#[test]
fn a_file_is_no_pipe_and_the_error_says_so() {
    let file = std::fs::File::open(file!().trim_start_matches("tests/")).expect("this file");
    let error = PipeReceiveStream::new(file).expect_err("not a pipe");
    assert_eq!(error.fault(), Fault::Unsupported);
    assert!(
        error
            .to_string()
            .contains("neither a pipe nor a stream socket"),
        "{error}"
    );
}

#[test]
fn a_socket_of_datagrams_is_no_stream() {
    let (left, right) = std::os::unix::net::UnixDatagram::pair().expect("a pair");
    let refused = PipeSendStream::new(left).expect_err("no stream");
    assert_eq!(refused.fault(), Fault::Unsupported);
    let refused = PipeReceiveStream::new(right).expect_err("no stream");
    assert_eq!(refused.fault(), Fault::Unsupported);
    let (left, right) = std::os::unix::net::UnixStream::pair().expect("a pair");
    PipeSendStream::new(left).expect("a stream");
    PipeReceiveStream::new(right).expect("a stream");
}

/// A read of the system stops at the end of a packet, although there is more.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_of_packets_keeps_nothing_back() {
    use embedded_io_async::Read as _;
    let packets = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::DIRECT);
    let (reader, writer) = packets.expect("a pipe");
    let mut rx = PipeReceiveStream::new(reader).expect("a read end");
    let writer = std::fs::File::from(writer);
    tacket_std::run(async {
        let clock = MonotonicClock::new();
        // The loop has seen that there is something to read.
        for packet in [b"abc", b"def"] {
            std::io::Write::write_all(&mut &writer, packet).expect("room");
        }
        clock
            .sleep_until(clock.now() + Duration::from_millis(5))
            .await;
        let mut buf = [0; 6];
        let reading = async {
            let mut count = 0;
            while let Some(rest @ [_, ..]) = buf.get_mut(count..) {
                let mut wide = [0; 64];
                let read = rx.read(&mut wide).await.expect("more");
                rest[..read].copy_from_slice(&wide[..read]);
                count += read;
            }
        };
        let read = timeout(&clock, Duration::from_secs(5), reading).await;
        read.expect("nothing is kept back");
        assert_eq!(&buf, b"abcdef");
    })
    .expect("an event loop");
}

/// Its reader saw the end of one writer; then there is another, that says nothing yet.
#[cfg(target_os = "linux")]
#[test]
fn a_named_pipe_that_is_opened_again_can_be_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
    let path = std::env::temp_dir().join(format!("tacket-{}.fifo", std::process::id()));
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a named pipe");
    let opened = |flags| open(&path, flags | OFlags::NONBLOCK, Mode::empty()).expect("opens");
    let reader = opened(OFlags::RDONLY);
    let first = opened(OFlags::WRONLY);
    let mut rx = PipeReceiveStream::new(reader).expect("a read end");
    tacket_std::run(async {
        let clock = MonotonicClock::new();
        drop(first);
        clock
            .sleep_until(clock.now() + Duration::from_millis(5))
            .await;
        let second = std::fs::File::from(opened(OFlags::WRONLY));
        let limit = Duration::from_millis(20);
        let silence = timeout(&clock, limit, rx.receive_some(&mut [0; 8])).await;
        silence.expect_err("nothing came");
        std::io::Write::write_all(&mut &second, b"abc").expect("room");
        let limit = Duration::from_secs(5);
        let received = timeout(&clock, limit, rx.receive_some(&mut [0; 8])).await;
        assert_eq!(received.expect("it came").expect("data"), 3);
    })
    .expect("an event loop");
    std::fs::remove_file(path).expect("it is there");
}

#[test]
fn the_end_of_a_pipe_is_its_close() {
    tacket_std::run(async {
        let (tx, mut rx) = pipe();
        let mut tx = CloseOnEof::new(tx);
        tx.send_all(b"abc").await.expect("sends");
        tx.send_eof().await.expect("ends");
        assert!(tx.stream().is_none());
        assert_eq!(rx.receive_some(&mut [0; 16]).await.expect("data"), 3);
        assert_eq!(rx.receive_some(&mut [0; 16]).await.expect("the end"), 0);
        let error = tx.send_all(b"x").await.expect_err("closed");
        assert_eq!(error.fault(), Fault::Closed);
    })
    .expect("an event loop");
}
