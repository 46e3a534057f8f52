//! Names and their addresses.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::future::{join_all, select};
use std::pin::pin;
use tacket::SendDatagram as _;
use tacket::{Bind as _, Error as _, Fault, Network, ReceiveDatagram as _, Resolve as _};
use tacket_embassy::NetError;

use super::{Ends, assert_fault, drop_points, on_both, on_embassy, on_std};

const NONE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[test]
fn an_address_is_its_own_name() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        for address in ["192.0.2.7", "2001:db8::7", "127.0.0.1", "::1"] {
            let mut found = [NONE; 2];
            let count = ends.client.resolve(address, &mut found).await;
            assert_eq!(count.expect("an address"), 1);
            assert_eq!(found, [address.parse().expect("an address"), NONE]);
        }
    }
    on_both!(claim);
}

#[test]
fn what_cannot_be_a_name_is_invalid_and_so_is_no_room_for_an_answer() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let long = "x".repeat(64);
        let longest = ["x".repeat(60).as_str(); 5].join(".");
        for name in ["", ".", "a..b", &long, &longest] {
            let refused = ends.client.resolve(name, &mut [NONE]).await;
            assert_fault(refused, Fault::InvalidInput);
        }
        for name in ["localhost", "127.0.0.1"] {
            let refused = ends.client.resolve(name, &mut []).await;
            assert_fault(refused, Fault::InvalidInput);
        }
    }
    on_both!(claim);
}

#[test]
fn localhost_is_this_machine_to_the_system_however_often_it_is_asked() {
    on_std(async |ends| {
        for point in drop_points().take(30) {
            let mut found = [NONE; 4];
            point
                .cut(ends.client.resolve("localhost", &mut found))
                .await;
        }
        join_all((0..50).map(async |_| {
            let mut found = [NONE; 4];
            let count = ends.client.resolve("localhost", &mut found).await;
            let found = &found[..count.expect("an address")];
            assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback));
            let mut first = [NONE];
            let count = ends.client.resolve("localhost", &mut first).await;
            assert_eq!(
                (count.expect("an address"), first[0]),
                (found.len(), found[0])
            );
        }))
        .await;
    });
}

#[test]
fn a_name_that_the_system_does_not_know_is_an_error_with_its_cause() {
    on_std(async |ends| {
        let name = "nobody.invalid";
        let error = ends.client.resolve(name, &mut [NONE]).await;
        let error = error.expect_err("no such name");
        assert_eq!(error.fault(), Fault::Other);
        assert!(error.to_string().contains(name), "{error}");
        let cause = error.source().expect("a cause").to_string();
        assert!(error.to_string().contains(&cause), "{error}");
        let odd = ends.client.resolve("local\0host", &mut [NONE]).await;
        assert_fault(odd, Fault::InvalidInput);
    });
}

const HERE: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(10, 0, 0, 9),
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9),
);

/// The answer of a server that knows `thing.example`, in both versions, and `old.example`, in version 4.
fn answer(question: &[u8]) -> Vec<u8> {
    const THING: &[u8] = b"\x05thing\x07example\0";
    const OLD: &[u8] = b"\x03old\x07example\0";
    let (name, tail) = question[12..].split_at(question.len() - 12 - 4);
    let data = match (name, tail) {
        (THING | OLD, [0, 1, 0, 1]) => Some(HERE.0.octets().to_vec()),
        (THING, [0, 28, 0, 1]) => Some(HERE.1.octets().to_vec()),
        _ => None,
    };
    let unknown = name != THING && name != OLD;
    let mut answer = question.to_vec();
    answer[2] |= 0x80; // a response
    answer[3] = 0x80 | if unknown { 3 } else { 0 }; // no such name
    if let Some(data) = data {
        answer[7] = 1;
        answer.extend([0xc0, 12]); // the name is that of the question
        answer.extend(tail);
        answer.extend([0, 0, 0, 60, 0, data.len() as u8]); // for a minute
        answer.extend(data);
    }
    answer
}

#[test]
fn a_stack_asks_its_server_for_both_versions_and_prefers_the_sixth() {
    on_embassy(async |ends| {
        let server = ends.server.bind((ends.server_host, 53).into()).await;
        let mut server = server.expect("a free port");
        let serving = async {
            let mut buf = [0; 512];
            loop {
                let (length, peer) = server.receive_from(&mut buf).await.expect("receives");
                let answer = answer(&buf[..length]);
                server.send_to(&answer, peer).await.expect("sends");
            }
        };
        let asking = async {
            // Far more than there are questions at a time: none stays behind.
            for point in drop_points().take(30) {
                let mut found = [NONE; 4];
                point
                    .cut(ends.client.resolve("thing.example", &mut found))
                    .await;
            }
            let (four, six) = (IpAddr::V4(HERE.0), IpAddr::V6(HERE.1));
            for (name, expected) in [
                ("thing.example", [six, four]),
                ("thing.example.", [six, four]),
                ("old.example", [four, NONE]),
            ] {
                let mut found = [NONE; 2];
                let count = ends.client.resolve(name, &mut found).await;
                assert_eq!(found, expected, "{name}");
                let told = expected.iter().filter(|address| **address != NONE).count();
                assert_eq!(count, Ok(told));
            }
            let mut first = [NONE];
            let count = ends.client.resolve("thing.example", &mut first).await;
            assert_eq!((count, first), (Ok(2), [six]), "both are counted");
            let unknown = ends.client.resolve("no.example", &mut [NONE; 2]).await;
            assert_eq!(unknown, Err(NetError::NameNotFound));
        };
        select(pin!(serving), pin!(asking)).await;
    });
}

#[test]
fn a_name_server_that_is_silent_is_given_up() {
    on_embassy(async |ends| {
        let silence = ends.client.resolve("thing.example", &mut [NONE]).await;
        assert_eq!(silence, Err(NetError::NameNotFound));
    });
}
