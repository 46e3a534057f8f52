//! Serving clients, on real sockets of this machine.

mod clients;
mod listeners;
mod panics;
mod stopping;

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use tacket::{
    AsyncResource as _, Clock as _, HalfCloseable as _, LocalAddress as _, ReceiveStream as _,
    SendStream as _, timeout,
};
use tacket_examples::echo;
use tacket_std::{IoError, MonotonicClock, TcpListener, TcpStream};

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
