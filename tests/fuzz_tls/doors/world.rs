//! The stream, its peer, and who goes on.

use core::mem;
use core::pin::pin;
use core::task::{Context, Poll};

use futures_util::FutureExt as _;
use tacket::testing::{MemoryError, MemoryPipe, MemoryReceiveStream, MemorySendStream, Pattern};
use tacket::{HalfCloseable as _, StapledStream};
use tacket_tls::TlsStream;
use tacket_tls::rustls::{ClientConfig, ServerConfig};

use super::algorithms::{forget_keys, newest_keys, start_anew};
use super::attacked::Attacked;
use super::edit::{Edit, Item};
use super::middle::{ALERT, APPLICATION_DATA, MOST, Middle};
use super::parties::configurations;
use super::peer::{Peer, Wish};
use super::program::{Gauge, Options, Side, Step, TlsPeerProgram, Used};
use super::speech::Speech;
use super::subject::{Act, Deed, Subject};
use crate::NAME;
use crate::fuzz_tls::ledger::Ledger;
use crate::fuzz_tls::world::Woken;

/// More rounds than any step needs.
const MOST_ROUNDS: usize = 1 << 20;

/// More changes of keys than that, without data between them, are a flood.
const MOST_KEYS: usize = 30;

/// How many bytes a stream may take from the allocator, whatever its peer does: it waits for a message of 64 KiB in a buffer that
/// doubles, and sends four records at once.
const MOST_BYTES: i64 = 1 << 20;

/// What the peer says behind its handshake.
const DATA: usize = 100;

const CLOSE_NOTIFY: [u8; 2] = [1, 0];

pub(super) type Wire<'p> = (
    MemorySendStream<'p, Vec<u8>>,
    MemoryReceiveStream<'p, Vec<u8>>,
);

/// Everything but the stream.
pub(super) struct World<'p, 's> {
    peer: Peer,
    middle: Middle,
    wire: Option<Wire<'p>>,
    speech: &'s Speech,
    sent: &'s Ledger,
    /// How much the peer has received and checked.
    heard: usize,
    piece: usize,
    /// The peer will end the session once it can.
    will_end: bool,
    /// It was cut, and the stream is told so behind everything else.
    is_ending: bool,
    has_lost_stream: bool,
    most_bytes: i64,
    gauge: Gauge,
    /// How many bytes the stream has from the allocator.
    used: i64,
}

impl World<'_, '_> {
    pub(super) fn run(program: &TlsPeerProgram, gauge: Gauge) {
        start_anew();
        let options = program.options;
        let (client, server) = configurations(program.side, options);
        if options.resumes {
            let first = TlsPeerProgram {
                edits: Vec::new(),
                steps: vec![Step::Act(Act {
                    deed: Deed::Receive(DATA),
                    polls: None,
                })],
                is_established: true,
                ..program.clone()
            };
            run_once(&first, gauge, client.clone(), server.clone());
            forget_keys();
        }
        run_once(program, gauge, client, server);
    }
}

fn run_once(program: &TlsPeerProgram, gauge: Gauge, client: ClientConfig, server: ServerConfig) {
    let options = program.options;
    let [there, back] = [(); 2].map(|()| MemoryPipe::new(vec![0; options.room]));
    let (Some((tx, far_rx)), Some((far_tx, rx))) = (there.open(), back.open()) else {
        unreachable!("both are new")
    };
    let transport = StapledStream::new(tx, rx);
    let (tls, peer) = match program.side {
        Side::Client => (
            TlsStream::client(transport, &client.into(), NAME),
            Peer::server(server),
        ),
        Side::Server => (
            TlsStream::server(transport, &server.into()),
            Peer::client(client),
        ),
    };
    let Ok(mut tls) = tls else {
        unreachable!("the configurations are valid")
    };
    if options.is_lax {
        tls = tls.https_compatible();
    }
    let (speech, sent) = (Speech::default(), Ledger::new(1));
    let mut subject = Subject::new(tls, program, (&speech, &sent));
    let surroundings = Surroundings {
        peer,
        middle: Middle::new(&program.edits, options.coalesces),
        wire: (far_tx, far_rx),
        most_bytes: MOST_BYTES,
        gauge,
    };
    World::new(program, surroundings, (&speech, &sent)).live(program, &mut subject);
}

/// What there is besides the stream.
pub(super) struct Surroundings<'p> {
    pub(super) peer: Peer,
    pub(super) middle: Middle,
    /// The other end of the stream's transport.
    pub(super) wire: Wire<'p>,
    /// What the stream may take from the allocator.
    pub(super) most_bytes: i64,
    pub(super) gauge: Gauge,
}

impl<'p, 's> World<'p, 's> {
    pub(super) fn new(
        program: &TlsPeerProgram,
        surroundings: Surroundings<'p>,
        (speech, sent): (&'s Speech, &'s Ledger),
    ) -> Self {
        Self {
            peer: surroundings.peer,
            middle: surroundings.middle,
            wire: Some(surroundings.wire),
            speech,
            sent,
            heard: 0,
            piece: program.options.piece,
            will_end: !program.is_established && program.options.ends,
            is_ending: false,
            has_lost_stream: false,
            most_bytes: surroundings.most_bytes,
            gauge: surroundings.gauge,
            used: 0,
        }
    }

    pub(super) fn live(&mut self, program: &TlsPeerProgram, subject: &mut impl Attacked) {
        let options = program.options;
        if program.is_established {
            let shaking = subject.act(Act {
                deed: Deed::Handshake,
                polls: None,
            });
            let shaken = self.drive(shaking);
            self.calm();
            let progress = &self.peer.progress;
            assert!(
                shaken.is_some() && subject.is_established() && progress.is_established,
                "they shake hands: {:?} {:?}",
                subject.refusal(),
                progress.failure
            );
        }
        let mut data = vec![0; DATA];
        Pattern::new(2).fill(&mut data);
        self.peer.wishes.push_back(Wish::Say(data));
        for step in &program.steps {
            match step {
                Step::Act(act) => {
                    self.drive(subject.act(act.within(options)));
                }
                step => self.play(step),
            }
            self.check(subject);
        }
        self.settle(program, subject);
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Act(_) => {}
            Step::Say(item, times) => {
                let said = Item {
                    keys: self.middle.keys,
                    ..item.clone()
                };
                for _ in 0..*times {
                    self.middle.say(said.clone(), self.speech);
                }
            }
            Step::ChangeKeys { is_withheld } => {
                if *is_withheld {
                    self.middle.edit_next(Edit::Drop);
                }
                self.peer.wishes.push_back(Wish::ChangeKeys);
                self.go_on();
            }
            Step::Inject(bytes) => self.middle.records.extend(bytes),
            Step::Garble { at, bits } => {
                let records = &mut self.middle.records;
                let at = usize::from(*at) % records.len().max(1);
                if let Some(byte) = records.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Step::Replay => self.middle.replay(),
            Step::Lose => self.middle.lose(),
            Step::Pieces(piece) => self.piece = *piece,
            Step::Cut { is_in_order } => self.cut(*is_in_order),
        }
    }

    /// What must hold at any time.
    fn check(&self, subject: &impl Attacked) {
        assert!(
            !subject.is_established() || subject.is_convinced_by(&self.middle),
            "a handshake that was changed is done"
        );
        if let Some(error) = &self.peer.progress.failure {
            assert!(
                subject.may_fail(error) && !subject.is_honest(),
                "the peer refuses: {error:?}"
            );
        }
    }

    /// What must come of it all.
    fn settle(&mut self, program: &TlsPeerProgram, subject: &mut impl Attacked) {
        self.piece = self.piece.max(64);
        let is_there = subject.is_there();
        if subject.is_honest() {
            self.will_end = true;
            let ended = self.drive(subject.finish());
            assert_eq!(ended, Some(true), "it waits for what nobody will send");
            if is_there {
                self.speech.assert_complete();
                self.calm();
                self.sent.assert_complete();
                assert!(self.peer.progress.has_received_end, "the end is missing");
            }
        } else if is_there {
            self.drive(subject.act(Act {
                deed: Deed::Receive(1000),
                polls: None,
            }));
        }
        self.check(subject);
        self.cut(!program.options.ends);
        for deed in [Deed::Receive(1 << 14); 3]
            .into_iter()
            .chain([Deed::Send(1), Deed::Receive(1)])
        {
            let done = self.drive(subject.act(Act { deed, polls: None }));
            assert!(
                done.is_some() || !program.options.ends,
                "{deed:?} waits although the wire is gone"
            );
        }
        self.wire = None;
        self.check(subject);
        let ended = self.drive(subject.finish());
        assert!(ended.is_some(), "it waits although the wire is gone");
        let closed = self.drive(subject.act(Act {
            deed: Deed::Close,
            polls: None,
        }));
        assert!(closed.is_some(), "a close waits although the wire is gone");
    }

    fn cut(&mut self, is_in_order: bool) {
        if is_in_order {
            self.is_ending = true;
        } else {
            self.wire = None;
        }
    }

    /// Polls who was woken and moves bytes, until it is done or nothing happens any more.
    fn drive<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let woken = Woken::new();
        let mut future = pin!(Some(future));
        let mut output = None;
        for _ in 0..MOST_ROUNDS {
            let mut happened = false;
            if woken.take() {
                happened = true;
                let waker = woken.waker();
                self.measure(|| {
                    let polled = future.as_mut().as_pin_mut();
                    let polled = polled.map(|it| it.poll(&mut Context::from_waker(&waker)));
                    if let Some(Poll::Ready(done)) = polled {
                        output = Some(done);
                    }
                });
            }
            if output.is_some() || !(self.step() | happened) {
                self.measure(|| future.set(None));
                return output;
            }
        }
        panic!("it spins")
    }

    /// Runs a part of the stream, and counts what that takes from the allocator.
    fn measure(&mut self, mut part: impl FnMut()) {
        let Used { left, most } = (self.gauge)(&mut part);
        assert!(
            self.used + most <= self.most_bytes,
            "it takes too much memory"
        );
        self.used += left;
    }

    /// Moves bytes until nothing happens any more.
    fn calm(&mut self) {
        for _ in 0..MOST_ROUNDS {
            if !self.step() {
                return;
            }
        }
        panic!("it spins")
    }

    /// Lets the peer go on with what it has heard.
    fn go_on(&mut self) {
        let was_established = self.peer.progress.is_established;
        self.peer.advance();
        if self.peer.progress.is_established && !was_established {
            self.middle.keys = newest_keys();
        }
        self.middle
            .pass(&mut self.peer.progress.outgoing, self.speech);
        let received = &self.peer.progress.received;
        self.sent
            .arrive(received.get(self.heard..).unwrap_or_default());
        self.heard = received.len();
        if self.peer.progress.has_received_end {
            self.sent.arrive_at_end();
        }
        if self.peer.progress.is_established && mem::take(&mut self.will_end) {
            let item = Item::new(self.middle.keys, ALERT, CLOSE_NOTIFY.to_vec());
            self.middle.add(item, self.speech);
        }
    }

    /// Moves what it can. Returns whether it did anything.
    fn step(&mut self) -> bool {
        let mut moved = false;
        let mut buf = [0; 4096];
        if let Some((_, rx)) = &mut self.wire
            && !self.has_lost_stream
        {
            match rx.try_receive(&mut buf) {
                Ok(count @ 1..) => {
                    self.peer.hear(buf.get(..count).unwrap_or_default());
                    moved = true;
                }
                Err(MemoryError::WouldBlock) => {}
                _ => self.has_lost_stream = true,
            }
        }
        let is_waiting = self.peer.wishes.is_empty() && !self.will_end;
        if moved || !is_waiting || !self.has_begun() {
            let before = self.middle.records.len();
            self.go_on();
            moved |= self.middle.records.len() != before;
        }
        if let Some((tx, _)) = &mut self.wire {
            let (front, _) = self.middle.records.as_slices();
            let front = front.get(..self.piece.min(front.len())).unwrap_or_default();
            if !front.is_empty() {
                match tx.try_write(front) {
                    Ok(count) => {
                        self.middle.records.drain(..count);
                        moved = true;
                    }
                    Err(MemoryError::WouldBlock) => {}
                    // Nobody is there to take it.
                    Err(_) => self.middle.records.clear(),
                }
            } else if mem::take(&mut self.is_ending) {
                let _ = tx.send_eof().now_or_never();
                moved = true;
            }
        }
        moved
    }

    const fn has_begun(&self) -> bool {
        self.middle.has_begun()
    }
}

impl TlsPeerProgram {
    /// Whether the peer keeps to the rules, and the stream to what peers take.
    pub(super) fn is_honest(&self) -> bool {
        let is_change = |step: &&Step| match step {
            Step::ChangeKeys { .. } => true,
            Step::Act(act) => matches!(act.deed, Deed::UpdateKeys),
            _ => false,
        };
        let changes = self.steps.iter().filter(is_change).count();
        let is_honest = |step: &Step| step.is_honest(self.is_established);
        self.edits.is_empty() && changes <= MOST_KEYS && self.steps.iter().all(is_honest)
    }
}

impl Step {
    fn is_honest(&self, is_established: bool) -> bool {
        match self {
            Self::Act(_) | Self::Pieces(_) => true,
            Self::ChangeKeys { is_withheld } => is_established && !is_withheld,
            Self::Say(item, _) => {
                let length = item.content.len().min(item.piece);
                is_established
                    && item.typ == APPLICATION_DATA
                    && (1..=MOST).contains(&length)
                    && item.padding == 0
            }
            Self::Inject(_)
            | Self::Garble { .. }
            | Self::Replay
            | Self::Lose
            | Self::Cut { .. } => false,
        }
    }
}

impl Act {
    /// Where few bytes move at a time, not so many are sent.
    fn within(mut self, options: Options) -> Self {
        let most = options.room.saturating_mul(64);
        match &mut self.deed {
            Deed::Send(length)
            | Deed::Exchange(length)
            | Deed::OwnedExchange(length)
            | Deed::Write(length) => *length = most.min(*length),
            _ => {}
        }
        self
    }
}
