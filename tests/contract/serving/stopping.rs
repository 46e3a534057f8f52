//! The end of serving.

use core::cell::OnceCell;
use core::future::pending;
use core::time::Duration;

use futures_util::future::{join, join3};
use tacket::{
    AsyncResource as _, Clock, Fault, ReceiveStream as _, SendStream as _, ServeError, Server,
    timeout,
};
use tacket_std::{MonotonicClock, TaskGroup, TcpStream};

use super::listeners::failing;
use super::{GRACE, LIMIT, ask, listen, run, serve_echo, sleep};

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

#[test]
fn stopped_while_all_workers_are_busy_it_takes_no_more_clients() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _>::new(listener, clock, serve_echo);
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.send_all(b"!").await.unwrap();
            stream.receive_some(&mut [0]).await.unwrap();
            server.stop(GRACE);
            assert!(TcpStream::connect(address).await.is_err());
            assert_eq!(server.statistics().active, 1);
            stream.close().await.unwrap();
        };
        let (served, ()) = join(server.run::<1>(), client).await;
        assert_eq!(served.unwrap().completed, 1);
    });
}

#[test]
fn an_idle_server_without_fixed_workers_stops_at_once_too() {
    run(async |clock| {
        let server = Server::<_, _, _>::new(listen().0, clock, serve_echo);
        // In a task of its own, which nothing else wakes.
        let served = TaskGroup::run(async |group| {
            group.spawn(async { server.run_unbounded().await.map(drop) });
            sleep(clock, 20).await;
            server.stop(GRACE);
            Ok(())
        });
        served.await.unwrap();
    });
}

/// A clock that stands still.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep_until(&self, _: Duration) {
        pending().await
    }
}

#[test]
fn stopped_while_there_is_no_room_for_a_client_it_waits_no_longer() {
    run(async |clock| {
        let (listener, _) = failing([Fault::Capacity]);
        let server = Server::<_, _, _>::new(listener, Standing, serve_echo);
        let stopping = async {
            sleep(clock, 20).await;
            assert_eq!(server.statistics().full, 1);
            server.stop(GRACE);
        };
        let (served, ()) = join(server.run::<1>(), stopping).await;
        assert_eq!(served.unwrap().accepted, 0);
    });
}

#[test]
fn a_handler_can_stop_its_server() {
    type Stop = OnceCell<Box<dyn Fn()>>;
    run(async |_| {
        let (listener, address) = listen();
        let stop: &'static Stop = Box::leak(Box::new(OnceCell::new()));
        let handle = async |stream: TcpStream| {
            stop.get().unwrap()();
            serve_echo(stream).await
        };
        let server = Server::<_, _, _>::new(listener, MonotonicClock::new(), handle);
        let server = &*Box::leak(Box::new(server));
        assert!(stop.set(Box::new(|| server.stop(GRACE))).is_ok());
        let (served, asked) = join(server.run::<2>(), ask(address)).await;
        asked.unwrap();
        assert_eq!(served.unwrap().completed, 1);
        assert!(TcpStream::connect(address).await.is_err());
    });
}

#[test]
fn serving_without_fixed_workers_takes_the_place_of_one() {
    run(async |clock| {
        let (listener, address) = listen();
        let server = Server::<_, _, _, (), 2>::new(listener, clock, serve_echo);
        let client = async {
            let refused = server.run_unbounded().await;
            assert!(matches!(refused, Err(ServeError::TooManyWorkers)));
            ask(address).await.unwrap();
            server.stop(GRACE);
        };
        let (worker, unbounded, ()) = join3(server.worker(), server.run_unbounded(), client).await;
        worker.unwrap();
        assert_eq!(unbounded.unwrap().completed, 1);
    });
}

#[test]
fn a_time_to_drain_can_be_shortened_without_fixed_workers_too() {
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
        let (served, _stuck) = join(server.run_unbounded(), client).await;
        assert_eq!(served.unwrap().cut, 1);
    });
}
