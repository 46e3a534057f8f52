//! What a hostile peer of a TLS session can cost: work in one step, and memory.

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "../contract/tls/adversary.rs"]
mod adversary;

use futures_util::FutureExt as _;
use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
use tacket::{ReceiveStream as _, SendStream as _, Split as _};
use tacket_tests::Authority;
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::rustls::{ContentType, SupportedProtocolVersion};
use tacket_tls::{TlsError, TlsStream};

use ContentType::{ApplicationData, Handshake};
use adversary::Subject::{self, Client, Server};
use adversary::{Adversary, Wire};

type Tls<'p> = TlsStream<Wire<'p>>;

/// A message that changes the keys of who sends it, and asks for the same (RFC 8446, 4.6.3).
const KEY_UPDATE_PLEASE: [u8; 5] = [24, 0, 0, 1, 1];

/// How many bytes the transport holds.
const ROOM: usize = 100_000;

fn memory() -> MemoryPair<Vec<u8>> {
    MemoryPair::new(vec![0; ROOM], vec![0; ROOM])
}

/// Runs `test` on a subject that has shaken hands with an adversary.
fn with_adversary(
    subject: Subject,
    version: &'static SupportedProtocolVersion,
    test: impl for<'p> FnOnce(Tls<'p>, Adversary<'p>),
) {
    let memory = memory();
    let meeting = tacket_std::run(Adversary::meet(subject, version, &memory));
    let (tls, adversary) = meeting.expect("an event loop");
    test(tls, adversary);
}

fn put(wire: &mut MemoryStream<'_, Vec<u8>>, bytes: &[u8]) {
    assert_eq!(
        wire.split().0.try_write(bytes),
        Ok(bytes.len()),
        "there is room"
    );
}

/// Receives what is there. Returns how many bytes that was.
fn drain(tls: &mut Tls<'_>) -> Result<usize, TlsError<MemoryError>> {
    let (mut total, mut buf) = (0, [0; 64]);
    while let Some(received) = tls.receive_some(&mut buf).now_or_never() {
        let count = received?;
        assert_ne!(count, 0, "an end");
        total += count;
    }
    Ok(total)
}

/// The memory that `tls` has needed at most, and what it has kept, beyond what it had.
#[derive(Debug)]
struct Memory {
    most: u64,
    kept: i64,
}

fn measure(act: impl FnOnce()) -> Memory {
    let counted = allocation_counter::measure(act);
    Memory {
        most: counted.bytes_max,
        kept: counted.bytes_current,
    }
}

/// Allocations of a call besides those for the records it opens: the input grows, a buffer for the rest of a record.
const BESIDES: usize = 8;

fn allocations(act: impl FnOnce()) -> usize {
    let counted = allocation_counter::measure(act);
    usize::try_from(counted.count_total).expect("few")
}

fn receive_now(tls: &mut Tls<'_>, buf: &mut [u8]) -> usize {
    let received = tls.receive_some(buf).now_or_never();
    received.expect("at once").expect("data")
}

/// A record that is opened is an allocation of rustls: so this counts records.
#[test]
fn a_receive_opens_no_more_records_than_it_has_room_for() {
    const ROOM_FOR: usize = 10;
    for version in [&TLS12, &TLS13] {
        for subject in [Client, Server] {
            with_adversary(subject, version, |mut tls, mut adversary| {
                let records = bytes_of(&mut adversary, 3000);
                put(&mut adversary.wire, &records);
                let (mut buf, mut total) = ([0; ROOM_FOR], 0);
                while total < 3000 {
                    let mut count = 0;
                    let opened = allocations(|| count = receive_now(&mut tls, &mut buf));
                    assert!(opened <= count + BESIDES, "{opened} for {count} bytes");
                    total += count;
                }
            });
        }
    }
}

/// So many records of a byte each.
fn bytes_of(adversary: &mut Adversary<'_>, records: usize) -> Vec<u8> {
    let records = (0..records).flat_map(|_| adversary.seal(ApplicationData, b"x"));
    records.collect()
}

/// rustls makes a sender open what is in its way. That happens once, and nothing more is read for it.
#[test]
fn a_send_opens_the_records_that_were_read_and_reads_no_more() {
    /// What is read ahead at most, of records of a byte.
    const MOST: usize = 80 * 1024 / (5 + 1 + 1 + 16);
    for subject in [Client, Server] {
        with_adversary(subject, &TLS13, |mut tls, mut adversary| {
            let mut buf = [0; 1000];
            let mut opened = Vec::new();
            for _ in 0..10 {
                let records = bytes_of(&mut adversary, 4000);
                put(&mut adversary.wire, &records);
                // What is there when this begins is not read ahead in full; then it is.
                receive_now(&mut tls, &mut buf);
                for _ in 0..2 {
                    opened.push(allocations(|| {
                        let sent = tls.send_all(b"x").now_or_never();
                        sent.expect("at once").expect("sends");
                    }));
                }
                assert!(drain(&mut tls).expect("data") > 2000);
            }
            let most = opened.iter().max().expect("some");
            assert!((1000..=MOST + BESIDES).contains(most), "{opened:?}");
            let again = opened.iter().skip(1).step_by(2);
            assert!(
                again.max().is_some_and(|most| *most <= BESIDES),
                "{opened:?}"
            );
        });
    }
}

/// What a flood consists of, piece by piece.
type Flood = fn(&mut Adversary<'_>) -> Vec<u8>;

fn empty_records(adversary: &mut Adversary<'_>) -> Vec<u8> {
    let mut piece = Vec::new();
    for _ in 0..32 {
        piece.extend(adversary.seal(ApplicationData, b""));
    }
    piece.extend(adversary.seal(ApplicationData, b"x"));
    piece
}

fn key_updates(adversary: &mut Adversary<'_>) -> Vec<u8> {
    let mut piece = Vec::new();
    for _ in 0..30 {
        piece.extend(adversary.seal(Handshake, &KEY_UPDATE_PLEASE));
        adversary.change_keys();
    }
    piece.extend(adversary.seal(ApplicationData, b"x"));
    piece
}

/// A ticket (RFC 8446, 4.6.1) with so many bytes in it, for an hour.
fn ticket(length: usize) -> Vec<u8> {
    let size = |length: usize| u16::try_from(length).expect("it is short").to_be_bytes();
    let [high, low] = size(14 + length);
    let mut ticket = vec![4, 0, high, low, 0, 0, 14, 16, 0, 0, 0, 0, 1, 0];
    ticket.extend(size(length));
    ticket.extend(vec![9; length]);
    ticket.extend([0, 0]);
    ticket
}

fn tickets(adversary: &mut Adversary<'_>) -> Vec<u8> {
    let mut piece = Vec::new();
    for _ in 0..100 {
        piece.extend(adversary.seal(Handshake, &ticket(40)));
    }
    piece.extend(adversary.seal(ApplicationData, b"x"));
    piece
}

/// One, as long as any.
fn longest_tickets(adversary: &mut Adversary<'_>) -> Vec<u8> {
    let mut piece = parted(adversary, &longest_ticket(), 1 << 14);
    piece.extend(adversary.seal(ApplicationData, b"x"));
    piece
}

/// The longest message that rustls takes, without the header of 4 bytes.
const LONGEST: usize = 0xffff;

/// Never more than this, whatever comes: what is read ahead, twice while that grows, and a copy of a message.
const BOUND: u64 = 4 * LONGEST as u64;

fn longest_ticket() -> Vec<u8> {
    ticket(LONGEST - 14)
}

/// A message in records of so many bytes.
fn parted(adversary: &mut Adversary<'_>, message: &[u8], length: usize) -> Vec<u8> {
    let parts = message.chunks(length);
    parts
        .flat_map(|part| adversary.seal(Handshake, part))
        .collect()
}

/// What the subject needs for a flood of so many pieces.
fn flooded(
    subject: Subject,
    version: &'static SupportedProtocolVersion,
    flood: Flood,
    pieces: usize,
) -> Memory {
    let mut needed = None;
    with_adversary(subject, version, |mut tls, mut adversary| {
        // What is kept of the first few: buffers, and tickets, of which a client keeps 8.
        for _ in 0..10 {
            let piece = flood(&mut adversary);
            put(&mut adversary.wire, &piece);
            assert_eq!(drain(&mut tls), Ok(1));
        }
        let pieces: Vec<_> = (0..pieces).map(|_| flood(&mut adversary)).collect();
        needed = Some(measure(|| {
            for piece in &pieces {
                put(&mut adversary.wire, piece);
                assert_eq!(drain(&mut tls), Ok(1));
            }
        }));
    });
    needed.expect("it was measured")
}

#[test]
fn floods_of_what_is_allowed_need_the_same_memory_however_long_they_are() {
    for (version, subject, flood) in [
        (&TLS12, Client, empty_records as Flood),
        (&TLS12, Server, empty_records),
        (&TLS13, Client, empty_records),
        (&TLS13, Server, empty_records),
        (&TLS13, Client, key_updates),
        (&TLS13, Server, key_updates),
        (&TLS13, Client, tickets),
        (&TLS13, Client, longest_tickets),
    ] {
        let [short, long] = [10, 100].map(|pieces| flooded(subject, version, flood, pieces));
        assert_eq!((short.kept, long.kept), (0, 0), "{subject:?}");
        assert!(long.most <= short.most + 64, "{short:?}, {long:?}");
        assert!(long.most <= BOUND, "{long:?}");
    }
}

#[test]
fn the_longest_message_that_comes_byte_by_byte_needs_bounded_memory() {
    for (length, is_taken) in [(1 << 14, true), (1000, true), (100, true), (1, false)] {
        with_adversary(Client, &TLS13, |mut tls, mut adversary| {
            let records = parted(&mut adversary, &longest_ticket(), length);
            let mut outcome = Ok(0);
            let needed = measure(|| {
                for byte in &records {
                    put(&mut adversary.wire, &[*byte]);
                    outcome = drain(&mut tls);
                    if outcome.is_err() {
                        break;
                    }
                }
            });
            // In records of a byte it is longer than what is read ahead of any.
            assert_eq!(outcome.is_ok(), is_taken, "{outcome:?}");
            assert!(needed.most <= BOUND, "{needed:?}");
        });
    }
}

#[test]
fn the_longest_first_message_of_a_stranger_that_comes_byte_by_byte_needs_bounded_memory() {
    let mut hello = vec![1, 0, 0xff, 0xff];
    hello.resize(4 + LONGEST, 0);
    for length in [1 << 14, 1000, 1] {
        let (memory, config) = (memory(), Authority::new().server_config());
        let (left, mut wire) = memory.open().expect("a new pair");
        let mut tls = TlsStream::server(left, &config).expect("a configuration");
        let records: Vec<_> = hello.chunks(length).flat_map(in_plain_sight).collect();
        let mut outcome = None;
        let needed = measure(|| {
            for byte in &records {
                put(&mut wire, &[*byte]);
                outcome = tls.do_handshake().now_or_never();
                if outcome.is_some() {
                    break;
                }
            }
        });
        assert!(
            matches!(outcome, Some(Err(TlsError::Engine(_)))),
            "{outcome:?}"
        );
        assert!(needed.most <= BOUND, "{needed:?}");
    }
}

fn in_plain_sight(part: &[u8]) -> Vec<u8> {
    let length = u16::try_from(part.len()).expect("it is short");
    let [high, low] = length.to_be_bytes();
    [&[22, 3, 1, high, low], part].concat()
}

/// A connection that has carried much keeps as much as one that has carried little, once that is received.
#[test]
fn what_large_records_have_needed_is_given_back_when_the_receiver_waits() {
    for subject in [Client, Server] {
        with_adversary(subject, &TLS13, |mut tls, mut adversary| {
            let small = adversary.seal(ApplicationData, b"x");
            put(&mut adversary.wire, &small);
            assert_eq!(drain(&mut tls).expect("data"), 1);
            let memory = measure(|| {
                let large = adversary.seal(ApplicationData, &[1; 16_384]);
                put(&mut adversary.wire, &large);
                assert_eq!(drain(&mut tls).expect("data"), 16_384);
                drop(large);
                for _ in 0..16 {
                    let small = adversary.seal(ApplicationData, b"x");
                    put(&mut adversary.wire, &small);
                    assert_eq!(drain(&mut tls).expect("data"), 1);
                }
            });
            assert!(memory.kept < 256, "{subject:?}: {memory:?}");
        });
    }
}
