//! Clients, and the handlers that they get.

use core::cell::{Cell, RefCell};
use core::time::Duration;

use embedded_io_async::ErrorType;
use futures_util::future::{join, join_all};
use tacket::{
    AsyncResource, Error as _, Fault, Listener, ReceiveStream as _, SendStream as _, ServeError,
    ServeEvent, Server,
};
use tacket_std::{IoError, TaskGroup, TcpListener, TcpStream};

use super::{GRACE, ask, listen, run, serve_echo, sleep};

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
fn workers_that_do_not_all_find_a_place_do_not_begin() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _, (), 3>::new(listener, clock, serve_echo);
        let second = async {
            let refused = server.run::<2>().await;
            assert!(matches!(refused, Err(ServeError::TooManyWorkers)));
            ask(address).await.unwrap();
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<2>(), second).await;
        assert_eq!(served.unwrap().completed, 1);
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
