//! Sockets of embassy-net as they are, and what all these tests need.

use core::pin::Pin;
use core::task::Poll;
use std::future::poll_fn;
use std::time::Duration;

use embassy_net::tcp::TcpSocket;
use futures_util::future::join;
use tacket::timeout;
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{Net, Options, TcpStream};

use crate::embassy::four_each::{CLOCK, four_each, listen, pair};

/// The port of the bare sockets.
pub(super) const BARE: u16 = 9;

/// The bytes of each buffer, of bare sockets and of ours.
pub(super) const BYTES: usize = 1024;

pub(super) fn socket(wire: &Wire, side: Side) -> TcpSocket<'static> {
    let [receive, send] = [(); 2].map(|()| Box::leak(Box::new([0; BYTES])));
    TcpSocket::new(wire.stack(side), receive, send)
}

/// Connects two bare sockets, the second of which listens for that.
pub(super) async fn join_up(client: &mut TcpSocket<'_>, server: &mut TcpSocket<'_>) {
    let both = join(client.connect(Side::Right.port(BARE)), server.accept(BARE));
    assert_eq!(both.await, (Ok(()), Ok(())));
}

/// The client's end of a connection, and the server's.
pub(super) async fn bare_pair(wire: &Wire) -> (TcpSocket<'static>, TcpSocket<'static>) {
    let (mut client, mut server) = (socket(wire, Side::Left), socket(wire, Side::Right));
    join_up(&mut client, &mut server).await;
    (client, server)
}

/// A connection of bare sockets, and one of ours, on one wire.
pub(super) fn pairs() -> (
    Wire,
    (TcpSocket<'static>, TcpSocket<'static>),
    (TcpStream, TcpStream),
) {
    let (wire, client, server) = four_each(Options::new());
    let (bare, ours) = run(&wire, async {
        let ours = pair(client, &mut listen(server)).await;
        (bare_pair(&wire).await, ours)
    });
    (wire, bare, ours)
}

/// A wire, and a pool of a single socket at each end.
pub(super) fn one_each(options: Options) -> (Wire, Net, Net) {
    let wire = Wire::new(1, Impairments::none());
    let client = wire.net::<1, BYTES, BYTES, 0>(Side::Left, options);
    let server = wire.net::<1, BYTES, BYTES, 0>(Side::Right, options);
    (wire, client, server)
}

/// Drives a part of a test. A stream that hangs fails it: keep-alives never end, so the wire does not see that.
pub(super) fn run<T>(wire: &Wire, part: impl Future<Output = T>) -> T {
    let part = wire.run(timeout(&CLOCK, Duration::from_secs(100_000), part));
    part.expect("it would hang for ever")
}

/// What `future` comes to within a minute. `None`: it still waits, and is dropped.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
    timeout(&CLOCK, Duration::from_secs(60), future).await.ok()
}

/// Starts `future`, drops it after 10 ms, and expects that it was not done by then.
pub(super) async fn cancel<T>(future: impl Future<Output = T>) {
    let done = timeout(&CLOCK, Duration::from_millis(10), future).await;
    assert!(done.is_err(), "done before it could be cancelled");
}

/// Polls `future` once.
pub(super) async fn start<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
