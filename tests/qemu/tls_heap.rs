//! How much of a heap hostile peers can have the firmware use: what it says at its end is bounded, and shows that the attack came that far.

use core::ops::RangeInclusive;

use futures_util::future::join_all;
use tacket::{ReceiveStream as _, SendStream as _};
use tacket_std::TcpStream;
use tacket_tests::{
    Authority, HANDSHAKE, NAME, Scripted, crowded_hello, extensions, message, provision, record,
};

use crate::images::boot_heap;
use crate::peers::{run_here, serve_one};
use crate::tls_server::{CORTEX_M3, assert_content, boot, connect, finish, heap, serving};

/// The longest message that a board takes.
const LONGEST: usize = 4096;

const KIB: usize = 1024;

/// As much of a list as fits this many bytes, with its length in `width` bytes before it.
fn list(item: &[u8], bytes: usize, width: usize) -> Vec<u8> {
    let length = (bytes - width) / item.len() * item.len();
    let mut list = length.to_be_bytes()[size_of::<usize>() - width..].to_vec();
    list.extend(item.iter().cycle().take(length));
    list
}

/// A list of certificates that are empty.
fn crowded_certificate(length: usize) -> Vec<u8> {
    let list = list(&[0; 5], length - 5, 3);
    message(11, &[&[0], &list[..]].concat())
}

/// A request for a certificate of one of very many authorities.
fn crowded_request(length: usize) -> Vec<u8> {
    let schemes = [0, 13, 0, 4, 0, 2, 4, 3];
    let names = list(&[0, 1, 7], length - 4 - 3 - schemes.len() - 4, 2);
    let authorities = [&[0, 47][..], &u16_of(names.len()), &names].concat();
    let extensions = [&schemes[..], &authorities].concat();
    message(
        13,
        &[&[0], &u16_of(extensions.len())[..], &extensions].concat(),
    )
}

fn u16_of(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

/// Two clients send this at the same time, after which a third is served. How much of the heap it took.
fn greeted_by_two(sent: &[u8], is_refused: bool) -> usize {
    let authority = Authority::new();
    let (mut guest, address) = serving(boot(CORTEX_M3), &authority);
    run_here(join_all((0..2).map(async |_| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may refuse it before all has come.
        let _ = stream.send_all(sent).await;
        while let Ok(1..) = stream.receive_some(&mut [0; 100]).await {}
    })));
    for _client in 0..2 {
        let said = guest.wait_for("a client failed").unwrap();
        assert_eq!(
            said.contains("HandshakePayloadTooLarge"),
            is_refused,
            "{said}"
        );
    }
    assert_content(address, &authority);
    finish(guest, "1 completed, 2 failed")
}

fn assert_within(most: usize, range: RangeInclusive<usize>) {
    assert!(range.contains(&most), "{most} bytes of heap");
}

/// Covers FRM-17.
#[test]
fn a_hello_of_very_many_names_does_not_exhaust_the_heap() {
    let longest = record(HANDSHAKE, &crowded_hello(LONGEST - 5));
    assert_within(greeted_by_two(&longest, false), 40 * KIB..=80 * KIB);
}

/// Covers FRM-17.
#[test]
fn a_hello_that_is_too_long_is_refused_before_it_is_understood() {
    let too_long = record(HANDSHAKE, &crowded_hello(1 << 14));
    assert_within(greeted_by_two(&too_long, true), 8 * KIB..=32 * KIB);
    // In parts, the first of which has all that may come.
    let hello = crowded_hello(3 * LONGEST);
    let parts = hello
        .chunks(LONGEST - 5)
        .map(|part| record(HANDSHAKE, part));
    let parts = parts.collect::<Vec<_>>().concat();
    assert_within(greeted_by_two(&parts, true), 8 * KIB..=32 * KIB);
}

/// Covers FRM-17.
#[test]
fn two_clients_cannot_exhaust_the_heap_with_long_records() {
    let authority = Authority::new();
    let (guest, address) = serving(boot(CORTEX_M3), &authority);
    let config = authority.client_config();
    run_here(async {
        let mut clients = join_all((0..2).map(async |_| {
            let mut stream = connect(address, &config).await;
            stream.do_handshake().await.unwrap();
            stream
        }))
        .await;
        // No frame begins so. What follows is thrown away.
        join_all(clients.iter_mut().map(async |stream| {
            let _ = stream.send_all(&[0xff; 1 << 16]).await;
            while let Ok(1..) = stream.receive_some(&mut [0; 100]).await {}
        }))
        .await;
    });
    assert_content(address, &authority);
    let most = finish(guest, "1 completed, 2 failed");
    assert_within(most, 40 * KIB..=100 * KIB);
}

/// What a server says to a client with a heap before it has proved who it is, why that fails, and how much of the heap it takes.
#[track_caller]
fn assert_client_refuses(crowd: &[u8], wanted: &str, range: RangeInclusive<usize>) {
    let authority = Authority::new();
    // The script knows one group of keys.
    let client = boot_heap("telemetry_tls_client_heap").argument("prefer=p256");
    let client = provision(client, &authority, NAME);
    let (mut guest, ()) = serve_one(
        |address| client.argument(format!("server={address}")).start(),
        async |stream| {
            let mut scripted = Scripted::greet(stream, |_| {}).await;
            scripted.say(&[&extensions()]).await;
            for part in crowd.chunks(1 << 14) {
                scripted.send_inside(&[part, &[HANDSHAKE]].concat()).await;
            }
            while scripted.hear().await.is_some() {}
        },
    );
    let said = guest.wait_for("the session failed: ").unwrap();
    assert!(said.contains(wanted), "{said}");
    assert_within(heap(&mut guest), range);
}

/// Covers FRM-17.
#[test]
fn a_server_cannot_exhaust_the_heap_of_a_client_before_it_is_known() {
    let wanted = "invalid peer certificate: BadEncoding";
    let proof = message(15, &[4, 3, 0, 4, 1, 2, 3, 4]);
    let certificate = [crowded_certificate(LONGEST), proof].concat();
    assert_client_refuses(&certificate, wanted, 20 * KIB..=64 * KIB);
    let wanted = "expecting Certificate";
    let request = [crowded_request(LONGEST), message(20, &[7; 32])].concat();
    assert_client_refuses(&request, wanted, 20 * KIB..=64 * KIB);
    let wanted = "HandshakePayloadTooLarge";
    for crowd in [crowded_certificate, crowded_request] {
        assert_client_refuses(&crowd((1 << 14) - 1), wanted, 8 * KIB..=40 * KIB);
    }
}
