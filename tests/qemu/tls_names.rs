//! The firmware's TLS with a host that has several addresses: they race.

use core::net::Ipv4Addr;

use tacket_examples::telemetry::{self, Served, Thermostat};
use tacket_hil::{Board, Boot, Guest, Target};
use tacket_std::MonotonicClock;
use tacket_tests::{Authority, NAME, provision};
use tacket_tls::{ServerConfig, TlsStream};

use crate::images::names_image;
use crate::name_server::NameServer;
use crate::peers::{HERE, serve_one};

/// Who refuses connections: an address of this machine where nobody listens.
const REFUSING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Who does not answer: an address of the emulator's network that nobody has.
const SILENT: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 99);

/// Boots a client that looks up the addresses of [`NAME`], and serves it at [`HERE`]. Returns what it did, if the session was whole.
fn serve(
    authority: &Authority,
    addresses: &[Ipv4Addr],
    server: &ServerConfig,
) -> (Guest, Option<Served>) {
    let names = NameServer::start(addresses);
    let image = names_image(Target::THUMBV7M, "telemetry_tls_by_name");
    let client = provision(Boot::new(&image, Board::MPS2_AN385), authority, NAME)
        .argument("address=10.0.2.15")
        .argument(format!("router={HERE}"))
        .argument(format!("dns={}", names.address()));
    let clock = MonotonicClock::new();
    let (guest, served) = serve_one(
        |address| client.argument(format!("port={}", address.port())).start(),
        async |stream| {
            let stream = TlsStream::server(stream, server).unwrap();
            telemetry::serve(stream, &mut Thermostat::new(), &clock).await
        },
    );
    (guest, served.ok())
}

fn assert_reached(addresses: &[Ipv4Addr]) {
    let authority = Authority::new();
    let (mut guest, served) = serve(&authority, addresses, &authority.server_config());
    guest.wait_for(&format!("connected to {HERE}")).unwrap();
    let served = served.unwrap();
    let summary = format!("{} requests, {} samples", served.requests, served.samples);
    guest.wait_for(&summary).unwrap();
    guest.finish().unwrap();
}

/// Covers FRM-13.
#[test]
fn firmware_goes_to_the_next_address_where_the_first_refuses() {
    assert_reached(&[REFUSING, HERE]);
}

/// Covers FRM-13.
#[test]
fn firmware_goes_to_the_next_address_where_the_first_does_not_answer() {
    assert_reached(&[SILENT, HERE]);
}

/// Covers FRM-13.
#[test]
fn firmware_reaches_the_one_of_four_addresses_that_answers() {
    assert_reached(&[SILENT, REFUSING, SILENT, HERE]);
}

/// Covers FRM-13.
#[test]
fn whoever_wins_the_race_must_have_the_name() {
    let authority = Authority::new();
    let other = authority.server_config_for(&["other.example"], |_| {});
    let (mut guest, served) = serve(&authority, &[REFUSING, HERE], &other);
    assert_eq!(served, None);
    guest.wait_for(&format!("connected to {HERE}")).unwrap();
    let said = guest.wait_for("the session failed").unwrap();
    assert!(said.contains("name"), "{said}");
    assert!(guest.finish().is_err());
}
