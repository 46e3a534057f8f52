//! The contract on pipes of the operating system, stapled.

#![cfg(unix)]

use std::process::{Command, Stdio};

use tacket::testing::{
    Makers, check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket::{
    AsyncResource, CloseOnEof, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream,
    StapledStream,
};
use tacket_std::{PipeReceiveStream, PipeSendStream};
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
    .assert_clean(&[]);
}

#[test]
fn stapled_pipes_keep_the_contract_of_two_way_streams() {
    let make = async || stapled_pair();
    examine(Patience::system(), async |e| {
        check_two_way_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
}

#[test]
fn stapled_pipes_keep_the_contract_of_half_closeable_streams() {
    let make = async || stapled_pair();
    examine(Patience::system(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
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
        error.to_string().contains("neither a pipe nor a socket"),
        "{error}"
    );
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
