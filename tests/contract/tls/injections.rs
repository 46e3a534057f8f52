//! A man in the middle without keys: records in plain sight, put before each flight of a handshake and behind it.

use tacket::testing::MemoryStream;
use tacket::{ReceiveStream as _, SendStream as _, Split as _};
use tacket_tls::TlsError;
use tacket_tls::rustls::SupportedProtocolVersion;
use tacket_tls::rustls::version::{TLS12, TLS13};

use super::cuts::drive;
use super::{Parties, memory};

use Victim::{Client, Server};

type Memory<'p> = MemoryStream<'p, Vec<u8>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Client,
    Server,
}

/// Before which flight to the victim it comes.
const PHASES: usize = 3;

type Row = (&'static str, &'static [u8], [[&'static str; PHASES]; 4]);

/// What is put in, and what the victim does then in TLS 1.2, a client and a server, and in TLS 1.3: before its peer's first flight, before the
/// second, and once both are done.
///
/// `no` refuses it: the session has failed with a reason. `ok` has not noticed: the session goes on and its data is the peer's. `--` has no such flight.
#[rustfmt::skip]
const MATRIX: &[Row] = &[
    // what                                            1.2 client          1.2 server          1.3 client          1.3 server
    ("a fatal alert", &[21, 3, 3, 0, 2, 2, 40], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("a warning", &[21, 3, 3, 0, 2, 1, 90], [["ok", "ok", "no"], ["ok", "ok", "no"], ["ok", "--", "no"], ["ok", "ok", "no"]]),
    ("an end", &[21, 3, 3, 0, 2, 1, 0], [["ok", "ok", "no"], ["ok", "ok", "no"], ["ok", "--", "no"], ["ok", "no", "no"]]),
    ("an alert of one byte", &[21, 3, 3, 0, 1, 2], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("data", &[23, 3, 3, 0, 4, 1, 2, 3, 4], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("data of no length", &[23, 3, 3, 0, 0], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("a message of no length", &[22, 3, 3, 0, 0], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("a request for a hello", &[22, 3, 3, 0, 4, 0, 0, 0, 0], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("a change of ciphers", &[20, 3, 3, 0, 1, 1], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "ok", "no"]]),
    ("an unknown type", &[99, 3, 3, 0, 1, 1], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("a record longer than any", &[22, 3, 3, 0x48, 1], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
    ("an unknown version", &[22, 9, 9, 0, 1, 1], [["no", "no", "no"], ["no", "no", "no"], ["no", "--", "no"], ["no", "no", "no"]]),
];

/// Passes everything on, and puts `bytes` before one flight towards the victim.
struct Middle<'p> {
    near: Memory<'p>,
    far: Memory<'p>,
    victim: Victim,
    bytes: &'static [u8],
    phase: usize,
    flights: usize,
    is_their_turn: bool,
}

impl Middle<'_> {
    fn step(&mut self) -> bool {
        let ((near_tx, near_rx), (far_tx, far_rx)) = (self.near.split(), self.far.split());
        let ways = [(Server, near_rx, far_tx), (Client, far_rx, near_tx)];
        let (mut moved, mut buf) = (false, [0; 4096]);
        for (to, rx, tx) in ways {
            let Ok(count @ 1..) = rx.try_receive(&mut buf) else {
                continue;
            };
            moved = true;
            if to != self.victim {
                self.is_their_turn = true;
            } else if core::mem::replace(&mut self.is_their_turn, false) || self.flights == 0 {
                if self.flights == self.phase {
                    let written = tx.try_write(self.bytes);
                    assert_eq!(written, Ok(self.bytes.len()), "there is room");
                }
                self.flights += 1;
            }
            assert_eq!(tx.try_write(&buf[..count]), Ok(count), "there is room");
        }
        moved
    }
}

/// What the victim does.
fn outcome(
    version: &'static SupportedProtocolVersion,
    victim: Victim,
    bytes: &'static [u8],
    phase: usize,
) -> &'static str {
    let (parties, near, far) = (Parties::speaking(version), memory(), memory());
    let (left, near) = near.open().expect("a new pair");
    let (far, right) = far.open().expect("a new pair");
    let (mut client, mut server) = parties.pair((left, right));
    let mut middle = Middle {
        near,
        far,
        victim,
        bytes,
        phase,
        flights: 0,
        is_their_turn: false,
    };
    let shaken = drive(client.do_handshake(), server.do_handshake(), || {
        middle.step()
    });
    if phase == PHASES - 1 {
        assert_eq!(
            shaken,
            (Some(Ok(())), Some(Ok(()))),
            "nothing has happened to it yet"
        );
        let to_victim = match victim {
            Client => middle.near.split().0,
            Server => middle.far.split().0,
        };
        assert_eq!(to_victim.try_write(bytes), Ok(bytes.len()), "there is room");
    } else if middle.flights <= phase {
        return "--";
    }
    let (victim_tls, peer) = match victim {
        Client => (&mut client, &mut server),
        Server => (&mut server, &mut client),
    };
    // Once more the handshake, which says what it said, and then data.
    let mut buf = [0; 16];
    let hearing = async {
        victim_tls.do_handshake().await?;
        victim_tls.receive_some(&mut buf).await
    };
    let saying = async {
        let said = peer.send_all(b"the truth").await;
        // It may have been told why.
        assert!(!matches!(said, Err(TlsError::Truncated)), "{said:?}");
    };
    let (heard, _) = match victim {
        Client => drive(hearing, saying, || middle.step()),
        Server => {
            let (said, heard) = drive(saying, hearing, || middle.step());
            (heard, said)
        }
    };
    match heard {
        Some(Ok(9)) if buf[..9] == *b"the truth" => "ok",
        Some(Err(TlsError::Engine(_))) => "no",
        Some(_) => "another outcome",
        None => "it hangs",
    }
}

#[test]
fn records_in_plain_sight_at_any_time_are_refused_or_change_nothing() {
    let mut wrong = Vec::new();
    for (what, bytes, expected) in MATRIX {
        let columns = [
            (&TLS12, Client),
            (&TLS12, Server),
            (&TLS13, Client),
            (&TLS13, Server),
        ];
        let outcomes = columns.map(|(version, victim)| {
            core::array::from_fn(|phase| outcome(version, victim, bytes, phase))
        });
        if outcomes != *expected {
            wrong.push(format!("{what}: {outcomes:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
