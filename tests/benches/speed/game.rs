//! What is sent, and how it is verified: the same for all peers.

use std::time::Instant;

use crate::speed::values::Values;

/// The length of a question and of its answer.
pub(crate) const BALL: usize = 64;

/// The part of all round trips that comes before those that count: one in so many.
const WARM_UP: u64 = 20;

/// Asks questions, demands each answer to be its question, and keeps how long it took.
#[derive(Debug)]
pub(crate) struct Asker {
    asked: u64,
    total: u64,
    timed: bool,
    started: Instant,
    last: Instant,
    /// In nanoseconds, one a round trip.
    times: Vec<u32>,
}

impl Asker {
    /// Counts `count` round trips, after some that do not count.
    pub(crate) fn new(count: u64) -> Self {
        Self {
            asked: 0,
            total: count + count / WARM_UP,
            timed: true,
            started: Instant::now(),
            last: Instant::now(),
            times: Vec::with_capacity(count as usize),
        }
    }

    /// Looks at no clock, for runs of which something else is counted.
    pub(crate) fn untimed(count: u64) -> Self {
        Self {
            total: count,
            timed: false,
            ..Self::new(0)
        }
    }

    /// The next question; `None` when all are answered.
    pub(crate) fn question(&mut self) -> Option<[u8; BALL]> {
        (self.asked < self.total).then(|| {
            self.asked += 1;
            question(self.asked)
        })
    }

    /// Takes the answer to the last question.
    pub(crate) fn answered(&mut self, answer: &[u8; BALL]) {
        check(self.asked, answer);
        if !self.timed {
            return;
        }
        let now = Instant::now();
        if self.total - self.asked < self.times.capacity() as u64 {
            self.times.push((now - self.last).as_nanos() as u32);
        } else {
            self.started = now;
        }
        self.last = now;
    }

    /// How many round trips there are, those that do not count included.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// The median and the 99th percentile of a round trip, and how many a second there were.
    pub(crate) fn values(mut self) -> Values {
        assert_eq!(self.asked, self.total, "a game was given up");
        let count = self.times.len();
        if count == 0 {
            return Values::new();
        }
        self.times.sort_unstable();
        let quantile = |hundredth: usize| f64::from(self.times[count * hundredth / 100]) / 1e3;
        let seconds = (self.last - self.started).as_secs_f64();
        Values::from([
            ("p50_us", quantile(50)),
            ("p99_us", quantile(99)),
            ("per_second", count as f64 / seconds),
        ])
    }
}

/// Question number `number`. Its first and its last byte tell it from its neighbours.
pub(crate) const fn question(number: u64) -> [u8; BALL] {
    let mut question = [0x55; BALL];
    question[0] = number as u8;
    question[BALL - 1] = !number as u8;
    question
}

/// Demands `answer` to be question number `number`.
pub(crate) fn check(number: u64, answer: &[u8; BALL]) {
    assert_eq!(answer[0], number as u8, "the first byte is wrong");
    assert_eq!(answer[BALL - 1], !number as u8, "the last byte is wrong");
}

/// Pieces of bulk data. The first and the last byte of each are its number.
#[derive(Debug)]
pub(crate) struct Pieces {
    piece: Vec<u8>,
    sent: u64,
    count: u64,
}

impl Pieces {
    pub(crate) fn new(size: usize, count: u64) -> Self {
        Self {
            piece: vec![0x55; size],
            sent: 0,
            count,
        }
    }

    /// The next piece; `None` when all are sent.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        if self.sent == self.count {
            return None;
        }
        let last = self.piece.len() - 1;
        self.piece[0] = self.sent as u8;
        self.piece[last] = self.sent as u8;
        self.sent += 1;
        Some(&self.piece)
    }

    /// The piece that `next` gave last.
    pub(crate) fn current(&self) -> &[u8] {
        &self.piece
    }
}

/// Demands that all pieces come, by their number of bytes and by the first and the last byte of each receive.
#[derive(Debug)]
pub(crate) struct Arrivals {
    size: usize,
    expected: u64,
    arrived: u64,
    started: Option<Instant>,
}

impl Arrivals {
    /// What a receiver receives into.
    pub(crate) const BUFFER: usize = 64 * 1024;

    pub(crate) const fn new(size: usize, count: u64) -> Self {
        Self {
            size,
            expected: size as u64 * count,
            arrived: 0,
            started: None,
        }
    }

    pub(crate) fn add(&mut self, data: &[u8]) {
        let _ = self.started.get_or_insert_with(Instant::now);
        let Some(last) = data.len().checked_sub(1) else {
            return;
        };
        assert_eq!(data[0], self.byte(0), "the first byte is wrong");
        assert_eq!(data[last], self.byte(last), "the last byte is wrong");
        self.arrived += data.len() as u64;
    }

    /// What is `ahead` of what has arrived.
    const fn byte(&self, ahead: usize) -> u8 {
        let at = self.arrived + ahead as u64;
        let place = (at % self.size as u64) as usize;
        if place == 0 || place == self.size - 1 {
            (at / self.size as u64) as u8
        } else {
            0x55
        }
    }

    /// How fast they came.
    pub(crate) fn values(&self) -> Values {
        assert_eq!(self.arrived, self.expected, "bytes are lost");
        let seconds = self.started.map(|start| start.elapsed().as_secs_f64());
        let seconds = seconds.expect("something arrived");
        Values::from([("gb_per_second", self.arrived as f64 / 1e9 / seconds)])
    }
}
