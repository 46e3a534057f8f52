//! Several clients at the same time, on fixed memory.

use core::time::Duration;
use std::io::Read as _;
use std::net::TcpStream as Socket;

use futures_util::future::join_all;
use tacket::{AsyncResource as _, ReceiveStream as _, timeout};
use tacket_examples::telemetry;
use tacket_hil::Guest;
use tacket_std::{MonotonicClock, TcpStream};

use crate::images::boot;

const LIMIT: Duration = Duration::from_secs(30);

fn start(grace: &str) -> Guest {
    let boot = boot("telemetry_hub").argument(grace).forward(8).forward(9);
    let mut guest = boot.start().unwrap();
    guest.wait_for("listening").unwrap();
    guest
}

/// Has it stop. Its answer is that it closes the connection.
pub(crate) fn command(guest: &mut Guest) {
    let mut command = Socket::connect(guest.address_of(9).unwrap()).unwrap();
    command.set_read_timeout(Some(LIMIT)).unwrap();
    command.read_to_end(&mut Vec::new()).unwrap();
}

/// Covers FRM-10.
#[test]
fn three_clients_are_served_at_the_same_time_and_more_one_after_the_other() {
    let mut guest = start("grace=5000");
    let address = guest.address_of(8).unwrap();
    let clock = MonotonicClock::new();
    let sessions = async {
        for _round in 0..3 {
            let streams = join_all((0..3).map(|_| TcpStream::connect(address))).await;
            let sessions = streams
                .into_iter()
                .map(|stream| telemetry::session(stream.unwrap(), &clock));
            for summary in join_all(sessions).await {
                assert!(summary.unwrap().requests > 0);
            }
        }
    };
    let done = tacket_std::run(timeout(&clock, LIMIT, sessions)).unwrap();
    done.expect("they take too long");
    command(&mut guest);
    guest.wait_for("draining, with 0 clients").unwrap();
    let expected = "9 accepted, 3 at the same time, 9 completed, 0 failed, 0 cut";
    guest.wait_for(expected).unwrap();
    guest.finish().unwrap();
}

/// Covers FRM-10.
#[test]
fn a_client_that_does_not_finish_is_cut_when_the_time_to_drain_is_over() {
    let mut guest = start("grace=300");
    let address = guest.address_of(8).unwrap();
    let clock = MonotonicClock::new();
    let cut = async {
        let mut stuck = TcpStream::connect(address).await.unwrap();
        let done = TcpStream::connect(address).await.unwrap();
        telemetry::session(done, &clock).await.unwrap();
        command(&mut guest);
        // The emulator makes an end of a reset.
        let end = stuck.receive_some(&mut [0; 64]).await;
        assert!(matches!(end, Ok(0) | Err(_)), "it goes on with {end:?}");
        let _ = stuck.close().await;
    };
    let done = tacket_std::run(timeout(&clock, LIMIT, cut)).unwrap();
    done.expect("it is not cut");
    guest.wait_for("draining, with 1 clients").unwrap();
    let expected = "2 accepted, 2 at the same time, 1 completed, 0 failed, 1 cut";
    guest.wait_for(expected).unwrap();
    guest.finish().unwrap();
}
