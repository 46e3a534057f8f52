//! Our TCP listener accepts; a foreign client is at the other end.

use core::time::Duration;

use futures_util::future::join;
use serde_json::Value;
use tacket::{AsyncResource, Clock, HalfCloseable, SendStream, Split};
use tacket_std::{MonotonicClock, TcpStream};

use crate::data::{
    CLIENTS, MIB, SERVERS, receive, receive_end, receive_pattern, send_pattern, sha256,
};
use crate::peer::{Ours, Peer, field};

/// Serves `ours` to the client in `mode`, and returns the client's last report.
fn against(
    mode: &str,
    options: &[&str],
    ours: impl AsyncFnOnce(TcpStream) + Send + 'static,
) -> Value {
    let (ours, port) = Ours::serve(ours);
    let (mode, port) = (format!("--mode={mode}"), format!("--port={port}"));
    let peer = Peer::start(
        "tcp_peer.py",
        &[&["client", &mode, &port], options].concat(),
    );
    // The client first: where our side waits for a client that has failed, the client says why.
    let done = peer.finish();
    ours.finish();
    done
}

async fn close(stream: TcpStream) {
    stream.close().await.expect("a graceful close");
}

#[test]
fn an_echo_server_serves_a_client_that_sends_and_receives_at_once() {
    let done = against("echo", &[], async |mut stream| {
        let mut buf = vec![0; 5_000];
        loop {
            match receive(&mut stream, &mut buf).await {
                0 => break,
                count => {
                    let chunk = buf.split_at(count).0;
                    stream.send_all(chunk).await.expect("the echo can be sent");
                }
            }
        }
        stream.send_eof().await.expect("the end can be sent");
        close(stream).await;
    });
    assert_eq!(field(&done, "sha256"), &sha256(CLIENTS, MIB));
}

#[test]
fn an_answer_after_the_clients_end_arrives_whole() {
    let done = against("echo-after-eof", &[], async |mut stream| {
        receive_pattern(&mut stream, CLIENTS, MIB).await;
        receive_end(&mut stream).await;
        send_pattern(&mut stream, CLIENTS, MIB).await;
        close(stream).await;
    });
    assert_eq!(field(&done, "sha256"), &sha256(CLIENTS, MIB));
}

#[test]
fn receiving_goes_on_after_our_own_end() {
    let done = against("eof-first", &[], async |mut stream| {
        let greeting = stream.send_all(b"greeting\n").await;
        greeting.expect("the greeting can be sent");
        stream.send_eof().await.expect("the end can be sent");
        receive_pattern(&mut stream, CLIENTS, MIB).await;
        receive_end(&mut stream).await;
        close(stream).await;
    });
    assert_eq!(field(&done, "bytes"), MIB);
}

#[test]
fn an_accepted_stream_carries_both_directions_at_the_same_time() {
    let done = against("duplex", &[], async |mut stream| {
        let (mut tx, mut rx) = stream.split();
        let sending = async {
            send_pattern(&mut tx, SERVERS, MIB).await;
            tx.send_eof().await.expect("the end can be sent");
        };
        let receiving = async {
            receive_pattern(&mut rx, CLIENTS, MIB).await;
            receive_end(&mut rx).await;
        };
        join(sending, receiving).await;
        close(stream).await;
    });
    assert_eq!(field(&done, "sha256"), &sha256(SERVERS, MIB));
}

#[test]
fn close_delivers_everything_that_was_sent_before_it() {
    let done = against("source", &[], async |mut stream| {
        send_pattern(&mut stream, SERVERS, MIB).await;
        close(stream).await;
    });
    assert_eq!(field(&done, "sha256"), &sha256(SERVERS, MIB));
}

#[test]
fn what_waited_in_the_buffers_of_a_slow_server_is_all_there() {
    // More than the buffers of both ends hold, so that the client too is held up.
    const LENGTH: usize = 12 * MIB;
    let bytes = format!("--bytes={LENGTH}");
    let done = against("slow-reader", &[&bytes], async |mut stream| {
        let clock = MonotonicClock::new();
        let later = clock.now() + Duration::from_millis(500);
        clock.sleep_until(later).await;
        receive_pattern(&mut stream, CLIENTS, LENGTH).await;
        receive_end(&mut stream).await;
        close(stream).await;
    });
    assert_eq!(field(&done, "bytes"), LENGTH);
}

#[test]
fn dropping_a_stream_in_use_resets_the_connection() {
    against("rst", &[], async |mut stream| {
        receive_pattern(&mut stream, CLIENTS, MIB).await;
        drop(stream);
    });
}

#[test]
fn dropping_a_stream_at_once_resets_the_connection() {
    against("rst-at-once", &[], async |stream| {
        stream.close_forcefully();
    });
}

#[test]
fn closing_a_stream_at_once_ends_the_connection() {
    against("close", &[], async |stream| {
        close(stream).await;
    });
}

#[test]
fn a_client_that_leaves_without_a_word_is_an_end() {
    against("silent", &[], async |mut stream| {
        receive_end(&mut stream).await;
        close(stream).await;
    });
}
