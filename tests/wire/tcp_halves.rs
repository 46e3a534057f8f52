//! Halves of our TCP stream that were given away, each in a task of its own, with a foreign peer at the other end.

use core::net::Ipv4Addr;

use serde_json::Value;
use tacket::{AsyncResource as _, Fault, HalfCloseable as _, ReceiveStream as _, SendStream as _};
use tacket_std::{OwnedTcpReceiving, OwnedTcpSending, TaskGroup, TcpStream};

use crate::data::{
    CLIENTS, MIB, SERVERS, assert_fault, receive_end, receive_pattern, send_pattern, sha256,
};
use crate::peer::{Ours, Peer, connection, field};

/// Runs a task for each half of a connection to the server in `mode`, and returns the server's last report.
fn against_server(
    mode: &str,
    tx: impl AsyncFnOnce(OwnedTcpSending) + Send + 'static,
    rx: impl AsyncFnOnce(OwnedTcpReceiving) + Send + 'static,
) -> Value {
    let peer = Peer::start("tcp_peer.py", &["server", &format!("--mode={mode}")]);
    let address = (Ipv4Addr::LOCALHOST, peer.port()).into();
    let ours = Ours::start(move || {
        let connected = tacket_std::run(async {
            let stream = TcpStream::connect(address).await;
            in_two_tasks(stream.expect("the server is there"), tx, rx).await;
        });
        connected.expect("an event loop");
    });
    ours.finish();
    peer.finish()
}

/// The same with a connection of the client in `mode`.
fn against_client(
    mode: &str,
    tx: impl AsyncFnOnce(OwnedTcpSending) + Send + 'static,
    rx: impl AsyncFnOnce(OwnedTcpReceiving) + Send + 'static,
) -> Value {
    let (ours, port) = Ours::serve(async |stream| in_two_tasks(stream, tx, rx).await);
    let (mode, port) = (format!("--mode={mode}"), format!("--port={port}"));
    let done = Peer::start("tcp_peer.py", &["client", &mode, &port]).finish();
    ours.finish();
    done
}

async fn in_two_tasks(
    stream: TcpStream,
    tx: impl AsyncFnOnce(OwnedTcpSending) + 'static,
    rx: impl AsyncFnOnce(OwnedTcpReceiving) + 'static,
) {
    let (sending, receiving) = stream.into_split();
    let both = TaskGroup::run(async |group| {
        group.spawn(async move {
            tx(sending).await;
            Ok(())
        });
        group.spawn(async move {
            rx(receiving).await;
            Ok(())
        });
        Ok::<_, core::convert::Infallible>(())
    });
    let Ok(()) = both.await;
}

/// Sends one pattern and then, by closing the half, its end.
async fn send(mut tx: OwnedTcpSending, seed: u64) {
    send_pattern(&mut tx, seed, MIB).await;
    tx.close().await.expect("the end can be sent");
}

async fn receive(mut rx: OwnedTcpReceiving, seed: u64) {
    receive_pattern(&mut rx, seed, MIB).await;
    receive_end(&mut rx).await;
}

#[test]
fn both_tasks_go_on_at_the_same_time_with_a_server() {
    let done = against_server(
        "duplex",
        async |tx| send(tx, CLIENTS).await,
        async |rx| receive(rx, SERVERS).await,
    );
    assert_eq!(field(connection(&done), "sha256"), &sha256(CLIENTS, MIB));
}

#[test]
fn both_tasks_go_on_at_the_same_time_with_a_client() {
    let done = against_client(
        "duplex",
        async |tx| send(tx, SERVERS).await,
        async |rx| receive(rx, CLIENTS).await,
    );
    assert_eq!(field(&done, "sha256"), &sha256(SERVERS, MIB));
}

#[test]
fn a_reset_by_the_server_breaks_both_halves() {
    against_server(
        "rst",
        async |mut tx| {
            send_pattern(&mut tx, CLIENTS, MIB).await;
            // Nobody reads this: it goes on until the reset comes.
            let broken = loop {
                if let broken @ Err(_) = tx.send_all(&[0; 10_000]).await {
                    break broken;
                }
            };
            assert_fault(broken, Fault::Broken);
            assert_fault(tx.send_all(b"x").await, Fault::Broken);
            assert_fault(tx.send_eof().await, Fault::Broken);
        },
        async |mut rx| {
            for _ in 0..2 {
                assert_fault(rx.receive_some(&mut [0; 16]).await, Fault::Broken);
            }
        },
    );
}

#[test]
fn the_connection_is_reset_once_both_halves_are_dropped() {
    let (tell, told) = std::sync::mpsc::channel();
    let done = against_client(
        "rst",
        async move |tx| {
            drop(tx);
            tell.send(()).expect("the other task waits");
        },
        async move |mut rx| {
            receive_pattern(&mut rx, CLIENTS, MIB).await;
            // The other half is long gone, and the client has still not heard of it: it sent all that.
            told.try_recv().expect("the other task was first");
            drop(rx);
        },
    );
    assert!(field(&done, "broken").is_string(), "{done}");
}
