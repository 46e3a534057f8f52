//! Serving clients, good ones and others, each within its time.

use core::cell::RefCell;
use core::time::Duration;
use std::net::SocketAddr;
use std::pin::pin;

use futures_channel::oneshot;
use futures_util::future::{Either, join, join_all, select};
use tacket::testing::DropPoint;
use tacket::{
    AsyncResource as _, Error as _, Fault, HalfCloseable as _, Handler, Network,
    ReceiveStream as _, SendStream as _, ServeEvent, Server, Stream,
};
use tacket_examples::echo;
use tacket_tests::Authority;
use tacket_tls::rustls::{AlertDescription, Error as Rustls};
use tacket_tls::{
    EngineError, ServerConfig, TlsError, TlsStream, WithHandshake, WithHandshakeError,
    serve_tls_over_tcp,
};

use super::super::{Parties, memory};
use super::{Ends, on_all, on_embassy, on_sim, on_std, port};

/// What went wrong with a client.
#[derive(Debug, PartialEq)]
enum Failed {
    Engine(EngineError),
    Transport,
    TimedOut,
    Handler(Fault),
}

impl<E: tacket::Error, H: tacket::Error> From<WithHandshakeError<E, H>> for Failed {
    fn from(error: WithHandshakeError<E, H>) -> Self {
        let fault = error.fault();
        match error {
            WithHandshakeError::Handshake(TlsError::Engine(error)) => Self::Engine(error),
            WithHandshakeError::Handshake(_) => Self::Transport,
            WithHandshakeError::TimedOut => {
                assert_eq!(fault, Fault::TimedOut);
                Self::TimedOut
            }
            WithHandshakeError::Handler(error) => Self::Handler(error.fault()),
            other => panic!("{other:?}"),
        }
    }
}

async fn serve_echo<S: Stream>(stream: TlsStream<S>) -> Result<(), TlsError<S::Error>> {
    echo::serve(stream, &mut [0; 512]).await.map(drop)
}

/// Serves echo to `clients` until they are done, `W` at the same time, and returns what went wrong with whom.
async fn serve<const W: usize, N: Network>(
    ends: &Ends<N>,
    proving: &ServerConfig,
    clients: impl AsyncFnOnce(SocketAddr),
) -> Vec<Failed> {
    let failed = RefCell::new(Vec::new());
    let report = |event: ServeEvent<N::Error, WithHandshakeError<_, _>>| match event {
        ServeEvent::Failed(error) => failed.borrow_mut().push(error.into()),
        event => panic!("{event:?}"),
    };
    let (tell, told) = oneshot::channel();
    let ready = |listeners: &_| tell.send(port(listeners)).expect("somebody listens");
    let handler = serve_echo::<N::Stream>;
    let (net, limit) = (&ends.server, ends.limit);
    let serving = serve_tls_over_tcp::<W, _, _>(net, 0, proving, limit, handler, report, ready);
    let clients = async {
        let port = told.await.expect("it listens");
        clients((ends.address().await, port).into()).await;
    };
    match select(pin!(serving), pin!(clients)).await {
        Either::Left((ended, _)) => panic!("the server ended: {ended:?}"),
        Either::Right(((), _)) => {}
    }
    failed.into_inner()
}

/// Has a few bytes echoed.
async fn ask<S: Stream>(mut stream: TlsStream<S>) {
    stream.send_all(b"ping").await.expect("sends");
    stream.send_eof().await.expect("ends");
    let (mut buf, mut length) = ([0; 8], 0);
    loop {
        match stream.receive_some(&mut buf[length..]).await {
            Ok(0) => break,
            count => length += count.expect("an echo"),
        }
    }
    assert_eq!(&buf[..length], b"ping");
    stream.close().await.expect("closes");
}

#[test]
fn many_clients_are_served() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<4, _>(ends, &proving, async |address| {
            for _round in 0..3 {
                join_all((0..10).map(async |_| ask(ends.connect(address, &trusting).await).await))
                    .await;
            }
        });
        assert_eq!(failed.await, []);
    }
    // The others have no queue for as many.
    on_std(claim);
}

#[test]
fn one_client_after_the_other_is_served() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<2, _>(ends, &proving, async |address| {
            for _ in 0..5 {
                let one = async || ask(ends.connect(address, &trusting).await).await;
                join(one(), one()).await;
            }
        });
        assert_eq!(failed.await, []);
    }
    on_all!(claim);
}

#[test]
fn a_client_that_speaks_no_tls_is_told_and_reported_and_ends_nothing() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<1, _>(ends, &proving, async |address| {
            let mut stream = ends.client.connect(address).await.expect("it listens");
            let said = stream
                .send_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
                .await;
            said.expect("sends");
            let mut buf = [0; 64];
            let count = stream.receive_some(&mut buf).await.expect("an alert");
            assert_eq!(buf[..5.min(count)], [21, 3, 3, 0, 2]);
            drop(stream);
            ask(ends.connect(address, &trusting).await).await;
        });
        let [Failed::Engine(EngineError::Rustls(Rustls::InvalidMessage(_)))] = &failed.await[..]
        else {
            panic!("another report")
        };
    }
    on_all!(claim);
}

#[test]
fn a_client_that_refuses_the_certificate_is_reported_and_ends_nothing() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<1, _>(ends, &proving, async |address| {
            let other = Authority::new().client_config();
            let mut stream = ends.connect(address, &other).await;
            let refused = stream.do_handshake().await.expect_err("not trusted");
            assert_eq!(refused.fault(), Fault::Broken);
            stream.close().await.expect("closes all the same");
            ask(ends.connect(address, &trusting).await).await;
        });
        let told = Rustls::AlertReceived(AlertDescription::UnknownCA);
        assert_eq!(failed.await, [Failed::Engine(told.into())]);
    }
    on_all!(claim);
}

#[test]
fn a_client_that_leaves_in_its_handshake_is_reported_and_ends_nothing() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<1, _>(ends, &proving, async |address| {
            let mut stream = ends.client.connect(address).await.expect("it listens");
            stream.send_all(&[22, 3, 1]).await.expect("sends");
            stream.close().await.expect("closes");
            ask(ends.connect(address, &trusting).await).await;
        });
        assert_eq!(failed.await, [Failed::Transport]);
    }
    on_all!(claim);
}

/// Sees that the server drops a connection when a handshake's time is over, and not much later.
async fn assert_dropped_in_time<N: Network>(ends: &Ends<N>, client: impl AsyncFnOnce() -> Fault) {
    let start = ends.client.now();
    assert_eq!(client().await, Fault::Broken);
    let took = ends.client.now() - start;
    let late = ends.limit + Duration::from_secs(5);
    assert!(ends.limit <= took && took < late, "{took:?}");
}

#[test]
fn a_silent_client_is_dropped_at_the_deadline_and_the_next_is_served() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<1, _>(ends, &proving, async |address| {
            let silent = async || {
                let mut stream = ends.client.connect(address).await.expect("it listens");
                let dropped = stream.receive_some(&mut [0]).await;
                dropped.expect_err("no answer").fault()
            };
            assert_dropped_in_time(ends, silent).await;
            ask(ends.connect(address, &trusting).await).await;
        });
        assert_eq!(failed.await, [Failed::TimedOut]);
    }
    on_all!(claim);
}

#[test]
fn a_client_gains_no_time_by_sending_a_little_all_the_time() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<1, _>(ends, &proving, async |address| {
            let slow = async || {
                let mut stream = ends.client.connect(address).await.expect("it listens");
                // The beginning of a first message that would be 512 bytes long.
                let start = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
                for byte in start.into_iter().chain([0; 480]) {
                    if let Err(error) = stream.send_all(&[byte]).await {
                        return error.fault();
                    }
                    let pause = ends.limit / 10;
                    ends.client.sleep_until(ends.client.now() + pause).await;
                }
                panic!("it is still there");
            };
            assert_dropped_in_time(ends, slow).await;
            ask(ends.connect(address, &trusting).await).await;
        });
        assert_eq!(failed.await, [Failed::TimedOut]);
    }
    on_all!(claim);
}

#[test]
fn once_it_has_shaken_hands_a_client_has_all_the_time_it_wants() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<1, _>(ends, &proving, async |address| {
            let mut stream = ends.connect(address, &trusting).await;
            stream.do_handshake().await.expect("they trust each other");
            let later = ends.client.now() + 2 * ends.limit;
            ends.client.sleep_until(later).await;
            ask(stream).await;
        });
        assert_eq!(failed.await, []);
    }
    on_all!(claim);
}

#[test]
fn what_fails_after_the_handshake_is_the_handlers() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let failed = serve::<1, _>(ends, &proving, async |address| {
            let mut stream = ends.connect(address, &trusting).await.https_compatible();
            stream.do_handshake().await.expect("they trust each other");
            stream.close().await.expect("closes");
            ask(ends.connect(address, &trusting).await).await;
        });
        assert_eq!(failed.await, [Failed::Handler(Fault::Truncated)]);
    }
    on_all!(claim);
}

#[test]
fn silent_clients_take_no_place_where_there_is_one_for_each_and_are_cut_by_a_stop() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let (listener, address) = ends.listener(&proving).await;
        let handler = WithHandshake::new(&ends.server, ends.limit, serve_echo::<N::Stream>);
        let server = Server::<_, _, _>::new(listener, &ends.server, handler);
        let clients = async {
            let mut silent = Vec::new();
            for _ in 0..3 {
                silent.push(ends.client.connect(address).await.expect("it listens"));
                ask(ends.connect(address, &trusting).await).await;
            }
            assert_eq!(server.statistics().active, 3);
            server.stop(Duration::ZERO);
            for mut stream in silent {
                let cut = stream.receive_some(&mut [0]).await;
                assert_eq!(cut.expect_err("no answer").fault(), Fault::Broken);
            }
        };
        let (served, ()) = join(server.run_unbounded(), clients).await;
        let served = served.expect("it was stopped");
        assert_eq!((served.completed, served.failed, served.cut), (3, 0, 3));
    }
    on_all!(claim);
}

/// Echo, as a handler with a name.
struct Echo;

impl<S: Stream> Handler<TlsStream<S>> for Echo {
    type Error = TlsError<S::Error>;

    async fn handle(&self, stream: TlsStream<S>) -> Result<(), Self::Error> {
        serve_echo(stream).await
    }
}

#[test]
fn a_client_is_let_go_wherever_its_handler_is_dropped() {
    let (parties, memory) = (Parties::new(), memory());
    let clock = tacket_std::MonotonicClock::new();
    let mut shaken = 0;
    for polls in 1..8 {
        let (left, right) = memory.open().expect("the last pair is gone");
        let (mut client, server) = parties.pair((left, right));
        let handler = WithHandshake::new(&clock, Duration::from_secs(20), Echo);
        super::super::run(async {
            let handled = DropPoint::after_poll(polls).cut(handler.handle(server));
            let talking = async {
                let shaken = client.do_handshake().await;
                let gone = loop {
                    // Each of these makes the handler go on.
                    if let Err(error) = client.send_all(&[1]).await {
                        break error;
                    }
                    if let Err(error) = client.receive_some(&mut [0]).await {
                        break error;
                    }
                };
                assert_eq!(gone.fault(), Fault::Broken);
                shaken.is_ok()
            };
            let (handled, done) = join(handled, talking).await;
            assert!(handled.is_none(), "it goes on as long as the client does");
            shaken += usize::from(done);
        });
    }
    assert!((1..7).contains(&shaken), "before and after the handshake");
}
