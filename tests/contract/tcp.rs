//! The contract on TCP, and what TCP adds to it.

use std::cell::Cell;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use embedded_io_async::Write as _;
use futures_util::future::{join, try_join};
use socket2::{Domain, Socket, Type};
use tacket::testing::{
    DropPoint, Makers, check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket::{
    AsyncResource, Clock as _, Error as _, Fault, HalfCloseable, Listener as _, LocalAddress as _,
    ReceiveStream, SendStream, Split, timeout,
};
use tacket_std::{IoError, MonotonicClock, TcpListener, TcpStream};
use tacket_tests::{Patience, examine};

async fn sleep(milliseconds: u64) {
    let clock = MonotonicClock::new();
    let deadline = clock.now() + Duration::from_millis(milliseconds);
    clock.sleep_until(deadline).await;
}

fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("a free port")
}

/// A listener that connects pairs, one at a time.
struct Loopback(Cell<Option<TcpListener>>);

impl Loopback {
    fn new() -> Self {
        Self(Cell::new(Some(bind())))
    }

    async fn connect(&self) -> (TcpStream, TcpStream) {
        let mut listener = self.0.take().expect("one pair at a time");
        let address = listener.local_addr().expect("an address");
        let connecting = TcpStream::connect(address);
        let pair = try_join(connecting, listener.accept()).await;
        self.0.set(Some(listener));
        pair.expect("a connection on loopback")
    }
}

/// Runs `body` on a connected pair.
fn with_pair<T>(body: impl AsyncFnOnce(TcpStream, TcpStream) -> T) -> T {
    tacket_std::run(async {
        let (left, right) = Loopback::new().connect().await;
        body(left, right).await
    })
    .expect("an event loop")
}

#[test]
fn tcp_streams_keep_the_contract_of_one_way_streams() {
    let loopback = Loopback::new();
    let make = async || loopback.connect().await;
    examine(Patience::system(), async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
}

#[test]
fn tcp_streams_keep_the_contract_of_two_way_streams() {
    let loopback = Loopback::new();
    let make = async || loopback.connect().await;
    examine(Patience::system(), async |e| {
        check_two_way_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
}

#[test]
fn tcp_streams_keep_the_contract_of_half_closeable_streams() {
    let loopback = Loopback::new();
    let make = async || loopback.connect().await;
    examine(Patience::system(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
}

/// Covers STR-30 and SOC-13.
#[test]
fn a_reset_is_broken_with_its_cause_and_stays_so() {
    with_pair(async |mut left, right| {
        drop(right); // an abort
        for _ in 0..3 {
            let error = left.receive_some(&mut [0; 16]).await.expect_err("a reset");
            assert_eq!(error.fault(), Fault::Broken);
            let cause = std::error::Error::source(&error).expect("a cause");
            let cause = cause
                .downcast_ref::<std::io::Error>()
                .expect("of the system");
            assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionReset);
        }
        assert_eq!(
            left.send_all(b"x").await.expect_err("broken").fault(),
            Fault::Broken
        );
    });
}

#[test]
fn a_reset_that_the_sender_learns_first_does_not_look_like_an_end_to_the_receiver() {
    with_pair(async |mut left, right| {
        drop(right);
        while left.send_all(b"x").await.is_ok() {}
        let error = left
            .receive_some(&mut [0; 16])
            .await
            .expect_err("a reset, not an end");
        assert_eq!(error.fault(), Fault::Broken);
    });
}

#[test]
fn an_end_that_was_sent_before_the_peer_left_is_an_end() {
    with_pair(async |mut left, mut right| {
        right.send_all(b"bye").await.expect("sends");
        right.close().await.expect("closes");
        while left.send_all(b"x").await.is_ok() {}
        let mut buf = [0; 16];
        assert_eq!(left.receive_some(&mut buf).await.expect("what was sent"), 3);
        assert_eq!(left.receive_some(&mut buf).await.expect("the end"), 0);
    });
}

/// The system would answer such a close with a reset, and throw away what it has not delivered yet.
#[test]
fn a_close_with_unread_data_does_not_destroy_what_was_sent_last() {
    with_pair(async |mut left, mut right| {
        left.send_all(&[7; 50_000]).await.expect("sends");
        // More than the receiver's side of the kernel takes, so that some waits on the sender's.
        let clock = MonotonicClock::new();
        let mut sent = 0;
        while let Ok(count) =
            timeout(&clock, Duration::from_millis(50), right.write(&[1; 65536])).await
        {
            sent += count.expect("sends");
        }
        right.close().await.expect("closes");
        let (mut received, mut buf) = (0, vec![0; 65536]);
        while let count @ 1.. = left.receive_some(&mut buf).await.expect("no reset") {
            received += count;
        }
        assert_eq!(received, sent);
    });
}

#[test]
fn dropping_after_send_eof_is_no_abort() {
    with_pair(async |mut left, mut right| {
        left.send_all(b"all of it").await.expect("sends");
        left.send_eof().await.expect("ends");
        drop(left);
        let mut buf = [0; 16];
        assert_eq!(
            right.receive_some(&mut buf).await.expect("what was sent"),
            9
        );
        assert_eq!(right.receive_some(&mut buf).await.expect("the end"), 0);
    });
}

#[test]
fn dropping_at_any_time_before_send_eof_is_an_abort() {
    with_pair(async |mut left, mut right| {
        left.send_all(b"half of").await.expect("sends");
        let mut buf = [0; 16];
        assert_eq!(right.receive_some(&mut buf).await.expect("the half"), 7);
        drop(left);
        let error = right.receive_some(&mut buf).await.expect_err("no end");
        assert_eq!(error.fault(), Fault::Broken);
    });
}

#[test]
fn a_peer_that_resets_in_the_middle_of_a_message_is_reported_at_that_point() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let peer = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        std::io::Write::write_all(&mut socket, &[1; 1000]).expect("sends");
        let mut one = [0];
        socket
            .read_exact(&mut one)
            .expect("the client has read the first part");
        // Unread bytes make the system's close a reset.
        std::thread::sleep(Duration::from_millis(20));
    });
    let (received, error) = tacket_std::run(async {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let (mut received, mut buf) = (0, [0; 400]);
        stream.send_all(b"unread").await.expect("sends");
        loop {
            match stream.receive_some(&mut buf).await {
                Ok(0) => panic!("a reset is no end"),
                Ok(count) => received += count,
                Err(error) => return (received, error),
            }
        }
    })
    .expect("an event loop");
    peer.join().expect("the peer");
    assert_eq!((received, error.fault()), (1000, Fault::Broken));
}

#[test]
fn a_port_in_use_is_named_in_the_error() {
    let first = bind();
    let address = first.local_addr().expect("an address");
    let error = TcpListener::bind(address).expect_err("in use");
    let said = error.to_string();
    assert!(
        said.contains(&address.to_string()) && said.contains("in use"),
        "{said}"
    );
    drop(first);
    TcpListener::bind(address).expect("free again");
}

#[test]
fn a_refused_connection_is_named_in_the_error() {
    // A port that is taken, and does not listen: a free one may be somebody else's by now.
    let place = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    place.bind(&anywhere.into()).expect("a free port");
    let address = place.local_addr().expect("an address").as_socket();
    let address = address.expect("one of IP");
    let error = tacket_std::run(TcpStream::connect(address))
        .expect("an event loop")
        .expect_err("nobody listens");
    assert_eq!(error.fault(), Fault::Broken);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn no_connection_is_lost_when_accept_is_dropped_at_any_poll() {
    tacket_std::run(async {
        let mut listener = bind();
        let address = listener.local_addr().expect("an address");
        for polls in 1..4 {
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                let connecting = async {
                    let mut stream = TcpStream::connect(address).await?;
                    stream.send_all(b"hello").await?;
                    stream.close().await
                };
                let accepting = async {
                    let mut stream = match point.cut(listener.accept()).await {
                        Some(stream) => stream?,
                        None => listener.accept().await?,
                    };
                    let mut buf = [0; 16];
                    assert_eq!(stream.receive_some(&mut buf).await?, 5);
                    stream.close().await
                };
                try_join(accepting, connecting).await.expect("served");
            }
        }
    })
    .expect("an event loop");
}

/// The attempt may have reached the listener. Then its end is no orderly one there.
#[test]
fn a_dropped_connect_gives_its_attempt_up_and_is_no_end_for_the_peer() {
    tacket_std::run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let point = DropPoint::after_poll(1);
        let cut = point.cut(TcpStream::connect(address)).await;
        assert!(cut.is_none(), "it waits for the loop to turn");
        let (mut accepted, _) = listener.accept().expect("it came about");
        let error = accepted.read(&mut [0; 1]).expect_err("no end");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    })
    .expect("an event loop");
}

#[test]
fn what_does_not_wait_works_outside_run_as_often_as_one_likes() {
    let (mut left, mut right) = with_pair(async |left, right| (left, right));
    for _ in 0..1000 {
        let sent = futures_util::FutureExt::now_or_never(left.write(b"x"));
        assert_eq!(sent.expect("no waiting").expect("sends"), 1);
    }
    let received = futures_util::FutureExt::now_or_never(right.receive_some(&mut [0; 2000]));
    assert!(received.expect("no waiting").expect("arrived") > 0);
}

/// A read of the system stops where the urgent byte was, although there is more.
#[test]
fn urgent_data_keeps_nothing_back() {
    tacket_std::run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let (mut peer, _) = listener.accept().expect("a connection");
        std::io::Write::write_all(&mut peer, b"abc").expect("sends");
        let urgent = socket2::SockRef::from(&peer).send_out_of_band(b"!");
        assert_eq!(urgent.expect("sends"), 1);
        std::io::Write::write_all(&mut peer, b"def").expect("sends");
        sleep(20).await;
        let mut buf = [0; 6];
        let reading = embedded_io_async::Read::read_exact(&mut stream, &mut buf);
        let read = timeout(&MonotonicClock::new(), Duration::from_secs(5), reading).await;
        read.expect("nothing is kept back").expect("all of it");
        assert_eq!(&buf, b"abcdef");
    })
    .expect("an event loop");
}

/// Covers SLI-05. In a process of its own, whose limits it changes.
#[cfg(unix)]
#[test]
fn a_listener_that_is_out_of_descriptors_says_so_and_lets_others_go_on() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let name = "tcp::a_listener_that_is_out_of_descriptors_says_so_and_lets_others_go_on";
    if let Some(ended) = crate::alone::run_alone(name) {
        return crate::alone::assert_passed(&ended);
    }
    tacket_std::run(async {
        let mut listener = bind();
        let address = listener.local_addr().expect("an address");
        let _waiting = std::net::TcpStream::connect(address).expect("connects");
        let limits = getrlimit(Resource::Nofile);
        let none = Rlimit {
            current: Some(3),
            ..limits
        };
        setrlimit(Resource::Nofile, none).expect("a lower limit");
        let clock = MonotonicClock::new();
        let trying = async {
            for tries in 0_u32.. {
                let refused = listener.accept().await.expect_err("no descriptor left");
                assert_eq!(refused.fault(), Fault::Capacity);
                let cause = refused.io_error().expect("the system's word");
                let none_left = rustix::io::Errno::MFILE.raw_os_error();
                assert_eq!(cause.raw_os_error(), Some(none_left));
                assert!(tries < 10_000_000, "the loop does not turn");
            }
        };
        let tried = timeout(&clock, Duration::from_millis(50), trying).await;
        tried.expect_err("for ever, but for the timeout");
        setrlimit(Resource::Nofile, limits).expect("the old limit");
        listener.accept().await.expect("a connection");
    })
    .expect("an event loop");
}

#[test]
fn a_stream_that_has_to_wait_outside_run_says_so() {
    let (mut left, right) = with_pair(async |left, right| (left, right));
    let mut receiving = std::pin::pin!(async { left.receive_some(&mut [0; 1]).await });
    let polled = futures_util::FutureExt::now_or_never(receiving.as_mut());
    let error: IoError = polled
        .expect("no waiting without a waker")
        .expect_err("nobody drives it");
    assert_eq!(error.fault(), Fault::Unsupported);
    drop(right);
}

#[test]
fn a_stream_outlives_its_run_and_works_in_the_next() {
    let (mut left, mut right) = with_pair(async |left, right| (left, right));
    tacket_std::run(async {
        let mut buf = [0; 16];
        let receiving = right.receive_some(&mut buf);
        let (received, sent) = join(receiving, left.send_all(b"again")).await;
        sent.expect("sends");
        assert_eq!(received.expect("receives"), 5);
    })
    .expect("an event loop");
}

#[test]
fn halves_receive_while_the_other_direction_is_clogged() {
    with_pair(async |mut left, mut right| {
        let clock = MonotonicClock::new();
        let (mut left_tx, mut left_rx) = left.split();
        let clogged = timeout(&clock, Duration::from_millis(200), async {
            loop {
                left_tx
                    .send_all(&[0; 65536])
                    .await
                    .expect("sends until it clogs");
            }
        });
        let other_way = async {
            clock
                .sleep_until(clock.now() + Duration::from_millis(100))
                .await;
            right.send_all(b"over here").await.expect("sends");
            let mut buf = [0; 16];
            assert_eq!(left_rx.receive_some(&mut buf).await.expect("receives"), 9);
        };
        let (clogged, ()) = join(clogged, other_way).await;
        assert!(clogged.is_err(), "it clogs");
    });
}
