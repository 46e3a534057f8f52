//! The contract on two embassy-net stacks, joined by a wire.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::try_join;
use tacket::testing::{
    Makers, check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket::{Clock as _, Listener as _};
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{EmbassyClock, Net, NetError, Options, TcpListener, TcpStream};
use tacket_tests::{Patience, Recorder, examine_by};

const PORT: u16 = 7;

/// The sockets at each end, and the bytes of their buffers.
const SOCKETS: usize = 16;
const BUFFER: usize = 2048;

/// A network at each end of a wire, one of them listening.
struct Ends {
    client: Net,
    listener: Cell<Option<TcpListener>>,
}

impl Ends {
    fn of(wire: &Wire, options: Options) -> Self {
        let client = wire.net::<SOCKETS, BUFFER, BUFFER, 1>(Side::Left, options);
        let server = wire.net::<SOCKETS, BUFFER, BUFFER, 1>(Side::Right, options);
        let listener = TcpListener::bind(server, Side::Right.port(PORT)).expect("a free port");
        Self {
            client,
            listener: Cell::new(Some(listener)),
        }
    }

    /// A connected pair: the client's end and the server's. It waits while earlier connections still hold every socket.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let mut listener = Lent {
            listener: self.listener.take(),
            owner: &self.listener,
        };
        let accepting = listener
            .listener
            .as_mut()
            .expect("one pair at a time")
            .accept();
        let connecting = async {
            loop {
                match TcpStream::connect(self.client, Side::Right.port(PORT)).await {
                    Err(NetError::PoolExhausted | NetError::Refused) => {
                        sleep(Duration::from_secs(1)).await
                    }
                    connected => return connected,
                }
            }
        };
        let pair = try_join(connecting, accepting).await;
        pair.expect("a connection")
    }
}

/// A listener that returns to its owner, even if what uses it is dropped.
struct Lent<'a> {
    listener: Option<TcpListener>,
    owner: &'a Cell<Option<TcpListener>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.owner.set(self.listener.take());
    }
}

async fn sleep(time: Duration) {
    let clock = EmbassyClock::new();
    clock.sleep_until(clock.now() + time).await;
}

/// Everything that a two-way stream with an end of its own has to keep, in virtual time.
fn examine<const SCRATCH: usize>(wire: &Wire, ends: &Ends) -> Recorder {
    let patience = Patience {
        limit: Duration::from_secs(200_000),
        settle: Duration::from_secs(10),
        duplex_bytes: 8 * SCRATCH as u64,
    };
    let mut scratch = Box::new([0; SCRATCH]);
    let clock = EmbassyClock::new();
    let make = async || ends.connect().await;
    wire.run(examine_by(&clock, &mut scratch, patience, async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
        check_two_way_stream(e, Makers::new(make, make)).await;
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    }))
}

#[test]
fn embassy_streams_keep_the_contract() {
    let wire = Wire::new(1, Impairments::none());
    let ends = Ends::of(&wire, Options::new());
    examine::<{ 1 << 16 }>(&wire, &ends).assert_clean(&[]);
}

/// What a seed makes of a wire: up to a tenth of the packets lost, up to a tenth doubled, up to half held back.
fn impaired(seed: u64) -> Impairments {
    let part =
        |shift: u32| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift & 0xff) as f64 / 255.0;
    Impairments::none()
        .delay(Duration::from_millis(1 + seed % 50))
        .loss(0.1 * part(8))
        .duplication(0.1 * part(16))
        .reordering(0.5 * part(24))
}

#[test]
fn embassy_streams_keep_the_contract_on_a_bad_wire() {
    let seeds: u64 = std::env::var("SEEDS").map_or(1000, |s| s.parse().unwrap());
    let first: u64 = std::env::var("FIRST").map_or(0, |s| s.parse().unwrap());
    let mut bad = 0;
    for seed in first..first + seeds {
        let start = std::time::Instant::now();
        let t0 = tacket::Clock::now(&EmbassyClock::new());
        let wire = Wire::new(seed, impaired(seed));
        if std::env::var("DUMP").is_ok() {
            wire.filter(dump);
        }
        let options = Options::new()
            .linger(Duration::from_secs(600))
            .half_open(Duration::from_secs(600))
            .silence(Some(Duration::from_secs(7200)));
        let ends = Ends::of(&wire, options);
        let recorder = examine::<2048>(&wire, &ends);
        if std::env::var("V").is_ok() {
            println!(
                "{seed} {:?} virtual {:?} {:?}",
                start.elapsed(),
                tacket::Clock::now(&EmbassyClock::new()) - t0,
                wire.carried()
            );
        }
        if !recorder.failed().is_empty() {
            bad += 1;
            println!(
                "seed {seed}: {:?}",
                recorder
                    .text()
                    .lines()
                    .filter(|l| l.contains("FAILED"))
                    .collect::<Vec<_>>()
            );
        }
    }
    assert_eq!(bad, 0);
}

fn dump(side: Side, p: &[u8]) -> bool {
    let t = &p[20..];
    let u32_ = |o: usize| u32::from_be_bytes(t[o..o + 4].try_into().unwrap());
    let now = tacket::Clock::now(&EmbassyClock::new());
    let fl = t[13];
    let f: String = [(1, 'F'), (2, 'S'), (4, 'R'), (8, 'P'), (16, '.')]
        .iter()
        .filter(|(b, _)| fl & b != 0)
        .map(|(_, c)| *c)
        .collect();
    let hl = (t[12] >> 4) as usize * 4;
    eprintln!(
        "PKT {:?} {:?} {}>{} {} seq {} ack {} win {} len {}",
        now,
        side,
        u16::from_be_bytes([t[0], t[1]]),
        u16::from_be_bytes([t[2], t[3]]),
        f,
        u32_(4),
        u32_(8),
        u16::from_be_bytes([t[14], t[15]]),
        t.len() - hl
    );
    true
}
