//! What is done, how it is verified, and how it is timed: the same for all.

/// A kind of laps, and how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Game {
    /// Each lap has a handshake of its own.
    pub(crate) shakes_hands: bool,
    /// The bytes of a message.
    pub(crate) size: usize,
    pub(crate) count: u64,
    is_timed: bool,
}

impl Game {
    pub(crate) const fn handshakes(count: u64) -> Self {
        Self {
            shakes_hands: true,
            ..Self::round_trips(64, count)
        }
    }

    pub(crate) const fn round_trips(size: usize, count: u64) -> Self {
        Self {
            shakes_hands: false,
            size,
            count,
            is_timed: true,
        }
    }

    /// Looks at no clock and warms nothing up, for runs of which something else is counted.
    pub(crate) const fn untimed(mut self) -> Self {
        self.is_timed = false;
        self
    }

    pub(crate) fn laps(self) -> Laps {
        let warm_up = match (self.is_timed, self.shakes_hands) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => self.count / 20,
        };
        Laps {
            game: self,
            warm_up,
            run: 0,
            started: 0.0,
            taken: 0.0,
        }
    }
}

/// The laps of a game, of which the first few do not count.
#[derive(Debug)]
pub(crate) struct Laps {
    game: Game,
    warm_up: u64,
    run: u64,
    started: f64,
    taken: f64,
}

impl Iterator for Laps {
    type Item = ();

    fn next(&mut self) -> Option<()> {
        if self.run == self.warm_up && self.game.is_timed {
            self.started = cpu_time();
        }
        if self.run < self.warm_up + self.game.count {
            self.run += 1;
            return Some(());
        }
        if self.game.is_timed {
            self.taken = cpu_time() - self.started;
        }
        None
    }
}

impl Laps {
    /// The seconds of each, when all are over.
    pub(crate) fn each(&self) -> f64 {
        self.taken / self.game.count as f64
    }
}

/// The processor time that this process has used, in seconds: what else the machine does hardly changes it.
fn cpu_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A message that is to come back as it is. Each is another one.
#[derive(Debug)]
pub(crate) struct Ball {
    bytes: Vec<u8>,
    number: u64,
}

impl Ball {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            bytes: vec![0x55; size],
            number: 0,
        }
    }

    pub(crate) fn next(&mut self) -> &[u8] {
        self.number += 1;
        let number = self.number.to_le_bytes();
        let rest = self.bytes.len() - number.len();
        self.bytes[..number.len()].copy_from_slice(&number);
        self.bytes[rest..].copy_from_slice(&number);
        &self.bytes
    }

    pub(crate) fn check(&self, answer: &[u8]) {
        assert!(answer == self.bytes, "another message came back");
    }
}
