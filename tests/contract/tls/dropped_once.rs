//! Operations that are dropped, at every poll of their lives, and whatever comes next: each pair of them, and longer rows by chance.
//!
//! Nothing is lost or doubled, the stream goes on where it stood, and only an end that was sent looks like one.

use core::fmt;
use std::thread;

use futures_util::future::join;
use tacket::testing::{DropPoint, MemoryError, MemoryPair, MemoryStream, Pattern};
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream, Split};
use tacket_tls::rustls::SupportedProtocolVersion;
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::{TlsError, TlsStream, Unwrapped};

use super::{Parties, run};

use Operation::{Close, Handshake, Receive, Send, SendEof, Shutdown, Unwrap};

type Transport<'p> = MemoryStream<'p, [u8; 11]>;
type Tls<'p> = TlsStream<Transport<'p>>;
type Outcome<T> = Result<T, TlsError<MemoryError>>;

/// What each end says: more than the transport holds.
const DATA: &[u8] = b"the quick brown fox jumps over the lazy dog";

/// What a send takes of it, at most: more than the transport holds, too.
const PIECE: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Handshake,
    Receive,
    Send,
    SendEof,
    Shutdown,
    /// This one, and the next, take the stream. So nothing comes after them.
    Close,
    Unwrap,
}

/// Those after which there is a stream.
const LASTING: [Operation; 5] = [Handshake, Receive, Send, SendEof, Shutdown];
const ALL: [Operation; 7] = [Handshake, Receive, Send, SendEof, Shutdown, Close, Unwrap];

/// What is done, and where that is dropped.
type Step = (Operation, DropPoint);

/// Where nothing is dropped.
const NEVER: DropPoint = DropPoint::after_poll(usize::MAX);

/// In which session, and by whom.
#[derive(Clone, Copy, Debug)]
struct Setting {
    version: &'static SupportedProtocolVersion,
    is_client: bool,
    handshake: Handshakes,
}

/// How the ends come to know each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshakes {
    /// They do already.
    Done,
    Full,
    /// From an earlier session, if there was one.
    Resumed,
}

impl Setting {
    /// Each with one of these.
    fn all(handshakes: &[Handshakes]) -> impl Iterator<Item = Self> {
        handshakes.iter().flat_map(|&handshake| {
            [
                (&TLS12, true),
                (&TLS12, false),
                (&TLS13, true),
                (&TLS13, false),
            ]
            .map(|(version, is_client)| Self {
                version,
                is_client,
                handshake,
            })
        })
    }

    fn parties(self) -> Parties {
        let mut parties = Parties::speaking(self.version);
        if self.handshake == Handshakes::Full {
            parties.client = parties.client.without_resumption();
        }
        parties
    }
}

/// The end whose operations are dropped, and what it knows of itself.
struct Subject<'p> {
    tls: Tls<'p>,
    /// What is not sent yet.
    rest: &'static [u8],
    received: Vec<u8>,
    /// What the peer says, all in all.
    expected: &'static [u8],
    has_heard_end: bool,
    /// Its own end may be under way.
    is_ending: bool,
}

impl Subject<'_> {
    /// Performs what leaves the stream there. Returns whether that was dropped.
    async fn perform(&mut self, (operation, point): Step) -> bool {
        match operation {
            Handshake => {
                let shaken = point.cut(self.tls.do_handshake()).await;
                shaken.map(|shaken| shaken.expect("shakes hands")).is_none()
            }
            Receive => self.receive(point).await,
            Send => self.send(point).await,
            SendEof => {
                self.is_ending = true;
                let ended = point.cut(self.tls.send_eof()).await;
                ended.map(|ended| ended.expect("ends")).is_none()
            }
            Shutdown => {
                self.is_ending = true;
                let ended = point.cut(self.tls.shutdown()).await;
                ended.map(|ended| self.assert_ended(ended)).is_none()
            }
            Close | Unwrap => unreachable!("it takes the stream"),
        }
    }

    async fn receive(&mut self, point: DropPoint) -> bool {
        let mut buf = [0; 5];
        let Some(received) = point.cut(self.tls.receive_some(&mut buf)).await else {
            return true;
        };
        let count = received.expect("receives");
        self.received.extend_from_slice(&buf[..count]);
        self.has_heard_end |= count == 0;
        assert!(self.expected.starts_with(&self.received));
        false
    }

    /// Sends the next piece.
    async fn send(&mut self, point: DropPoint) -> bool {
        let (mut piece, later) = self.rest.split_at(PIECE.min(self.rest.len()));
        let sent = point.cut(self.tls.send_rest(&mut piece)).await;
        self.rest = &self.rest[self.rest.len() - later.len() - piece.len()..];
        match sent {
            Some(Err(TlsError::Closed)) => assert!(self.is_ending, "nobody has ended"),
            Some(sent) => sent.expect("sends"),
            None => return true,
        }
        false
    }

    /// An exchange of ends succeeds when everything was received, and only then.
    fn assert_ended(&self, ended: Outcome<()>) {
        match ended {
            Ok(()) => assert_eq!(self.received, self.expected),
            Err(error) => {
                assert_eq!(error, TlsError::UnreadData);
                assert_ne!(self.received, self.expected);
            }
        }
    }

    /// Says what is left to say, as far as it still can, and hears the peer to the end.
    async fn finish(&mut self) {
        while !self.is_ending && !self.rest.is_empty() {
            self.send(NEVER).await;
        }
        self.perform((SendEof, NEVER)).await;
        assert_eq!(self.tls.send_all(b"x").await, Err(TlsError::Closed));
        while !self.has_heard_end {
            self.receive(NEVER).await;
        }
        self.perform((Receive, NEVER)).await;
        self.perform((Shutdown, NEVER)).await;
        assert_eq!(self.received, self.expected);
    }

    /// What it has said, whether or not that was received.
    fn sent(&self) -> &'static [u8] {
        &DATA[..DATA.len() - self.rest.len()]
    }
}

/// What is there after an operation that takes the stream.
enum Left<T> {
    /// Nothing, by force: an end may have been sent before.
    Nothing,
    /// Nothing, in order.
    End,
    Transport(T),
}

impl<'p> Subject<'p> {
    /// Performs what takes the stream.
    async fn take(self, (operation, point): Step) -> Left<Unwrapped<Transport<'p>>> {
        if operation == Close {
            let closed = point.cut(self.tls.close()).await;
            let closed = closed.map(|closed| closed.expect("closes"));
            return closed.map_or(Left::Nothing, |()| Left::End);
        }
        match point.cut(self.tls.unwrap()).await {
            None => Left::Nothing,
            Some(Ok(unwrapped)) => {
                assert_eq!(self.received, self.expected);
                Left::Transport(unwrapped)
            }
            Some(Err(error)) => {
                assert_eq!(error, TlsError::UnreadData);
                assert_ne!(self.received, self.expected);
                Left::Nothing
            }
        }
    }
}

/// How an end was heard.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    End,
    Failure(Fault),
}

/// Sends `data` and the end, while it hears the other end out. Then it unwraps.
async fn answer<'p>(
    mut peer: Tls<'p>,
    data: &[u8],
) -> (Vec<u8>, Heard, Outcome<Unwrapped<Transport<'p>>>) {
    let (mut received, mut buf) = (Vec::new(), [0; 5]);
    let heard = {
        let (mut tx, mut rx) = peer.split();
        let sending = async {
            tx.send_all(data).await?;
            tx.send_eof().await
        };
        let receiving = async {
            loop {
                match rx.receive_some(&mut buf).await {
                    Ok(0) => return Heard::End,
                    Ok(count) => received.extend_from_slice(&buf[..count]),
                    Err(error) => return Heard::Failure(error.fault()),
                }
            }
        };
        let (sent, heard) = join(sending, receiving).await;
        if let Err(error) = sent {
            assert_eq!(error.fault(), Fault::Broken);
        }
        heard
    };
    (received, heard, peer.unwrap().await)
}

/// Performs `steps`, of which the last may take the stream, on one end, while the other one says `theirs`. Returns which were dropped.
async fn perform(
    steps: &[Step],
    subject: Tls<'_>,
    peer: Tls<'_>,
    theirs: &'static [u8],
) -> Vec<bool> {
    let mut subject = Subject {
        tls: subject,
        rest: DATA,
        received: Vec::new(),
        expected: theirs,
        has_heard_end: false,
        is_ending: false,
    };
    let performing = async {
        let mut dropped = Vec::new();
        for &step in steps {
            if let (Close | Unwrap, _) = step {
                let sent = subject.sent();
                let left = subject.take(step).await;
                dropped.push(matches!(left, Left::Nothing));
                return (dropped, sent, left);
            }
            dropped.push(subject.perform(step).await);
        }
        subject.finish().await;
        let sent = subject.sent();
        (dropped, sent, subject.take((Unwrap, NEVER)).await)
    };
    let (performed, answered) = join(performing, answer(peer, theirs)).await;
    let ((dropped, sent, left), (received, heard, unwrapped)) = (performed, answered);
    if heard == Heard::End {
        assert_eq!(received, sent);
    } else {
        assert_eq!(heard, Heard::Failure(Fault::Broken), "it is no truncation");
        assert!(matches!(left, Left::Nothing) && sent.starts_with(&received));
    }
    if let Left::Transport(mine) = left {
        let theirs = unwrapped.expect("both have ended");
        assert_eq!((mine.trailing, theirs.trailing), (vec![], vec![]));
        let (mut left, mut right, mut buf) = (mine.transport, theirs.transport, [0; 8]);
        left.send_all(b"plain").await.expect("sends");
        assert_eq!(right.receive_some(&mut buf).await, Ok(5));
    }
    dropped
}

/// Says in which case a test has failed.
struct Case<T: fmt::Debug>(T);

impl<T: fmt::Debug> Drop for Case<T> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("in {:?}", self.0);
        }
    }
}

impl Setting {
    /// Makes the ends of a session and performs `steps` on one.
    fn perform(self, parties: &Parties, steps: &[Step], theirs: &'static [u8]) -> Vec<bool> {
        let _case = Case((self, steps, theirs.len()));
        let pair = MemoryPair::new([0; 11], [0; 11]);
        let transports = pair.open().expect("a new pair");
        run(async {
            let (client, server) = match self.handshake {
                Handshakes::Done => parties.acquainted(transports).await,
                _ => parties.pair(transports),
            };
            match self.is_client {
                true => perform(steps, client, server, theirs).await,
                false => perform(steps, server, client, theirs).await,
            }
        })
    }
}

/// Runs `attempt` with a drop at the first poll, and at every `stride`th one from there, until it says that nothing was dropped any more.
pub(super) fn at_polls(stride: usize, mut attempt: impl FnMut(DropPoint) -> bool) {
    for polls in (1..).step_by(stride) {
        let mut dropped = false;
        for point in [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ] {
            dropped |= attempt(point);
        }
        if !dropped {
            assert!(polls > 1, "it was never dropped");
            return;
        }
    }
}

/// Drops `first` once, at any poll, and then does each of them. Every third time that is dropped too.
fn then_whatever(first: Operation) {
    let handshakes = match first {
        Handshake => [Handshakes::Full, Handshakes::Resumed],
        _ => [Handshakes::Full, Handshakes::Done],
    };
    for setting in Setting::all(&handshakes) {
        let parties = setting.parties();
        for second in ALL {
            // All points where it is tried again, and fewer before something else: a handshake has many.
            let stride = match (first == second, setting.handshake) {
                (true, _) => 1,
                (false, Handshakes::Done) => 2,
                (false, _) => 7,
            };
            // What the peer says would only be in the way of an exchange of ends.
            let theirs = match second {
                Shutdown | Unwrap => b"",
                _ => DATA,
            };
            let mut count = 0;
            at_polls(stride, |point| {
                count += 1;
                let then = match count % 3 {
                    0 => DropPoint::after_poll(count % 7),
                    _ => NEVER,
                };
                setting.perform(&parties, &[(first, point), (second, then)], theirs)[0]
            });
        }
    }
}

#[test]
fn whatever_follows_a_dropped_handshake_goes_on_with_it() {
    then_whatever(Handshake);
}

#[test]
fn whatever_follows_a_dropped_receive_finds_that_nothing_was_taken() {
    then_whatever(Receive);
}

#[test]
fn whatever_follows_a_dropped_send_finds_the_rest_where_it_says() {
    then_whatever(Send);
}

#[test]
fn whatever_follows_a_dropped_end_finds_it_sent_once_or_not_yet() {
    then_whatever(SendEof);
}

#[test]
fn whatever_follows_a_dropped_shutdown_goes_on_with_it() {
    then_whatever(Shutdown);
}

/// The peer knows the end, or that there is none.
#[test]
fn a_close_or_an_unwrap_that_is_dropped_at_any_poll_has_dropped_the_stream_and_looks_so() {
    for setting in Setting::all(&[Handshakes::Done, Handshakes::Full]) {
        let parties = setting.parties();
        for last in [Close, Unwrap] {
            for sends in 0..3 {
                at_polls(1, |point| {
                    let mut steps = vec![(Send, NEVER); sends];
                    steps.push((last, point));
                    setting.perform(&parties, &steps, b"")[sends]
                });
            }
        }
    }
}

/// Longer rows, each the same in every run.
#[test]
fn rows_of_operations_that_are_dropped_by_chance_lose_nothing() {
    let settings = Setting::all(&[Handshakes::Done, Handshakes::Full]);
    let sessions: Vec<_> = settings.map(|it| (it, it.parties())).collect();
    for seed in 0..1500 {
        let mut chance = [0; 32];
        Pattern::new(seed).fill(&mut chance);
        let [setting, theirs, steps, last, rest @ ..] = chance.map(usize::from);
        let (setting, parties) = &sessions[setting % sessions.len()];
        let theirs = [DATA, b""][theirs % 2];
        let (pairs, _) = rest.as_chunks::<2>();
        let row = pairs.iter().take(3 + steps % 9).map(|&[operation, point]| {
            (
                LASTING[operation % LASTING.len()],
                match point % 3 {
                    0 => NEVER,
                    1 => DropPoint::after_poll(point / 16),
                    _ => DropPoint::when_woken_after_poll(point / 16),
                },
            )
        });
        let mut row: Vec<Step> = row.collect();
        row.extend([(Close, NEVER), (Unwrap, NEVER)].get(last % 4));
        setting.perform(parties, &row, theirs);
    }
}
