//! Our TCP stream connects; a foreign server is at the other end.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use futures_util::future::join;
use serde_json::Value;
use tacket::{
    AsyncResource, Fault, HalfCloseable, ReceiveStream, SendStream, Split, TimedOut, timeout,
};
use tacket_std::{MonotonicClock, TcpStream};

use crate::data::{
    CLIENTS, MIB, SERVERS, assert_fault, pattern, receive, receive_a_break, receive_end,
    receive_pattern, send_pattern, sha256,
};
use crate::peer::{Ours, Peer, connection, field};

/// Runs `ours` against the server in `mode`, and returns the server's last report.
fn against(
    mode: &str,
    options: &[&str],
    ours: impl AsyncFnOnce(SocketAddr) + Send + 'static,
) -> Value {
    let mode = format!("--mode={mode}");
    let peer = Peer::start("tcp_peer.py", &[&["server", &mode], options].concat());
    let address = (Ipv4Addr::LOCALHOST, peer.port()).into();
    Ours::start(move || tacket_std::run(ours(address)).expect("an event loop")).finish();
    peer.finish()
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address)
        .await
        .expect("the server is there")
}

async fn close(stream: TcpStream) {
    stream.close().await.expect("a graceful close");
}

/// Sends one pattern and its end while receiving another and its end.
async fn exchange(stream: &mut TcpStream, sent: u64, received: u64) {
    let (mut tx, mut rx) = stream.split();
    let sending = async {
        send_pattern(&mut tx, sent, MIB).await;
        tx.send_eof().await.expect("the end can be sent");
        tx.send_eof().await.expect("and sent again");
        assert_fault(tx.send_all(b"x").await, Fault::Closed);
    };
    let receiving = async {
        receive_pattern(&mut rx, received, MIB).await;
        receive_end(&mut rx).await;
    };
    join(sending, receiving).await;
}

#[test]
fn what_an_echo_server_returns_is_what_was_sent() {
    let done = against("echo", &[], async |address| {
        let mut stream = connect(address).await;
        exchange(&mut stream, CLIENTS, CLIENTS).await;
        close(stream).await;
    });
    assert_eq!(field(connection(&done), "bytes"), MIB);
}

#[test]
fn a_server_that_answers_after_the_end_sees_the_end() {
    let done = against("echo-after-eof", &[], async |address| {
        let mut stream = connect(address).await;
        send_pattern(&mut stream, CLIENTS, MIB).await;
        stream.send_eof().await.expect("the end can be sent");
        receive_pattern(&mut stream, CLIENTS, MIB).await;
        receive_end(&mut stream).await;
        close(stream).await;
    });
    assert_eq!(field(connection(&done), "bytes"), MIB);
}

#[test]
fn sending_goes_on_after_the_servers_end() {
    let done = against("eof-first", &[], async |address| {
        let mut stream = connect(address).await;
        let mut greeting = Vec::new();
        let mut buf = [0; 4];
        loop {
            match receive(&mut stream, &mut buf).await {
                0 => break,
                count => greeting.extend_from_slice(buf.split_at(count).0),
            }
        }
        assert_eq!(greeting, b"greeting\n");
        receive_end(&mut stream).await;
        send_pattern(&mut stream, CLIENTS, MIB).await;
        close(stream).await;
    });
    assert_eq!(field(connection(&done), "sha256"), &sha256(CLIENTS, MIB));
}

#[test]
fn both_directions_carry_different_data_at_the_same_time() {
    let done = against("duplex", &[], async |address| {
        let mut stream = connect(address).await;
        exchange(&mut stream, CLIENTS, SERVERS).await;
        close(stream).await;
    });
    assert_eq!(field(connection(&done), "sha256"), &sha256(CLIENTS, MIB));
}

#[test]
fn everything_a_source_sends_arrives_before_its_end() {
    against("source", &[], async |address| {
        let mut stream = connect(address).await;
        receive_pattern(&mut stream, SERVERS, MIB).await;
        receive_end(&mut stream).await;
        close(stream).await;
    });
}

#[test]
fn a_slow_reader_holds_the_sender_up_and_loses_nothing() {
    // Far more than the buffers of both ends hold.
    const LENGTH: usize = 48 * MIB;
    let done = against("slow-reader", &["--stall=1"], async |address| {
        let clock = MonotonicClock::new();
        let mut stream = connect(address).await;
        let data = pattern(CLIENTS, LENGTH);
        let mut rest = data.as_slice();
        let soon = Duration::from_millis(200);
        let sending = timeout(&clock, soon, stream.send_rest(&mut rest)).await;
        assert!(matches!(sending, Err(TimedOut)), "{sending:?}");
        assert!((1..LENGTH).contains(&rest.len()), "{} left", rest.len());
        let waiting = stream.wait_send_all_might_not_block();
        let waiting = timeout(&clock, Duration::from_millis(50), waiting).await;
        assert!(matches!(waiting, Err(TimedOut)), "{waiting:?}");
        stream.send_all(rest).await.expect("the rest can be sent");
        stream.send_eof().await.expect("the end can be sent");
        receive_end(&mut stream).await;
        close(stream).await;
    });
    assert_eq!(field(connection(&done), "bytes"), LENGTH);
    assert_eq!(field(connection(&done), "sha256"), &sha256(CLIENTS, LENGTH));
}

#[test]
fn a_reset_by_the_server_is_a_break_and_no_end() {
    against("rst", &[], async |address| {
        let mut stream = connect(address).await;
        send_pattern(&mut stream, CLIENTS, MIB).await;
        receive_a_break(&mut stream).await;
    });
}

#[test]
fn a_reset_right_after_the_connection_is_a_break_too() {
    against("rst-at-once", &[], async |address| {
        match TcpStream::connect(address).await {
            Ok(mut stream) => receive_a_break(&mut stream).await,
            // It can overtake the end of the connecting.
            failed @ Err(_) => assert_fault(failed, Fault::Broken),
        }
    });
}

#[test]
fn a_server_that_closes_at_once_is_an_end() {
    against("close", &[], async |address| {
        let mut stream = connect(address).await;
        receive_end(&mut stream).await;
        close(stream).await;
    });
}

#[test]
fn silence_ends_a_receive_at_its_deadline_and_not_the_connection() {
    // This server never ends by itself: its own bound ends it, and it counts that as a success.
    against("silent", &["--accept=0", "--timeout=4"], async |address| {
        let mut stream = connect(address).await;
        for _ in 0..2 {
            hear_nothing(&mut stream).await;
            stream.send_all(b"still here").await.expect("it is usable");
        }
        close(stream).await;
    });
}

#[test]
fn a_receive_that_timed_out_has_lost_nothing() {
    let done = against("echo", &[], async |address| {
        let mut stream = connect(address).await;
        hear_nothing(&mut stream).await;
        exchange(&mut stream, CLIENTS, CLIENTS).await;
        close(stream).await;
    });
    assert_eq!(field(connection(&done), "bytes"), MIB);
}

/// Receives for a moment from a peer that has nothing to say.
async fn hear_nothing(stream: &mut TcpStream) {
    let clock = MonotonicClock::new();
    let mut buf = [0; 16];
    let receiving = stream.receive_some(&mut buf);
    let heard = timeout(&clock, Duration::from_millis(100), receiving).await;
    assert!(matches!(heard, Err(TimedOut)), "{heard:?}");
}
