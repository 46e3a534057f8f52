//! Serving clients, on real sockets of this machine.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use embedded_io_async::{ErrorKind, ErrorType};
use futures_util::future::{join, join_all, join3};
use tacket::{
    AsyncResource, Clock as _, Error, Fault, HalfCloseable as _, Listener, Listeners,
    LocalAddress as _, ReceiveStream as _, SendStream as _, ServeError, ServeEvent, Server,
    timeout,
};
use tacket_examples::echo;
use tacket_std::{IoError, MonotonicClock, TaskGroup, TcpListener, TcpStream};

/// Nothing that works takes so long.
const LIMIT: Duration = Duration::from_secs(20);

/// More than any handler here needs to finish.
const GRACE: Duration = Duration::from_secs(10);

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// Runs `test`, but not for ever.
fn run<T>(test: impl AsyncFnOnce(&MonotonicClock) -> T) -> T {
    let clock = MonotonicClock::new();
    let limited = tacket_std::run(timeout(&clock, LIMIT, test(&clock)));
    limited.expect("an event loop").expect("it hangs")
}

async fn sleep(clock: &MonotonicClock, millis: u64) {
    clock
        .sleep_until(clock.now() + Duration::from_millis(millis))
        .await;
}

async fn serve_echo(stream: TcpStream) -> Result<(), IoError> {
    echo::serve(stream, &mut [0; 1024]).await.map(drop)
}

/// Has a few bytes echoed.
async fn ask(address: SocketAddr) -> Result<(), IoError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.send_all(b"ping").await?;
    stream.send_eof().await?;
    let mut buf = [0; 8];
    let mut length = 0;
    loop {
        match stream.receive_some(&mut buf[length..]).await? {
            0 => break,
            count => length += count,
        }
    }
    assert_eq!(&buf[..length], b"ping");
    stream.close().await
}

/// Covers LIS-04.
#[test]
fn as_many_clients_as_there_are_workers_are_served_at_the_same_time() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let clients = async {
            let all: Vec<_> = join_all((0..3).map(|_| TcpStream::connect(address))).await;
            let mut all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
            // All of them are in the middle of their conversation.
            for round in 0..3 {
                for stream in &mut all {
                    stream.send_all(&[round]).await.unwrap();
                    let mut buf = [9];
                    stream.receive_some(&mut buf).await.unwrap();
                    assert_eq!(buf, [round]);
                }
            }
            assert_eq!(server.statistics().active, 3);
            drop(all);
            ask(address).await.unwrap();
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<3>(), clients).await;
        let served = served.unwrap();
        assert_eq!(
            (served.accepted, served.most_active, served.active),
            (4, 3, 0)
        );
        assert_eq!((served.completed, served.failed, served.cut), (1, 3, 0));
    });
}

#[test]
fn while_all_workers_are_busy_nobody_is_accepted_and_then_the_next_is() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let clients = async {
            let mut first = TcpStream::connect(address).await.unwrap();
            first.send_all(b"!").await.unwrap();
            let waiting = async {
                ask(address).await.unwrap();
                assert_eq!(server.statistics().most_active, 1);
            };
            let leaving = async {
                sleep(clock, 50).await;
                assert_eq!(server.statistics().accepted, 1);
                first.close().await.unwrap();
            };
            join(waiting, leaving).await;
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<1>(), clients).await;
        assert_eq!(served.unwrap().completed, 2);
    });
}

/// Covers LIS-01.
#[test]
fn each_of_many_clients_is_served_once() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let clients = async {
            for asked in join_all((0..50).map(|_| ask(address))).await {
                asked.unwrap();
            }
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<4>(), clients).await;
        let served = served.unwrap();
        assert_eq!((served.accepted, served.completed), (50, 50));
        assert!(served.most_active <= 4, "{served:?}");
    });
}

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
        assert_eq!(both.each()[1].local_addr().unwrap(), calm);
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

/// Covers LIS-06.
#[test]
fn a_handler_that_forgets_to_close_has_its_stream_closed_forcefully() {
    run(async |clock| {
        let (listener, address) = listen();
        let forget = async |mut stream: TcpStream| stream.receive_some(&mut [0]).await.map(drop);
        let server = Server::<_, _, _>::new(listener, clock, forget);
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.send_all(b"?").await.unwrap();
            let error = stream.receive_some(&mut [0]).await.unwrap_err();
            assert_eq!(error.fault(), Fault::Broken);
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<1>(), client).await;
        assert_eq!(served.unwrap().completed, 1);
    });
}

/// Covers LIS-07.
#[test]
fn a_handler_that_fails_is_reported_and_harms_no_other() {
    run(async |clock| {
        let (listener, address) = listen();
        let events = RefCell::new(Vec::new());
        let report = |event| {
            if let ServeEvent::Failed(error) = event {
                events.borrow_mut().push(error);
            }
        };
        let calls = Cell::new(0);
        let handle = async |stream: TcpStream| {
            calls.set(calls.get() + 1);
            match calls.get() {
                2 => Err("the second one fails"),
                _ => serve_echo(stream).await.map_err(|_| "the client failed"),
            }
        };
        let server = Server::<_, _, _, _>::with_report(listener, clock, handle, report);
        let clients = async {
            let mut first = TcpStream::connect(address).await.unwrap();
            first.send_all(b"!").await.unwrap();
            first.receive_some(&mut [0]).await.unwrap();
            ask(address).await.unwrap_err();
            ask(address).await.unwrap();
            first.close().await.unwrap();
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<2>(), clients).await;
        let served = served.unwrap();
        assert_eq!((served.completed, served.failed), (2, 1));
        assert_eq!(*events.borrow(), ["the second one fails"]);
    });
}

/// Covers LIS-08.
#[test]
fn a_dropped_server_has_closed_its_listener_and_its_clients() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let mut stream = {
            let client = async {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.send_all(b"!").await.unwrap();
                stream.receive_some(&mut [0]).await.unwrap();
                stream
            };
            let mut client = core::pin::pin!(client);
            let serving = core::pin::pin!(server.run::<2>());
            match futures_util::future::select(&mut client, serving).await {
                futures_util::future::Either::Left((stream, _serving)) => stream,
                futures_util::future::Either::Right(_) => panic!("it serves for ever"),
            }
        };
        assert!(
            stream.receive_some(&mut [0]).await.is_err(),
            "its handler is gone"
        );
        assert_eq!(server.statistics().cut, 1);

        // Whoever serves again has the same listener.
        let again = async {
            ask(address).await.unwrap();
            server.stop(Duration::ZERO);
        };
        let (served, ()) = join(server.run::<1>(), again).await;
        assert_eq!(served.unwrap().completed, 1);
        drop(server);
        assert!(TcpStream::connect(address).await.is_err());

        let (listener, address) = listen();
        drop(Server::<_, _, _>::new(listener, clock, serve_echo));
        assert!(TcpStream::connect(address).await.is_err());
    });
}

/// A listener that fails a few times before it does what it should.
struct Failing {
    faults: VecDeque<Fault>,
    listener: TcpListener,
}

#[derive(Debug)]
enum AcceptError {
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

fn failing<const N: usize>(faults: [Fault; N]) -> (Failing, SocketAddr) {
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

/// Covers LIS-11.
#[test]
fn workers_can_be_tasks_of_the_caller() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _, (), 10>::new(listener, clock, serve_echo);
        let served = TaskGroup::run(async |group| {
            for _worker in 0..10 {
                group.spawn(server.worker());
            }
            let mut streams = Vec::new();
            for _client in 0..10 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.send_all(b"!").await.unwrap();
                stream.receive_some(&mut [0]).await.unwrap();
                streams.push(stream);
            }
            assert_eq!(server.statistics().active, 10);
            let too_many = server.worker().await;
            assert!(matches!(too_many, Err(ServeError::TooManyWorkers)));
            for stream in streams {
                stream.close().await.unwrap();
            }
            server.stop(GRACE);
            Ok(())
        });
        served.await.unwrap();
        assert_eq!(server.statistics().completed, 10);
    });
}

#[test]
fn with_an_allocator_only_the_listener_bounds_how_many_are_served() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _, (), 1>::new(listener, clock, serve_echo);
        let clients = async {
            let mut streams = Vec::new();
            for _client in 0..40 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.send_all(b"!").await.unwrap();
                stream.receive_some(&mut [0]).await.unwrap();
                streams.push(stream);
            }
            assert_eq!(server.statistics().active, 40);
            let stuck = streams.split_off(35);
            for stream in streams {
                stream.close().await.unwrap();
            }
            ask(address).await.unwrap();
            server.stop(Duration::from_millis(100));
            stuck
        };
        let (served, stuck) = join(server.run_unbounded(), clients).await;
        let served = served.unwrap();
        assert_eq!((served.accepted, served.most_active), (41, 40));
        assert_eq!((served.completed, served.cut), (36, 5));
        for mut stream in stuck {
            assert!(stream.receive_some(&mut [0]).await.is_err());
        }
    });
}

/// Covers LIS-12.
#[test]
fn it_serves_until_it_is_stopped_and_then_drains() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let clients = async {
            let mut patient = TcpStream::connect(address).await.unwrap();
            patient.send_all(b"!").await.unwrap();
            patient.receive_some(&mut [0]).await.unwrap();
            let mut stuck = TcpStream::connect(address).await.unwrap();
            stuck.send_all(b"!").await.unwrap();
            stuck.receive_some(&mut [0]).await.unwrap();
            server.stop(Duration::from_millis(200));
            server.stop(GRACE); // which does not make it longer
            assert!(TcpStream::connect(address).await.is_err(), "it is closed");
            patient.close().await.unwrap();
            (clock.now(), stuck)
        };
        let (served, (stopped, mut stuck)) = join(server.run::<3>(), clients).await;
        let served = served.unwrap();
        assert!(
            clock.now() - stopped < GRACE / 2,
            "it waits for who is stuck"
        );
        assert_eq!((served.completed, served.cut, served.active), (1, 1, 0));
        assert!(stuck.receive_some(&mut [0]).await.is_err());
    });
}

#[test]
fn an_idle_server_stops_at_once_however_many_workers_it_has() {
    async fn stop_soon(server: impl Fn(), clock: &MonotonicClock) -> Duration {
        sleep(clock, 20).await;
        server();
        clock.now()
    }
    run(async |clock| {
        let one = Server::<_, _, _, (), 1>::new(listen().0, clock, serve_echo);
        let stopping = stop_soon(|| one.stop(GRACE), clock);
        let (served, stopped) = join(one.run::<1>(), stopping).await;
        served.unwrap();
        assert!(clock.now() - stopped < GRACE / 2);

        let two = Server::<_, _, _, (), 2>::new(listen().0, clock, serve_echo);
        let stopping = stop_soon(|| two.stop(GRACE), clock);
        let (first, second, stopped) = join3(two.worker(), two.worker(), stopping).await;
        first.and(second).unwrap();
        assert!(clock.now() - stopped < GRACE / 2);
    });
}

#[test]
fn the_time_to_drain_can_be_shortened() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let client = async {
            let mut stuck = TcpStream::connect(address).await.unwrap();
            stuck.send_all(b"!").await.unwrap();
            stuck.receive_some(&mut [0]).await.unwrap();
            server.stop(LIMIT * 10);
            sleep(clock, 20).await;
            server.stop(Duration::ZERO);
            stuck
        };
        let (served, _stuck) = join(server.run::<2>(), client).await;
        assert_eq!(served.unwrap().cut, 1);
    });
}

/// A listener that takes a lot of memory.
struct Wide(
    TcpListener,
    #[expect(dead_code, reason = "its room counts")] [u8; 1024],
);

impl ErrorType for Wide {
    type Error = IoError;
}

impl AsyncResource for Wide {
    async fn close(self) -> Result<(), IoError> {
        self.0.close().await
    }
}

impl Listener for Wide {
    type Stream = TcpStream;

    async fn accept(&mut self) -> Result<TcpStream, IoError> {
        self.0.accept().await
    }
}

#[test]
fn a_slot_costs_its_handler_and_at_most_96_bytes_whatever_the_listener() {
    run(async |clock| {
        let (mut listener, address) = listen();
        let (accepted, stream) = join(listener.accept(), TcpStream::connect(address)).await;
        let handler = size_of_val(&serve_echo(stream.unwrap()));
        drop(accepted);
        let server = Server::<_, _, _>::new(Wide(listener, [0; 1024]), clock, serve_echo);
        let [one, five] = [
            size_of_val(&server.run::<1>()),
            size_of_val(&server.run::<5>()),
        ];
        let slot = (five - one) / 4;
        assert!(
            slot <= handler + 96,
            "{slot} bytes, and {handler} are the handler's"
        );
    });
}

#[test]
fn a_worker_that_is_dropped_leaves_the_listener_to_the_others() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let dropped = async {
            let first = timeout(clock, Duration::from_millis(20), server.worker());
            assert!(first.await.is_err());
            ask(address).await.unwrap();
            server.stop(GRACE);
        };
        let (one, two, ()) = join3(server.worker(), server.worker(), dropped).await;
        one.and(two).unwrap();
        assert_eq!(server.statistics().completed, 1);
    });
}
