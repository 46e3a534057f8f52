//! The telemetry service in bad weather: what a client was told is done stays done, whatever the network does.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use embedded_io_async::Read as _;
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use tacket::testing::{
    Link, Pattern, SeededExecutor, SimDatagram, SimEvent, SimHost, SimNet, SimStream,
};
use tacket::{
    AsyncResource as _, Bind as _, Clock, Connect as _, Listen as _, Listener as _,
    ReceiveDatagram as _, ReceiveStream as _, SendDatagram as _, SendStream as _, timeout,
};
use tacket_examples::telemetry::{Client, Device, Entry, Thermostat, serve};

use super::{LEFT, RIGHT, at, two_hosts};

/// How many settings a client makes, and how many samples a device reports.
const SETTINGS: i32 = 12;
const SAMPLES: u32 = 30;
/// How many bytes it uploads.
const UPLOAD: u64 = 60_000;
/// How many of them it sends without having heard that they are there.
const AHEAD: u64 = 20_000;

/// A device that several sessions share. It remembers what it was set to.
#[derive(Clone, Copy)]
struct Shared<'d> {
    thermostat: &'d RefCell<Thermostat>,
    settings: &'d RefCell<Vec<i32>>,
}

impl Device for Shared<'_> {
    fn entry(&self, index: usize) -> Option<Entry> {
        self.thermostat.borrow().entry(index)
    }

    fn read(&mut self, index: usize) -> i32 {
        self.thermostat.borrow_mut().read(index)
    }

    fn set(&mut self, index: usize, value: i32) {
        self.settings.borrow_mut().push(value);
        self.thermostat.borrow_mut().set(index, value);
    }
}

/// What the weather is, and when it changes.
struct Weather(Xoshiro256PlusPlus);

impl Weather {
    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.0.next_u64() % below)
    }

    fn chance(&mut self, most: f64) -> f64 {
        most * f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    fn link(&mut self) -> Link {
        Link::new()
            .delay(self.millis(200))
            .jitter(self.millis(100))
            .loss(self.chance(0.2))
            .duplication(self.chance(0.2))
            .reordering(self.chance(0.3))
    }

    /// Cuts and resets, now and then, for ever.
    async fn change(mut self, net: SimNet, device: SimHost, client: SimHost) {
        loop {
            device.sleep_until(device.now() + self.millis(4000)).await;
            match self.0.next_u64() % 3 {
                0 => net.reset(&device, &client),
                1 => net.set_link(&device, &client, self.link()),
                _ => {
                    net.cut(&device, &client);
                    device.sleep_until(device.now() + self.millis(40_000)).await;
                    net.mend(&device, &client);
                }
            }
        }
    }
}

/// Settles values one after the other, and connects again whenever it has to. Returns how often that was.
///
/// A setting without an answer may come late: when its connection was given up, and another has set the next values.
async fn settle(host: &SimHost) -> usize {
    let (mut connected, mut next, mut done) = (0, 1, Thermostat::new().read(1));
    let mut unanswered = BTreeSet::new();
    while next <= SETTINGS {
        let session = async {
            let mut client = Client::connect(host, at(RIGHT, 7)).await.map_err(|_| ())?;
            connected += 1;
            loop {
                let is = client.read(Thermostat::SETPOINT).await.map_err(|_| ())?;
                assert!(is == done || unanswered.contains(&is), "{is} after {done}");
                if next > SETTINGS {
                    return Ok::<_, ()>(());
                }
                let is_first_attempt = unanswered.insert(value(next));
                client
                    .set(Thermostat::SETPOINT, value(next))
                    .await
                    .map_err(|_| ())?;
                if is_first_attempt {
                    unanswered.remove(&value(next)); // answered, and no other is on its way
                }
                (done, next) = (value(next), next + 1);
                host.sleep_until(host.now() + Duration::from_secs(2)).await;
            }
        };
        let _ = timeout(host, Duration::from_secs(30), session).await;
    }
    connected
}

const fn value(number: i32) -> i32 {
    10_000 + number
}

/// Answers clients, each in a task of its own, and forgets those that say nothing for a minute.
async fn answer<'d>(host: SimHost, device: Shared<'d>, executor: SeededExecutor<'d>) {
    let mut listener = host.listen(at("0.0.0.0", 7)).await.expect("free");
    loop {
        let stream = listener.accept().await.expect("listens");
        let (clock, mut device) = (executor.clone(), device);
        executor.spawn(async move {
            let serving = serve(stream, &mut device, &clock);
            let _ = timeout(&clock, Duration::from_secs(60), serving).await;
        });
    }
}

/// Reports each sample until it is acknowledged.
async fn report(host: &SimHost, mut socket: SimDatagram) {
    let mut acknowledged = BTreeSet::new();
    for number in 0..SAMPLES {
        while !acknowledged.contains(&number) {
            let sent = socket.send_to(&number.to_be_bytes(), at(LEFT, 9)).await;
            sent.expect("short enough");
            let mut buf = [0; 4];
            let answer = timeout(
                host,
                Duration::from_millis(700),
                socket.receive_from(&mut buf),
            );
            if let Ok(answer) = answer.await {
                let (length, _) = answer.expect("receives");
                assert_eq!(length, 4);
                acknowledged.insert(u32::from_be_bytes(buf));
            }
        }
    }
}

/// Keeps samples, and says so.
async fn collect(mut socket: SimDatagram, kept: &RefCell<BTreeSet<u32>>) {
    let mut buf = [0; 4];
    loop {
        let (_, from) = socket.receive_from(&mut buf).await.expect("receives");
        kept.borrow_mut().insert(u32::from_be_bytes(buf));
        socket.send_to(&buf, from).await.expect("short enough");
    }
}

/// Receives into all of `buf`.
async fn receive_exact(stream: &mut SimStream, buf: &mut [u8; 8]) -> Result<u64, ()> {
    stream.read_exact(buf).await.map_err(|_| ())?;
    Ok(u64::from_be_bytes(*buf))
}

/// Keeps an upload: tells each who comes how many bytes it has, and again behind each piece.
async fn archive(host: SimHost, check: &RefCell<Pattern>) {
    let mut listener = host.listen(at(LEFT, 8)).await.expect("free");
    loop {
        let mut stream = listener.accept().await.expect("listens");
        let session = async {
            let mut buf = [0; 400];
            loop {
                let have = check.borrow().position();
                stream.send_all(&have.to_be_bytes()).await.map_err(|_| ())?;
                match stream.receive_some(&mut buf).await.map_err(|_| ())? {
                    0 => return Ok::<_, ()>(()),
                    count => check
                        .borrow_mut()
                        .verify(&buf[..count])
                        .expect("what was sent"),
                }
            }
        };
        let _ = timeout(&host, Duration::from_secs(60), session).await;
    }
}

/// Uploads so many bytes, and goes on where the archive says. It never has less than it said.
async fn upload(host: &SimHost) {
    let mut acknowledged = 0;
    while acknowledged < UPLOAD {
        let session = async {
            let mut stream = host.connect(at(LEFT, 8)).await.map_err(|_| ())?;
            let mut word = [0; 8];
            // Up to here it was sent in this session; further words are about that.
            let mut sent = receive_exact(&mut stream, &mut word).await?;
            assert!(
                sent >= acknowledged,
                "{sent} of {acknowledged} acknowledged"
            );
            acknowledged = sent;
            loop {
                while acknowledged < sent && (sent == UPLOAD || sent > acknowledged + AHEAD) {
                    acknowledged = receive_exact(&mut stream, &mut word).await?;
                }
                if sent == UPLOAD {
                    return stream.close().await.map_err(|_| ());
                }
                let mut pattern = Pattern::new(1);
                pattern.skip(usize::try_from(sent).expect("a few"));
                let mut piece = [0; 4000];
                let count = piece
                    .len()
                    .min(usize::try_from(UPLOAD - sent).expect("a few"));
                pattern.fill(&mut piece[..count]);
                stream.send_all(&piece[..count]).await.map_err(|_| ())?;
                sent += count as u64;
            }
        };
        let _: Result<Result<(), ()>, _> = timeout(host, Duration::from_secs(30), session).await;
    }
}

/// A client and a device until all is done. Returns all that happened, and how often the client connected.
fn scenario(seed: u64) -> (Vec<SimEvent>, usize) {
    let (thermostat, settings) = (&RefCell::new(Thermostat::new()), &RefCell::default());
    let device = Shared {
        thermostat,
        settings,
    };
    let kept = &RefCell::new(BTreeSet::new());
    let check = &RefCell::new(Pattern::new(1));
    let executor = SeededExecutor::new(seed);
    let (net, left, right) = two_hosts(&executor);
    let mut weather = Weather(Xoshiro256PlusPlus::seed_from_u64(seed));
    net.set_link(&left, &right, weather.link());
    executor.spawn(weather.change(net.clone(), right.clone(), left.clone()));
    executor.spawn(answer(right.clone(), device, executor.clone()));
    let connected = executor.run(async {
        let collector = left.bind(at(LEFT, 9)).await.expect("free");
        executor.spawn(collect(collector, kept));
        let reporter = right.bind(at(RIGHT, 0)).await.expect("free");
        let host = right.clone();
        let reporting = executor.spawn(async move { report(&host, reporter).await });
        executor.spawn(archive(left.clone(), check));
        let host = right.clone();
        let uploading = executor.spawn(async move { upload(&host).await });
        let connected = settle(&left).await;
        reporting.await;
        uploading.await;
        connected
    });
    assert!(kept.borrow().iter().copied().eq(0..SAMPLES));
    assert_eq!(check.borrow().position(), UPLOAD);
    let settings: BTreeSet<_> = settings.borrow().iter().copied().collect();
    assert!(settings.into_iter().eq((1..=SETTINGS).map(value)));
    (net.events(), connected)
}

#[test]
fn in_a_thousand_networks_nothing_that_was_acknowledged_is_lost() {
    let mut connections = 0;
    for seed in 0..1000 {
        let outcome = std::panic::catch_unwind(|| scenario(seed));
        let (_, connected) = outcome.unwrap_or_else(|_| panic!("seed {seed}"));
        connections += connected;
    }
    assert!(
        connections > 1500,
        "the weather was too good: {connections}"
    );
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 0..20 {
        let (events, _) = scenario(seed);
        assert!(events.len() > 200);
        assert_eq!(events, scenario(seed).0);
    }
}
