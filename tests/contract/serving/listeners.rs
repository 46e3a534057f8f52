//! Listeners: several, and such that fail.

use core::cell::Cell;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;

use embedded_io_async::{ErrorKind, ErrorType};
use futures_util::future::{join, join_all};
use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
use tacket::{
    AsyncResource, Clock as _, Error, Fault, Listener, Listeners, LocalAddress as _, ServeError,
    ServeEvent, Server,
};
use tacket_std::{IoError, TcpListener, TcpStream};

use super::{GRACE, ask, listen, run, serve_echo};

#[test]
fn clients_of_several_listeners_are_served_in_turns() {
    run(async |clock| {
        let [(one, first), (two, second)] = [listen(), listen()];
        let server = Server::<_, _, _>::new(Listeners::new([one, two]), clock, serve_echo);
        let clients = async {
            let addresses = [first, second, second, first, first, second];
            for asked in join_all(addresses.map(ask)).await {
                asked.unwrap();
            }
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<2>(), clients).await;
        assert_eq!(served.unwrap().completed, 6);
        for address in [first, second] {
            assert!(TcpStream::connect(address).await.is_err(), "it is closed");
        }
    });
}

#[test]
fn listeners_with_clients_take_turns() {
    run(async |_| {
        let [(one, a), (two, b), (three, c)] = [listen(), listen(), listen()];
        let mut all = Listeners::new([one, two, three]);
        let clients = [a, b, c, a, b, c].map(TcpStream::connect);
        let _clients = join_all(clients).await;
        for address in [a, b, c, a, b, c] {
            let stream = all.accept().await.unwrap();
            assert_eq!(stream.local_addr().unwrap(), address);
        }
    });
}

#[test]
fn no_listener_keeps_another_waiting() {
    run(async |_| {
        let [(one, busy), (two, calm)] = [listen(), listen()];
        let mut both = Listeners::new([one, two]);
        let calm = async {
            let stream = TcpStream::connect(calm).await.unwrap();
            (stream.peer_addr().unwrap(), stream)
        };
        let busy = join_all((0..4).map(|_| TcpStream::connect(busy)));
        let ((calm, _stream), _streams) = join(calm, busy).await;
        let mut ports = Vec::new();
        for _turn in 0..2 {
            ports.push(both.accept().await.unwrap().local_addr().unwrap());
        }
        assert!(ports.contains(&calm), "{ports:?}");
        assert_eq!(both.each().nth(1).unwrap().local_addr().unwrap(), calm);
        both.close().await.unwrap();
    });
}

/// Covers LIS-05.
#[test]
fn the_address_is_known_before_serving_begins() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        // Connected before anybody serves.
        let client = async {
            ask(address).await.unwrap();
            server.stop(GRACE);
        };
        let (client, served) = join(client, server.run::<1>()).await;
        let () = client;
        assert_eq!(served.unwrap().completed, 1);
    });
}

/// A listener that fails a few times before it does what it should.
pub(super) struct Failing {
    faults: VecDeque<Fault>,
    listener: TcpListener,
}

#[derive(Debug)]
pub(super) enum AcceptError {
    Made(Fault),
    Real(IoError),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for AcceptError {}

impl embedded_io_async::Error for AcceptError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for AcceptError {
    fn fault(&self) -> Fault {
        match self {
            Self::Made(fault) => *fault,
            Self::Real(error) => error.fault(),
        }
    }
}

impl ErrorType for Failing {
    type Error = AcceptError;
}

impl AsyncResource for Failing {
    async fn close(self) -> Result<(), AcceptError> {
        self.listener.close().await.map_err(AcceptError::Real)
    }
}

impl Listener for Failing {
    type Stream = TcpStream;

    async fn accept(&mut self) -> Result<TcpStream, AcceptError> {
        match self.faults.pop_front() {
            Some(fault) => Err(AcceptError::Made(fault)),
            None => self.listener.accept().await.map_err(AcceptError::Real),
        }
    }
}

pub(super) fn failing<const N: usize>(faults: [Fault; N]) -> (Failing, SocketAddr) {
    let (listener, address) = listen();
    let faults = faults.into();
    (Failing { faults, listener }, address)
}

/// Covers LIS-09.
#[test]
fn when_there_is_no_room_for_a_client_it_is_reported_and_tried_again() {
    run(async |clock| {
        let (listener, address) = failing([Fault::Capacity; 4]);
        let events = Cell::new(0);
        let report = |event| {
            assert!(matches!(event, ServeEvent::Full(_)), "{event:?}");
            events.set(events.get() + 1);
        };
        let start = clock.now();
        let server = Server::<_, _, _, _>::with_report(listener, clock, serve_echo, report);
        let client = async {
            ask(address).await.unwrap();
            assert!(clock.now() - start >= Duration::from_millis(400));
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<2>(), client).await;
        let served = served.unwrap();
        assert_eq!((served.full, events.get(), served.completed), (4, 4, 1));
    });
}

/// Covers LIS-10.
#[test]
fn a_listener_that_fails_for_good_ends_it_with_its_error() {
    run(async |clock| {
        let (mut listener, address) = failing([Fault::Broken]);
        let client = TcpStream::connect(address);
        let (first, client) = join(listener.listener.accept(), client).await;
        let (_first, _client) = (first.unwrap(), client.unwrap());
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let error = server.run::<3>().await.unwrap_err();
        assert!(
            matches!(
                error,
                ServeError::Listener(AcceptError::Made(Fault::Broken))
            ),
            "{error:?}"
        );
        assert!(TcpStream::connect(address).await.is_err(), "it is closed");
        assert_eq!(server.run::<1>().await.unwrap().accepted, 0);
    });
}

/// A listener for which a client always waits.
struct Rush<'p> {
    pair: &'p MemoryPair<[u8; 1]>,
    left: u32,
}

impl ErrorType for Rush<'_> {
    type Error = MemoryError;
}

impl AsyncResource for Rush<'_> {
    async fn close(self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl<'p> Listener for Rush<'p> {
    type Stream = MemoryStream<'p, [u8; 1]>;

    async fn accept(&mut self) -> Result<Self::Stream, MemoryError> {
        self.left = self.left.checked_sub(1).expect("others have their turn");
        Ok(self.pair.open().expect("one at a time").0)
    }
}

#[test]
fn clients_without_end_leave_others_their_turn() {
    run(async |clock| {
        let pair = MemoryPair::new([0], [0]);
        let rush = || Rush {
            pair: &pair,
            left: 10_000,
        };
        let handle = async |_: MemoryStream<'_, _>| Ok::<_, MemoryError>(());
        let one = Server::<_, _, _>::new(rush(), clock, handle);
        let stopping = async { one.stop(GRACE) };
        let (served, ()) = join(one.run::<1>(), stopping).await;
        assert!(served.unwrap().completed > 0);

        let any = Server::<_, _, _>::new(rush(), clock, handle);
        let stopping = async { any.stop(GRACE) };
        let (served, ()) = join(any.run_unbounded(), stopping).await;
        assert!(served.unwrap().completed > 0);
    });
}
