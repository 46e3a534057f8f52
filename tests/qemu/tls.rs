//! The firmware's TLS, without a heap and with one, with the desktop's servers.

use tacket_examples::telemetry::{self, Thermostat};
use tacket_hil::{Board, Boot, Target};
use tacket_std::MonotonicClock;
use tacket_tests::{Authority, NAME, provision, to_hex};
use tacket_tls::rustls::crypto::ring::default_provider;
use tacket_tls::{ServerConfig, TlsStream, rustls};

use crate::images::{boot, boot_heap, example, heap_image};
use crate::peers::serve_one;

/// Boots a client, and demands that it is content with the thermostat behind TLS here.
fn assert_content(boot: Boot, server: &ServerConfig) {
    let clock = MonotonicClock::new();
    let (mut guest, served) = serve_one(
        |address| boot.argument(format!("server={address}")).start(),
        async |stream| {
            let stream = TlsStream::server(stream, server).unwrap();
            telemetry::serve(stream, &mut Thermostat::new(), &clock).await
        },
    );
    let served = served.unwrap();
    let summary = format!("{} requests, {} samples", served.requests, served.samples);
    guest.wait_for(&summary).unwrap();
    guest.finish().unwrap();
}

/// Covers FRM-11.
#[test]
fn the_telemetry_client_is_content_with_the_desktop_over_tls() {
    let authority = Authority::new();
    let client = provision(boot("telemetry_tls_client"), &authority, NAME);
    assert_content(client, &authority.server_config());
}

/// Covers FRM-18. The source is the same: `telemetry_tls.rs` of the examples.
#[test]
fn the_same_client_over_rustls_is_content_with_the_desktop() {
    let authority = Authority::new();
    let client = provision(boot_heap("telemetry_tls_client_heap"), &authority, NAME);
    assert_content(client, &authority.server_config());
}

/// Covers FRM-18.
#[test]
fn the_same_client_over_rustls_is_content_with_the_desktop_on_risc_v_too() {
    let authority = Authority::new();
    let image = heap_image(Target::RISCV32IMAC, "telemetry_tls_client_heap");
    let client = provision(Boot::new(&image, Board::RISCV32_VIRT), &authority, NAME);
    assert_content(client, &authority.server_config());
}

/// Covers FRM-11.
#[test]
fn the_telemetry_client_is_content_with_the_desktop_on_risc_v_too() {
    let authority = Authority::new();
    let image = example(Target::RISCV32IMAC, "telemetry_tls_client");
    let client = provision(Boot::new(&image, Board::RISCV32_VIRT), &authority, NAME);
    assert_content(client, &authority.server_config());
}

/// Covers FRM-11.
#[test]
fn a_client_with_little_memory_is_content_with_a_server_whose_records_are_short() {
    let authority = Authority::new();
    let client = provision(boot("telemetry_tls_client_2k"), &authority, NAME);
    assert_content(client, &records_of(2048, &authority, NAME));
}

/// A server with this name that sends no records with more data than that.
pub(crate) fn records_of(most: usize, authority: &Authority, name: &str) -> ServerConfig {
    let (certificate, key) = authority.certify(&[name], |_| {});
    let config = rustls::ServerConfig::builder_with_provider(default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate], key).unwrap();
    config.max_fragment_size = Some(most + 5); // with the header
    config.into()
}

/// Covers FRM-11.
#[test]
fn a_server_of_another_authority_is_refused() {
    let [authority, other] = [Authority::new(), Authority::new()];
    let client = provision(boot("telemetry_tls_client"), &authority, NAME);
    let clock = MonotonicClock::new();
    let config = other.server_config();
    let (mut guest, served) = serve_one(
        |address| client.argument(format!("server={address}")).start(),
        async |stream| {
            let stream = TlsStream::server(stream, &config).unwrap();
            telemetry::serve(stream, &mut Thermostat::new(), &clock).await
        },
    );
    assert!(served.is_err());
    let said = guest.wait_for("the session failed").unwrap();
    assert!(said.contains("authority"), "{said}");
    assert!(guest.finish().is_err());
}

/// Covers FRM-11.
#[test]
fn without_entropy_no_session_begins() {
    let mut guest = boot("telemetry_tls_client")
        .argument("server=10.0.2.2:1")
        .argument(format!("name={NAME}"))
        .argument(format!("root={}", to_hex(&Authority::new().root())))
        .start()
        .unwrap();
    guest.wait_for("this board has no entropy").unwrap();
    assert!(guest.finish().is_err());
}
