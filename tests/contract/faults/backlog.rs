//! Resets of connections that have not quite come about, or that nobody has accepted yet.

use std::cell::Cell;
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::net as std_unix;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use socket2::{Domain, SockRef, Socket, Type};
use tacket::{
    AsyncResource as _, Error as _, Fault, Listener, LocalAddress as _, ReceiveStream, SendStream,
    ServeEvent, Server,
};
use tacket_std::{IoError, MonotonicClock, TcpListener, TcpStream, UnixListener, UnixStream};

use super::conversation::assert_broken;
use super::{run, turn};

const RESET: [ErrorKind; 1] = [ErrorKind::ConnectionReset];

fn bind() -> (TcpListener, SocketAddr) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(any).expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// The system of a listener without room says nothing at all, and once the listener is gone, that nobody listens.
#[cfg(target_os = "linux")]
#[test]
fn a_listener_that_goes_refuses_who_is_still_connecting() {
    run(async {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        listener.bind(&any.into()).expect("a free port");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("an address").as_socket();
        let address = address.expect("an address of IP");
        let mut connected = Vec::new();
        let connecting = loop {
            let mut connecting = Box::pin(TcpStream::connect(address));
            let mut turns = 0;
            let stream = loop {
                if let Some(stream) = (&mut connecting).now_or_never() {
                    break Some(stream);
                }
                if turns == 20 {
                    break None;
                }
                turns += 1;
                turn().await;
            };
            match stream {
                Some(stream) => connected.push(stream.expect("there was room")),
                None => break connecting,
            }
            assert!(connected.len() < 100, "the backlog has no end");
        };
        drop(listener);
        let error = connecting.await.expect_err("nobody listens");
        assert_broken(&error, &[ErrorKind::ConnectionRefused]);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        for stream in connected {
            assert_reset(stream).await;
        }
    });
}

async fn assert_reset(
    mut stream: impl ReceiveStream<Error = IoError> + SendStream<Error = IoError>,
) {
    for _ in 0..2 {
        let received = stream.receive_some(&mut [0; 8]).await;
        assert_broken(&received.expect_err("no end"), &RESET);
    }
    let error = stream.send_all(b"x").await.expect_err("it is known");
    assert_broken(&error, &RESET);
}

#[test]
fn a_listener_that_goes_resets_whom_it_has_not_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    run(async {
        for says_something in [false, true] {
            let (listener, address) = bind();
            let mut stream = TcpStream::connect(address).await.expect("connects");
            if says_something {
                stream.send_all(b"hello").await.expect("there is room");
            }
            listener.close().await.expect("closes");
            assert_reset(stream).await;

            let listener = UnixListener::bind(&path).expect("listens");
            let mut stream = UnixStream::connect(&path).await.expect("connects");
            if says_something {
                stream.send_all(b"hello").await.expect("there is room");
            }
            listener.close().await.expect("closes");
            assert_reset(stream).await;
        }
    });
}

/// Such a connection is passed over, or accepted with what it had said; then it says how it ended.
async fn accept_what_was_reset(listener: &mut TcpListener, address: SocketAddr) {
    for said in [&b""[..], b"half a quest"] {
        let mut client = std::net::TcpStream::connect(address).expect("connects");
        client.write_all(said).expect("there is room");
        let abort = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        abort.expect("an option");
        drop(client);
        let mut next = std::net::TcpStream::connect(address).expect("connects");
        next.write_all(b"next").expect("there is room");
        loop {
            let mut stream = listener.accept().await.expect("a connection");
            let mut heard = Vec::new();
            let error = loop {
                let mut buf = [0; 5];
                match stream.receive_some(&mut buf).await {
                    Ok(0) => panic!("a reset is no end"),
                    Ok(count) => heard.extend_from_slice(&buf[..count]),
                    Err(error) => break Some(error),
                }
                if heard == b"next" {
                    break None;
                }
            };
            let Some(error) = error else { break };
            assert_broken(&error, &RESET);
            assert!(cfg!(not(target_os = "linux")) || heard == said);
            stream.close().await.expect("the peer has left");
        }
    }
}

#[test]
fn a_client_that_resets_before_it_is_accepted_is_known_as_such_and_the_next_is_served() {
    run(async {
        let (mut listener, address) = bind();
        accept_what_was_reset(&mut listener, address).await;
        let listener = listener.to_std().expect("another handle");
        let mut adopted = TcpListener::try_from(listener).expect("adopted");
        accept_what_was_reset(&mut adopted, address).await;
    });
}

/// The same, as Unix sockets know it: what the client had not received makes the reset.
#[test]
fn a_unix_client_that_leaves_before_it_is_accepted_had_its_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    run(async {
        let mut listener = UnixListener::bind(&path).expect("listens");
        for said in [&b""[..], b"hello"] {
            let mut client = std_unix::UnixStream::connect(&path).expect("connects");
            client.write_all(said).expect("there is room");
            drop(client);
            let mut stream = listener.accept().await.expect("a connection");
            let mut buf = [0; 8];
            if !said.is_empty() {
                let count = stream.receive_some(&mut buf).await.expect("what it said");
                assert_eq!(&buf[..count], said);
            }
            assert_eq!(stream.receive_some(&mut buf).await.expect("the end"), 0);
            let error = stream.send_all(b"x").await.expect_err("it has left");
            assert_broken(&error, &[ErrorKind::BrokenPipe]);
            stream.close().await.expect("the peer has left");
        }
    });
}

/// A server hears of each, and goes on.
#[test]
fn clients_that_reset_at_every_point_are_lost_alone() {
    const ANSWER: &[u8] = b"four score and seven";
    let lost = Cell::new(0);
    run(async {
        let (listener, address) = bind();
        let handler = async |mut stream: TcpStream| {
            let mut buf = [0; 4];
            let asked = embedded_io_async::Read::read_exact(&mut stream, &mut buf).await;
            asked.map_err(|error| match error {
                embedded_io_async::ReadExactError::Other(error) => error,
                embedded_io_async::ReadExactError::UnexpectedEof => panic!("no end was sent"),
            })?;
            stream.send_all(ANSWER).await?;
            let end = stream.receive_some(&mut buf).await?;
            assert_eq!(end, 0);
            stream.close().await
        };
        let report = |event| match event {
            ServeEvent::Failed(error) => {
                let error: IoError = error;
                assert_eq!(error.fault(), Fault::Broken);
                lost.set(lost.get() + 1);
            }
            _ => panic!("nothing else is wrong"),
        };
        let server =
            Server::<_, _, _, _>::with_report(listener, MonotonicClock::new(), handler, report);
        let clients = async {
            for point in 0..=4 + ANSWER.len() {
                let mut client = TcpStream::connect(address).await.expect("connects");
                client
                    .send_all(&b"wait"[..point.min(4)])
                    .await
                    .expect("sends");
                let mut buf = vec![0; point.saturating_sub(4)];
                let hearing = embedded_io_async::Read::read_exact(&mut client, &mut buf);
                hearing.await.expect("an answer");
                drop(client); // a reset, for it has sent no end
                while lost.get() <= point as u64 {
                    turn().await;
                }
            }
            let mut client = TcpStream::connect(address).await.expect("connects");
            client.send_all(b"last").await.expect("sends");
            let mut buf = vec![0; ANSWER.len()];
            let hearing = embedded_io_async::Read::read_exact(&mut client, &mut buf);
            hearing.await.expect("an answer");
            client.close().await.expect("closes");
            server.stop(Duration::from_secs(10));
        };
        let (served, ()) = join(server.run::<4>(), clients).await;
        let served = served.expect("the listener is fine");
        assert_eq!((served.completed, served.failed), (1, lost.get()));
    });
    assert_eq!(lost.get(), 5 + ANSWER.len() as u64);
}
