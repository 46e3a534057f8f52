//! What connected sockets add to the contract, TCP and Unix alike.

use std::time::Duration;

use embedded_io_async::Write as _;
use futures_util::FutureExt as _;
use futures_util::future::{join, try_join};
use socket2::SockRef;
use tacket::testing::{Makers, check_half_closeable_stream};
use tacket::{
    AsyncResource, Clock as _, Error as _, Fault, HalfCloseable, Listener as _, LocalAddress as _,
    ReceiveStream, SendStream, Split as _, StapledStream, timeout,
};
use tacket_std::{IoError, MonotonicClock, TcpListener, TcpStream};
use tacket_tests::{Patience, examine};

use crate::limited::run;

fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("a free port")
}

/// A connection over loopback: who connected, and who was accepted.
async fn connect() -> (TcpStream, TcpStream) {
    let mut listener = bind();
    let address = listener.local_addr().expect("an address");
    let pair = try_join(TcpStream::connect(address), listener.accept());
    pair.await.expect("a connection on loopback")
}

async fn receive_all(stream: &mut impl ReceiveStream<Error = IoError>) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match stream.receive_some(&mut buf).await.expect("no failure") {
            0 => return all,
            count => all.extend_from_slice(buf.split_at(count).0),
        }
    }
}

/// Sends until there is no room for a while, and returns how much that was.
async fn clog(stream: &mut TcpStream) -> usize {
    let clock = MonotonicClock::new();
    let mut sent = 0;
    while let Ok(count) = timeout(
        &clock,
        Duration::from_millis(50),
        stream.write(&[7; 1 << 16]),
    )
    .await
    {
        sent += count.expect("sends");
    }
    sent
}

/// Covers SOC-01. Types say so already, but there are ways around them.
#[test]
fn a_socket_of_datagrams_is_no_stream() {
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let disguised = std::net::TcpStream::from(socket2::Socket::from(datagrams));
    let refused = TcpStream::try_from(disguised).expect_err("no stream");
    assert_eq!(refused.fault(), Fault::InvalidInput);
}

/// Covers SOC-02.
#[test]
fn nothing_delays_small_writes_however_the_connection_came_about() {
    run(async {
        let (connected, accepted) = connect().await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let plain = std::net::TcpStream::connect(address).expect("connects");
        assert!(!plain.nodelay().expect("an option"));
        let adopted = TcpStream::try_from(plain).expect("adopted");
        let mut listener = TcpListener::try_from(listener).expect("adopted");
        let of_adopted = listener.accept().await.expect("a connection");
        for stream in [connected, accepted, adopted, of_adopted] {
            assert!(SockRef::from(&stream).tcp_nodelay().expect("an option"));
        }
    });
}

/// Covers SOC-03.
#[cfg(target_os = "linux")]
#[test]
fn the_system_keeps_little_of_what_it_cannot_send_yet() {
    run(async {
        let (connected, accepted) = connect().await;
        let from = core::net::Ipv4Addr::LOCALHOST.into();
        let listener = bind();
        let address = listener.local_addr().expect("an address");
        let bound = TcpStream::connect_from(from, address).await;
        let plain = std::net::TcpStream::connect(address).expect("connects");
        let adopted = TcpStream::try_from(plain);
        for stream in [
            connected,
            accepted,
            bound.expect("connects"),
            adopted.expect("adopted"),
        ] {
            let lowat = SockRef::from(&stream).tcp_notsent_lowat();
            assert_eq!(lowat.expect("an option"), 16384);
        }
    });
}

/// Covers SOC-04 and SOC-17.
#[test]
fn options_and_addresses_are_those_of_the_socket() {
    run(async {
        let (stream, peer) = connect().await;
        let socket = SockRef::from(&stream);
        socket.set_tcp_nodelay(false).expect("an option");
        assert!(!SockRef::from(&stream).tcp_nodelay().expect("an option"));
        let local = stream.local_addr().expect("an address");
        assert_eq!(local, peer.peer_addr().expect("an address"));
        let of_socket = socket.local_addr().expect("an address").as_socket();
        assert_eq!(Some(local), of_socket);
    });
}

/// Covers SOC-05.
#[test]
fn a_long_send_waits_for_its_reader_and_arrives_in_order() {
    run(async {
        let (mut tx, mut rx) = connect().await;
        let data: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
        let sending = async {
            let mut late = false;
            let all = async {
                tx.send_all(&data).await.expect("sends");
                tx.send_eof().await.expect("ends");
            };
            let mut all = std::pin::pin!(all);
            let clock = MonotonicClock::new();
            if timeout(&clock, Duration::from_millis(50), &mut all)
                .await
                .is_err()
            {
                late = true;
                all.await;
            }
            late
        };
        let receiving = async {
            let clock = MonotonicClock::new();
            let later = clock.now() + Duration::from_millis(100);
            clock.sleep_until(later).await;
            receive_all(&mut rx).await
        };
        let (waited, received) = join(sending, receiving).await;
        assert!(waited, "10 MB do not fit into the system's buffers");
        assert!(received == data);
    });
}

/// Covers SOC-07 and SOC-08.
#[test]
fn after_its_end_a_stream_sends_no_more_and_goes_on_receiving() {
    run(async {
        let (mut left, mut right) = connect().await;
        left.send_all(b"the rest").await.expect("sends");
        left.send_eof().await.expect("ends");
        let refused = left.send_all(b"x").await.expect_err("it has ended");
        assert_eq!(refused.fault(), Fault::Closed);
        assert!(refused.io_error().is_none(), "the system was asked");
        assert_eq!(receive_all(&mut right).await, b"the rest");
        let more = right.receive_some(&mut [0; 1]).await;
        assert_eq!(more.expect("still the end"), 0);
        right.send_all(b"an answer").await.expect("sends");
        right.close().await.expect("closes");
        assert_eq!(receive_all(&mut left).await, b"an answer");
    });
}

/// Covers SOC-09.
#[test]
fn an_end_can_be_sent_twice_also_to_a_peer_that_is_gone() {
    run(async {
        let (mut left, mut right) = connect().await;
        left.send_eof().await.expect("ends");
        left.send_eof().await.expect("has ended");
        right.send_eof().await.expect("ends");
        assert_eq!(receive_all(&mut left).await, b"");
        drop(right);
        left.send_eof().await.expect("has ended");

        // The system itself would say that it is not connected.
        let (mut left, right) = connect().await;
        drop(right);
        let reset = left.receive_some(&mut [0; 1]).await;
        assert_eq!(reset.expect_err("a reset").fault(), Fault::Broken);
        let clock = MonotonicClock::new();
        for _ in 0..2 {
            let ending = timeout(&clock, Duration::from_secs(10), left.send_eof());
            let ended = ending.await.expect("no waiting");
            assert_eq!(
                ended.expect_err("known to be broken").fault(),
                Fault::Broken
            );
        }
        let (mut left, right) = connect().await;
        drop(right);
        for _ in 0..2 {
            left.send_eof().await.expect("nobody is left to tell");
        }
    });
}

/// Covers SOC-10.
#[cfg(target_os = "linux")]
#[test]
fn close_releases_the_socket_of_the_system_and_dropping_does_too() {
    /// Whether this process still has the socket that the system knows by this number.
    fn is_open(number: u64) -> bool {
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("a list");
        let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        let link = std::path::PathBuf::from(format!("socket:[{number}]"));
        targets.into_iter().any(|target| target == link)
    }
    fn number(socket: impl std::os::fd::AsFd) -> u64 {
        rustix::fs::fstat(socket).expect("its number").st_ino
    }
    run(async {
        let (closed, dropped) = connect().await;
        let (ended, mut halves) = connect().await;
        let numbers = [&closed, &dropped, &ended, &halves].map(number);
        assert_eq!(numbers.map(is_open), [true; 4]);
        closed.close().await.expect("closes");
        drop(dropped);
        ended.close().await.expect("closes");
        assert_eq!(receive_all(&mut halves).await, b"");
        assert_eq!(numbers.map(is_open), [false, false, false, true]);
        let (tx, rx) = halves.into_split();
        tx.close().await.expect("ends");
        assert!(is_open(numbers[3]));
        drop(rx);
        assert!(!is_open(numbers[3]));
    });
}

/// Covers SOC-12.
#[test]
fn sending_to_a_peer_that_has_closed_is_broken_and_harms_nobody() {
    #[cfg(target_os = "linux")]
    {
        let name = "sockets::sending_to_a_peer_that_has_closed_is_broken_and_harms_nobody";
        if let Some(seen) = crate::alone::run_alone_watched("sendto", name) {
            // Rust's programs ignore it, but not those that have one written in Rust as a part.
            assert!(!seen.contains("SIGPIPE"), "{seen}");
            assert!(seen.contains("EPIPE") || seen.contains("ECONNRESET"));
            return;
        }
    }
    run(async {
        let (mut left, right) = connect().await;
        right.close().await.expect("closes");
        assert_eq!(receive_all(&mut left).await, b"");
        let error = loop {
            if let Err(error) = left.send_all(&[1; 1000]).await {
                break error;
            }
        };
        assert_eq!(error.fault(), Fault::Broken);
        let cause = error.io_error().expect("the system's word").kind();
        let causes = [
            std::io::ErrorKind::BrokenPipe,
            std::io::ErrorKind::ConnectionReset,
        ];
        assert!(causes.contains(&cause), "{cause}");
    });
}

/// Covers SOC-14.
#[test]
fn waiting_for_room_ends_when_the_peer_closes() {
    run(async {
        let (mut left, right) = connect().await;
        clog(&mut left).await;
        let clock = MonotonicClock::new();
        let closing = async {
            let later = clock.now() + Duration::from_millis(20);
            clock.sleep_until(later).await;
            right.close().await.expect("closes");
        };
        let waiting = timeout(
            &clock,
            Duration::from_secs(30),
            left.wait_send_all_might_not_block(),
        );
        let (waited, ()) = join(waiting, closing).await;
        let _ = waited.expect("long before");
        let at_once = left.wait_send_all_might_not_block().now_or_never();
        let _ = at_once.expect("no waiting");
    });
}

/// Covers SOC-15.
#[test]
fn a_receive_takes_what_is_there_but_no_more_than_its_buffer_holds() {
    run(async {
        let (mut left, mut right) = connect().await;
        left.send_all(&[5; 1000]).await.expect("sends");
        for size in [1, 10, 300] {
            let mut buf = [0; 300];
            let (room, rest) = buf.split_at_mut(size);
            assert_eq!(right.receive_some(room).await.expect("data"), size);
            assert!(rest.iter().all(|byte| *byte == 0));
        }
        let mut buf = vec![0; 1 << 16];
        let rest = right.receive_some(&mut buf).await.expect("the rest");
        assert_eq!(rest, 1000 - 311);
    });
}

#[test]
fn what_would_have_to_wait_can_be_tried() {
    run(async {
        let (mut left, mut right) = connect().await;
        let mut buf = [0; 16];
        assert_eq!(right.try_receive_some(&mut buf).expect("no failure"), None);
        assert_eq!(left.try_send_some(b"hello").expect("room"), Some(5));
        let waited = right.wait_receive_some_might_not_block().await;
        waited.expect("there is something");
        let got = right.try_receive_some(&mut buf).expect("no failure");
        assert_eq!(got, Some(5));
        clog(&mut left).await;
        assert_eq!(left.try_send_some(b"x").expect("no failure"), None);
        left.send_eof().await.expect("ends");
        assert_eq!(
            left.try_send_some(b"x").expect_err("ended").fault(),
            Fault::Closed
        );
        loop {
            let waited = right.wait_receive_some_might_not_block().await;
            waited.expect("there is something");
            let mut buf = vec![0; 1 << 16];
            let got = right.try_receive_some(&mut buf).expect("no failure");
            if got == Some(0) {
                break;
            }
        }
        let refused = right.try_receive_some(&mut []).expect_err("no room");
        assert_eq!(refused.fault(), Fault::InvalidInput);
    });
}

/// A try gives way as everything else does, so that this loop cannot keep the others waiting.
#[test]
fn waiting_and_trying_starves_nobody() {
    run(async {
        let (mut left, mut right) = connect().await;
        let flooding = async { while left.send_all(&[1; 1 << 16]).await.is_ok() {} };
        let reading = async {
            let clock = MonotonicClock::new();
            let trying = async {
                let mut buf = [0; 64];
                loop {
                    let waited = right.wait_receive_some_might_not_block().await;
                    waited.expect("no failure");
                    right.try_receive_some(&mut buf).expect("no failure");
                }
            };
            let tried = timeout(&clock, Duration::from_millis(50), trying).await;
            tried.expect_err("for ever, but for the timeout");
            drop(right);
        };
        join(flooding, reading).await;
    });
}

#[test]
fn halves_that_were_given_away_keep_the_contract() {
    let make = async || {
        let (left, right) = connect().await;
        let [(left_tx, left_rx), (right_tx, right_rx)] = [left, right].map(TcpStream::into_split);
        let left = StapledStream::new(left_tx, left_rx);
        (left, StapledStream::new(right_tx, right_rx))
    };
    examine(Patience::system(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
}

#[test]
fn a_sending_half_that_is_closed_sends_the_end_and_the_other_goes_on() {
    run(async {
        let (left, mut right) = connect().await;
        let (mut tx, mut rx) = left.into_split();
        tx.send_all(b"question").await.expect("sends");
        tx.close().await.expect("ends");
        assert_eq!(receive_all(&mut right).await, b"question");
        right.send_all(b"answer").await.expect("sends");
        right.close().await.expect("closes");
        assert_eq!(receive_all(&mut rx).await, b"answer");
    });
}

#[test]
fn a_sending_half_that_is_dropped_aborts_once_the_other_is_gone_too() {
    run(async {
        let (left, mut right) = connect().await;
        let (tx, mut rx) = left.into_split();
        drop(tx);
        right.send_all(b"still heard").await.expect("sends");
        let mut buf = [0; 16];
        assert_eq!(rx.receive_some(&mut buf).await.expect("receives"), 11);
        assert!(right.receive_some(&mut buf).now_or_never().is_none());
        drop(rx);
        let error = right.receive_some(&mut buf).await.expect_err("no end");
        assert_eq!(error.fault(), Fault::Broken);
    });
}

/// Unread bytes would make the system reset, and destroy what was sent last.
#[test]
fn a_receiving_half_that_is_dropped_harms_nothing_that_is_sent() {
    run(async {
        let (left, mut right) = connect().await;
        let (mut tx, rx) = left.into_split();
        right.send_all(b"nobody reads this").await.expect("sends");
        drop(rx);
        tx.send_all(&[3; 100_000]).now_or_never();
        tx.close().await.expect("ends");
        assert!(!receive_all(&mut right).await.is_empty());
    });
}

#[test]
fn halves_of_one_stream_become_one_again_and_those_of_two_do_not() {
    run(async {
        let (left, mut right) = connect().await;
        let (other, _other_peer) = connect().await;
        let (tx, rx) = left.into_split();
        let (other_tx, other_rx) = other.into_split();
        let (tx, other_rx) = tx.reunite(other_rx).expect_err("of two streams");
        other_tx.reunite(other_rx).expect("of one stream");
        let mut left = tx.reunite(rx).expect("of one stream");
        left.send_all(b"whole").await.expect("sends");
        left.close().await.expect("closes");
        assert_eq!(receive_all(&mut right).await, b"whole");
    });
}

#[test]
fn borrowed_and_given_halves_are_the_same_to_generic_code() {
    async fn say(mut tx: impl HalfCloseable<Error = IoError>) {
        tx.send_all(b"hello").await.expect("sends");
        tx.send_eof().await.expect("ends");
    }
    run(async {
        let (mut left, right) = connect().await;
        say(left.split().0).await;
        let (tx, mut rx) = right.into_split();
        say(tx).await;
        assert_eq!(receive_all(&mut rx).await, b"hello");
        assert_eq!(receive_all(&mut left).await, b"hello");
    });
}

/// It is neither aborted nor ended by that, and who adopts it goes on where it was.
#[test]
fn a_stream_that_was_given_away_goes_on_elsewhere() {
    run(async {
        let (mut left, mut right) = connect().await;
        right.send_all(b"early").await.expect("sends");
        left.send_all(b"so far").await.expect("sends");
        let left = left.into_std().expect("another handle");
        let elsewhere = std::thread::spawn(move || {
            run(async {
                let mut left = TcpStream::try_from(left).expect("adopted");
                let mut buf = [0; 16];
                assert_eq!(left.receive_some(&mut buf).await.expect("receives"), 5);
                left.send_all(b", so good").await.expect("sends");
                left.close().await.expect("closes");
            });
        });
        assert_eq!(receive_all(&mut right).await, b"so far, so good");
        elsewhere.join().expect("a thread");
    });
}
