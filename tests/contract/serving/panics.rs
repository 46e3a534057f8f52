//! Handlers that panic.

use core::cell::{Cell, RefCell};
use core::net::Ipv4Addr;
use core::time::Duration;

use futures_util::future::join;
use tacket::{
    Clock as _, Handler, LocalAddress as _, ReceiveStream as _, ServeEvent, Server, timeout,
};
use tacket_std::{CatchPanic, CatchPanicError, IoError, MonotonicClock, TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(20);

type Failure = CatchPanicError<&'static str>;

async fn until(clock: &MonotonicClock, is_so: impl Fn() -> bool) {
    while !is_so() {
        clock
            .sleep_until(clock.now() + Duration::from_millis(1))
            .await;
    }
}

/// Serves this many clients, one after the other, while another one is connected that is in the middle of something.
fn serve(clients: usize, handler: impl Handler<TcpStream, Error = &'static str>) -> Vec<Failure> {
    let clock = MonotonicClock::new();
    let failures = RefCell::new(Vec::new());
    let report = |event: ServeEvent<IoError, Failure>| {
        if let ServeEvent::Failed(failure) = event {
            failures.borrow_mut().push(failure);
        }
    };
    let served = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let address = listener.local_addr().expect("its address");
        let handler = CatchPanic::new(handler);
        let server = Server::<_, _, _, _>::with_report(listener, &clock, handler, report);
        let talking = async {
            let mut patient = TcpStream::connect(address).await.expect("the first one");
            until(&clock, || server.statistics().active == 1).await;
            for client in 1..=clients as u64 {
                // It may be reset before it knows that it is connected.
                let stream = TcpStream::connect(address).await;
                until(&clock, || server.statistics().failed == client).await;
                drop(stream);
            }
            assert_eq!(server.statistics().active, 1, "the patient one is there");
            server.stop(Duration::ZERO);
            assert_eq!(patient.receive_some(&mut [0]).await.ok(), None, "cut off");
        };
        join(server.run::<2>(), talking).await.0
    };
    let served = tacket_std::run(timeout(&clock, LIMIT, served)).expect("an event loop");
    let served = served.expect("it hangs").expect("the listener is fine");
    assert_eq!((served.failed, served.cut), (clients as u64, 1));
    failures.into_inner()
}

/// A handler that panics before there is a future of it.
struct Hasty {
    calls: Cell<u32>,
}

impl Handler<TcpStream> for Hasty {
    type Error = &'static str;

    fn handle(&self, stream: TcpStream) -> impl Future<Output = Result<(), &'static str>> {
        self.calls.set(self.calls.get() + 1);
        assert!(self.calls.get() == 1, "too hasty");
        async {
            let mut stream = stream;
            let _ = stream.receive_some(&mut [0]).await;
            Err("the patient one left")
        }
    }
}

#[test]
fn a_handler_that_panics_is_reported_and_harms_no_other() {
    let calls = Cell::new(0);
    let failures = serve(4, async |mut stream: TcpStream| {
        calls.set(calls.get() + 1);
        match calls.get() {
            2 => panic!("client {}", 2),
            3 => panic!("a client"),
            4 => std::panic::panic_any(4),
            5 => return Err("no panic at all"),
            _ => {}
        }
        let _ = stream.receive_some(&mut [0]).await;
        Err("the patient one left")
    });
    let panicked = |message: &'static str| CatchPanicError::Panicked(message.into());
    let expected = [
        panicked("client 2"),
        panicked("a client"),
        panicked("a panic without a message"),
        CatchPanicError::Handler("no panic at all"),
    ];
    assert_eq!(failures, expected);
}

#[test]
fn a_handler_that_panics_before_its_first_step_is_reported_too() {
    let failures = serve(
        1,
        Hasty {
            calls: Cell::new(0),
        },
    );
    assert_eq!(failures, [CatchPanicError::Panicked("too hasty".into())]);
}
