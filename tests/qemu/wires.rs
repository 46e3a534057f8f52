//! Guests that talk with each other, on wires good and bad, and a cable that is pulled.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use tacket_hil::{Boot, Guest, Relay, Side};

use crate::images::boot;
use crate::peers::exchange;

/// A server and its client, at the ends of a wire.
fn talk(wire: &Relay, server: Boot, port: u16, client: Boot) -> (Guest, Guest) {
    let mut server = server
        .argument("address=192.168.77.1")
        .argument("clients=1")
        .wire(wire, Side::Left)
        .start()
        .unwrap();
    server.wait_for("listening").unwrap();
    let client = client
        .argument("address=192.168.77.2")
        .argument(format!("server=192.168.77.1:{port}"))
        .wire(wire, Side::Right)
        .start()
        .unwrap();
    (server, client)
}

fn assert_content(guests: (Guest, Guest), server_says: &str, client_says: &str) {
    for (mut guest, says) in [(guests.1, client_says), (guests.0, server_says)] {
        guest
            .wait_for(says)
            .unwrap_or_else(|error| panic!("{error}"));
        guest.finish().unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Covers FRM-04.
#[test]
fn two_guests_echo_and_tell_readings_to_each_other() {
    let wire = Relay::perfect().unwrap();
    let client = boot("echo_client").argument("bytes=1048576");
    let guests = talk(&wire, boot("echo_server"), 7, client);
    assert_content(guests, "echoed 1048576 bytes", "1048576 bytes came back");
    assert_eq!(wire.lost(), 0);

    let wire = Relay::perfect().unwrap();
    let guests = talk(&wire, boot("telemetry_server"), 8, boot("telemetry_client"));
    assert_content(guests, "served 11 requests", "11 requests");
}

/// Covers FRM-05.
#[test]
fn every_byte_arrives_although_two_percent_of_the_frames_are_lost() {
    let wire = Relay::lossy(1, 0.02).unwrap();
    // The client's last acknowledgement may get lost three times.
    let client = boot("echo_client")
        .argument("bytes=300000")
        .argument("afterwards=8000");
    let guests = talk(&wire, boot("echo_server"), 7, client);
    assert_content(guests, "echoed 300000 bytes", "300000 bytes came back");
    assert!(wire.lost() > 0, "{wire:?}");
}

/// Covers FRM-06.
#[test]
fn a_transfer_goes_on_when_the_wire_is_mended() {
    let wire = Relay::perfect().unwrap();
    let client = boot("echo_client").argument("bytes=4194304");
    let guests = talk(&wire, boot("echo_server"), 7, client);
    let deadline = Instant::now() + Duration::from_secs(20);
    while wire.carried() < 500 {
        assert!(Instant::now() < deadline, "nothing happens");
        thread::sleep(Duration::from_millis(1));
    }
    wire.cut();
    thread::sleep(Duration::from_secs(2));
    wire.mend();
    assert!(wire.lost() > 0, "it was cut too late");
    assert_content(guests, "echoed 4194304 bytes", "4194304 bytes came back");
}

/// Covers HIL-04.
#[test]
fn a_guest_that_is_paused_goes_on_where_it_was() {
    let mut guest = boot("echo_server").forward(7).start().unwrap();
    guest.wait_for("listening").unwrap();
    let address = guest.address_of(7).unwrap();
    guest.pause().unwrap();
    let stalled = thread::spawn(move || exchange(address, 20_000));
    thread::sleep(Duration::from_millis(300));
    assert!(!stalled.is_finished(), "it is not paused");
    guest.resume().unwrap();
    stalled.join().unwrap();
    guest.wait_for("echoed 20000 bytes").unwrap();
}

/// Covers FRM-06.
#[test]
fn a_link_that_goes_down_and_up_again_serves_as_before() {
    let mut guest = boot("echo_server").forward(7).start().unwrap();
    guest.wait_for("listening").unwrap();
    let address = guest.address_of(7).unwrap();
    for _round in 0..3 {
        exchange(address, 20_000);
        guest.wait_for("echoed 20000 bytes").unwrap();
        guest.set_link(false).unwrap();
        guest.wait_for("no address").unwrap();
        guest.set_link(true).unwrap();
        guest.wait_for("address 10.0.2.15").unwrap();
    }
    exchange(address, 20_000);
}
