//! Allocations: of a round trip, and what clients leave behind.

use alloc::rc::Rc;
use core::cell::Cell;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use futures_util::future::{join, try_join_all};
use tacket::{AsyncResource as _, LocalAddress as _, ReceiveStream as _, SendStream as _, Server};
use tacket_std::{IoError, MonotonicClock, TcpListener, TcpStream};
use tacket_tests::pingpong;

const WARM_UP: u32 = 100;
const ROUNDS: u32 = 10_000;
/// How many clients are there at a time.
const FEW: u32 = 12;

/// Allocations made while playing `rounds` rounds, everything included.
fn allocations(rounds: u32) -> u64 {
    let played = Rc::new(Cell::new(0));
    let counter = Rc::clone(&played);
    let counted = allocation_counter::measure(move || {
        pingpong(rounds, move || counter.set(counter.get() + 1)).expect("a game on loopback");
    });
    assert_eq!(played.get(), rounds);
    counted.count_total
}

#[test]
fn a_round_trip_allocates_nothing_after_warm_up() {
    pingpong(WARM_UP, || ()).expect("a game on loopback");
    let (short, long) = (allocations(WARM_UP), allocations(WARM_UP + ROUNDS));
    assert_eq!(
        long,
        short,
        "{ROUNDS} more rounds made {} more allocations",
        long.abs_diff(short)
    );
}

/// How many allocations, and bytes, are left when so many clients were served, a few at a time.
fn left_by_clients(clients: u32) -> (i64, i64) {
    let left = allocation_counter::measure(|| {
        let served = tacket_std::run(serve_clients(clients)).and_then(|served| served);
        assert_eq!(served.expect("a game on loopback"), u64::from(clients));
    });
    (left.count_current, left.bytes_current)
}

/// Serves so many clients, and returns how many those were.
async fn serve_clients(clients: u32) -> Result<u64, IoError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = listener.local_addr()?;
    let answer = async |mut stream: TcpStream| {
        stream.receive_some(&mut [0; 8]).await?;
        stream.send_all(b"!").await?;
        stream.close().await
    };
    let server = Server::<_, _, _>::new(listener, MonotonicClock::new(), answer);
    let coming = async {
        for _few in 0..clients / FEW {
            try_join_all((0..FEW).map(|client| ask_or_leave(address, client))).await?;
        }
        server.stop(Duration::from_secs(10));
        Ok(())
    };
    let (served, came) = join(server.run_unbounded(), coming).await;
    came.map(|()| served.expect("the listener is fine").accepted)
}

/// One client, which asks, or leaves without a word.
async fn ask_or_leave(address: SocketAddr, client: u32) -> Result<(), IoError> {
    let mut stream = TcpStream::connect(address).await?;
    if client.is_multiple_of(3) {
        return Ok(());
    }
    stream.send_all(b"?").await?;
    assert_eq!(stream.receive_some(&mut [0; 8]).await?, 1);
    stream.close().await
}

#[test]
fn clients_who_have_left_leave_no_memory_behind() {
    left_by_clients(10 * FEW);
    assert_eq!(left_by_clients(100 * FEW), left_by_clients(10 * FEW));
}
