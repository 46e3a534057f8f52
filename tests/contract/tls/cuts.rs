//! Transports that are cut: after every byte of a handshake, and of what follows it.

use core::task::{Context, Waker};
use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::maybe_done;
use tacket::testing::{MemoryError, MemoryStream};
use tacket::{AsyncResource, HalfCloseable, ReceiveStream, SendStream, Split as _};
use tacket_tls::rustls::SupportedProtocolVersion;
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::{TlsError, TlsStream};

use super::{Parties, memory, run};

use Direction::{ToClient, ToServer};
use Kind::{End, Loss};

type Memory<'p> = MemoryStream<'p, Vec<u8>>;
type Tls<'p> = TlsStream<Memory<'p>>;
type Outcome = Result<usize, TlsError<MemoryError>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// How the transport goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// In order, as if both peers had ended.
    End,
    /// With an error, as if both peers had gone.
    Loss,
}

/// Between a client and a server. It passes on what they say, and is cut when more than so many bytes have gone in one direction.
struct Wire<'p> {
    ends: Option<(Memory<'p>, Memory<'p>)>,
    direction: Direction,
    after: usize,
    kind: Kind,
    /// How many bytes went to the server, and to the client.
    passed: [usize; 2],
    /// In how many turns that was.
    flights: [usize; 2],
    turn: Option<Direction>,
    is_cut: bool,
}

impl<'p> Wire<'p> {
    fn new(ends: (Memory<'p>, Memory<'p>), direction: Direction, kind: Kind) -> Self {
        Self {
            ends: Some(ends),
            direction,
            after: usize::MAX,
            kind,
            passed: [0; 2],
            flights: [0; 2],
            turn: None,
            is_cut: false,
        }
    }

    /// From now on it is cut after so many bytes.
    fn cut_after(mut self, bytes: usize) -> Self {
        self.passed = [0; 2];
        self.after = bytes;
        self
    }

    /// Moves what there is. Returns whether anything happened.
    fn step(&mut self) -> bool {
        let mut moved = false;
        for direction in [ToServer, ToClient] {
            let Some((near, far)) = &mut self.ends else {
                return moved;
            };
            let ((near_tx, near_rx), (far_tx, far_rx)) = (near.split(), far.split());
            let (rx, tx) = match direction {
                ToServer => (near_rx, far_tx),
                ToClient => (far_rx, near_tx),
            };
            let passed = &mut self.passed[direction as usize];
            let left = match direction == self.direction {
                true => self.after - *passed,
                false => usize::MAX,
            };
            let mut piece = [0; 4096];
            let room = left.clamp(1, piece.len());
            match rx.try_receive(&mut piece[..room]) {
                Ok(1..) if left == 0 => {
                    self.cut();
                    return true;
                }
                Ok(count @ 1..) => {
                    assert_eq!(tx.try_write(&piece[..count]), Ok(count), "there is room");
                    *passed += count;
                    if self.turn.replace(direction) != Some(direction) {
                        self.flights[direction as usize] += 1;
                    }
                    moved = true;
                }
                _ => {}
            }
        }
        moved
    }

    fn cut(&mut self) {
        self.is_cut = true;
        if self.kind == Loss {
            self.ends = None;
        }
        if let Some((near, far)) = &mut self.ends {
            for end in [near, far] {
                let ended = end.send_eof().now_or_never();
                ended.expect("at once").expect("ends");
            }
        }
    }
}

/// Polls both and lets `step` move bytes, until nothing happens any more. `None`: it still waits then.
pub(super) fn drive<A, B>(
    client: impl Future<Output = A>,
    server: impl Future<Output = B>,
    mut step: impl FnMut() -> bool,
) -> (Option<A>, Option<B>) {
    let (mut client, mut server) = (pin!(maybe_done(client)), pin!(maybe_done(server)));
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let connected = client.as_mut().poll(&mut cx).is_ready();
        let accepted = server.as_mut().poll(&mut cx).is_ready();
        if connected && accepted || !step() {
            return (client.take_output(), server.take_output());
        }
    }
}

/// A handshake, and who of it is done when the last flight is cut on its way: the one who sends it.
#[derive(Clone, Copy, Debug)]
struct Handshake {
    version: &'static SupportedProtocolVersion,
    is_resumed: bool,
    /// In which direction the last flight goes, and how many flights have gone in the other one before it.
    last: (Direction, usize),
}

const HANDSHAKES: [Handshake; 3] = [
    Handshake {
        version: &TLS12,
        is_resumed: false,
        last: (ToClient, 2),
    },
    Handshake {
        version: &TLS12,
        is_resumed: true,
        last: (ToServer, 1),
    },
    Handshake {
        version: &TLS13,
        is_resumed: false,
        last: (ToServer, 1),
    },
];

impl Handshake {
    fn parties(&self) -> Parties {
        let parties = Parties::speaking(self.version);
        if self.is_resumed {
            let memory = memory();
            run(async {
                let (client, server) = parties.acquainted(memory.open().expect("a new pair")).await;
                assert!(!client.negotiated().expect("known").is_resumed());
                drop(server);
            });
        }
        parties
    }

    /// Whether the one who was not cut off is done, with `wire` as it is now.
    fn is_done_at_sender(&self, wire: &Wire<'_>) -> bool {
        let (direction, before) = self.last;
        let other = match direction {
            ToServer => ToClient,
            ToClient => ToServer,
        };
        wire.direction == direction && wire.flights[other as usize] >= before
    }
}

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    /// What comes after it.
    Session,
}

/// Has `attempt` use a client and a server of `parties`, whose wire is cut after no byte of the phase, after the first, and so on,
/// until it says that nothing was cut any more.
fn at_every_byte(
    parties: &Parties,
    (phase, direction, kind): (Phase, Direction, Kind),
    mut attempt: impl FnMut(usize, Tls<'_>, Tls<'_>, Wire<'_>) -> bool,
) {
    let (near, far) = (memory(), memory());
    for bytes in 0.. {
        let (left, near_end) = near.open().expect("the last pair is gone");
        let (far_end, right) = far.open().expect("the last pair is gone");
        let (mut client, mut server) = parties.pair((left, right));
        let mut wire = Wire::new((near_end, far_end), direction, kind);
        if phase == Phase::Session {
            drive(client.do_handshake(), server.do_handshake(), || wire.step());
        }
        if !attempt(bytes, client, server, wire.cut_after(bytes)) {
            assert!(bytes > 20, "it was cut at few bytes: {bytes}");
            return;
        }
    }
}

/// Each way of a cut, in each of these.
fn ways<T: Copy>(cut: impl IntoIterator<Item = T>) -> impl Iterator<Item = (T, Direction, Kind)> {
    cut.into_iter().flat_map(|cut| {
        [
            (ToServer, End),
            (ToServer, Loss),
            (ToClient, End),
            (ToClient, Loss),
        ]
        .map(|(direction, kind)| (cut, direction, kind))
    })
}

#[test]
fn a_handshake_that_is_cut_at_any_byte_fails_as_documented_on_both_sides() {
    for (handshake, direction, kind) in ways(HANDSHAKES) {
        let parties = handshake.parties();
        at_every_byte(
            &parties,
            (Phase::Handshake, direction, kind),
            |bytes, mut client, mut server, mut wire| {
                let shaken = drive(client.do_handshake(), server.do_handshake(), || wire.step());
                let connected = shaken.0.expect("the client hangs");
                let accepted = shaken.1.expect("the server hangs");
                if !wire.is_cut {
                    connected.expect("was not cut");
                    accepted.expect("was not cut");
                    let negotiated = client.negotiated().expect("known");
                    assert_eq!(negotiated.is_resumed(), handshake.is_resumed);
                    return false;
                }
                let (receiver, sender) = match direction {
                    ToServer => ((server, accepted), (client, connected)),
                    ToClient => ((client, connected), (server, accepted)),
                };
                let context = format!("{handshake:?}, {direction:?}, {kind:?}, after {bytes}");
                assert_failed(receiver, kind, &context);
                if handshake.is_done_at_sender(&wire) {
                    sender.1.expect(&context);
                } else {
                    assert_failed(sender, kind, &context);
                }
                true
            },
        );
    }
}

/// The handshake has failed as documented, and what comes after it too.
fn assert_failed(
    (mut tls, shaken): (Tls<'_>, Result<(), TlsError<MemoryError>>),
    kind: Kind,
    context: &str,
) {
    let later = match kind {
        End => TlsError::Truncated,
        Loss => TlsError::Broken,
    };
    assert_eq!(shaken, Err(of_a_cut(kind)), "{context}");
    tls.negotiated().expect_err("nothing was agreed");
    let again = tls.do_handshake().now_or_never();
    assert_eq!(again, Some(Err(later.clone())), "{context}");
    let received = tls.receive_some(&mut [0; 10]).now_or_never();
    assert_eq!(received, Some(Err(later)), "{context}");
    let sent = tls.send_all(b"x").now_or_never();
    assert_eq!(sent, Some(Err(TlsError::Broken)), "{context}");
    let closed = tls.close().now_or_never();
    assert_eq!(closed, Some(Ok(())), "{context}");
}

/// What can need the handshake first.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Receive,
    Send,
    SendEof,
    WaitToSend,
    UpdateKeys,
    Shutdown,
    Close,
}

const OPERATIONS: [Operation; 7] = [
    Operation::Receive,
    Operation::Send,
    Operation::SendEof,
    Operation::WaitToSend,
    Operation::UpdateKeys,
    Operation::Shutdown,
    Operation::Close,
];

impl Operation {
    async fn perform(self, mut tls: Tls<'_>) -> Outcome {
        match self {
            Self::Receive => return tls.receive_some(&mut [0; 10]).await,
            Self::Send => tls.send_all(b"data").await,
            Self::SendEof => tls.send_eof().await,
            Self::WaitToSend => tls.wait_send_all_might_not_block().await,
            Self::UpdateKeys => tls.update_keys().await,
            Self::Shutdown => tls.unwrap().await.map(drop),
            Self::Close => tls.close().await,
        }
        .map(|()| 0)
    }

    /// What it comes to if the transport goes during the handshake.
    fn documented(self, is_lax: bool, kind: Kind) -> Outcome {
        match (self, kind) {
            // That the peer has gone is no failure of a close.
            (Self::Close, _) => Ok(0),
            (_, Loss) => Err(TlsError::Transport(MemoryError::Broken)),
            (Self::Receive, End) if is_lax => Ok(0),
            (Self::Receive | Self::Shutdown, End) => Err(TlsError::Truncated),
            (Self::Send | Self::SendEof | Self::WaitToSend | Self::UpdateKeys, End) => {
                Err(TlsError::Broken)
            }
        }
    }
}

#[test]
fn whatever_needs_the_handshake_fails_as_documented_when_that_is_cut_at_any_byte() {
    for (handshake, direction, kind) in ways(HANDSHAKES) {
        for is_lax in [false, true] {
            let parties = handshake.parties();
            at_every_byte(
                &parties,
                (Phase::Handshake, direction, kind),
                |bytes, mut client, mut server, mut wire| {
                    // With the bytes, all operations take their turn.
                    let operation = OPERATIONS[bytes % OPERATIONS.len()];
                    if is_lax {
                        (client, server) = (client.https_compatible(), server.https_compatible());
                        if matches!(operation, Operation::Close) {
                            return true; // which needs no handshake
                        }
                    }
                    let outcome = match direction {
                        ToServer => {
                            let accepting = operation.perform(server);
                            drive(client.do_handshake(), accepting, || wire.step()).1
                        }
                        ToClient => {
                            let connecting = operation.perform(client);
                            drive(connecting, server.do_handshake(), || wire.step()).0
                        }
                    };
                    let expected = operation.documented(is_lax, kind);
                    if wire.is_cut {
                        let context = (handshake, direction, kind, is_lax, operation, bytes);
                        assert_eq!(outcome.as_ref(), Some(&expected), "{context:?}");
                    }
                    wire.is_cut
                },
            );
        }
    }
}

/// Three records and the end.
async fn speak(mut tls: Tls<'_>) -> Tls<'_> {
    for _ in 0..3 {
        let sent = tls.send_all(&[7; 10]).await;
        sent.expect("sends, as nothing is cut for it yet");
    }
    tls.send_eof().await.expect("ends");
    tls
}

/// What arrives, and how it ends.
async fn listen(tls: &mut Tls<'_>) -> (usize, TlsError<MemoryError>) {
    let (mut total, mut buf) = (0, [0; 64]);
    loop {
        match tls.receive_some(&mut buf).await {
            Ok(0) => return (total, TlsError::Closed),
            Ok(count) => {
                assert!(buf[..count].iter().all(|&byte| byte == 7));
                total += count;
            }
            Err(error) => return (total, error),
        }
    }
}

/// What is heard of a cut first.
fn of_a_cut(kind: Kind) -> TlsError<MemoryError> {
    match kind {
        End => TlsError::Truncated,
        Loss => TlsError::Transport(MemoryError::Broken),
    }
}

#[test]
fn data_that_is_cut_at_any_byte_arrives_in_whole_records_and_never_looks_ended() {
    for (version, direction, kind) in ways([&TLS12, &TLS13]) {
        let parties = Parties::speaking(version);
        let mut most = 0;
        at_every_byte(
            &parties,
            (Phase::Session, direction, kind),
            |bytes, mut client, mut server, mut wire| {
                let heard = match direction {
                    ToServer => drive(speak(client), listen(&mut server), || wire.step()).1,
                    ToClient => drive(listen(&mut client), speak(server), || wire.step()).0,
                };
                let (total, last) = heard.expect("it hangs");
                if !wire.is_cut {
                    assert_eq!((total, last), (30, TlsError::Closed));
                    return false;
                }
                assert!(total % 10 == 0 && total >= most, "after {bytes}: {total}");
                most = total;
                assert_eq!(last, of_a_cut(kind), "after {bytes}");
                true
            },
        );
        assert_eq!(most, 30, "the last cut is in the end itself");
    }
}

/// The same on both sides at once, in the middle of a close: nobody who waits for the other's end takes anything else for it.
#[test]
fn an_exchange_of_ends_that_is_cut_at_any_byte_is_completed_by_neither_side_alone() {
    for (version, direction, kind) in ways([&TLS12, &TLS13]) {
        let parties = Parties::speaking(version);
        at_every_byte(
            &parties,
            (Phase::Session, direction, kind),
            |bytes, mut client, mut server, mut wire| {
                let ended = drive(client.shutdown(), server.shutdown(), || wire.step());
                let (one, other) = (ended.0.expect("it hangs"), ended.1.expect("it hangs"));
                if !wire.is_cut {
                    one.expect("was not cut");
                    other.expect("was not cut");
                    return false;
                }
                let cut_off = match direction {
                    ToServer => other,
                    ToClient => one,
                };
                assert_eq!(cut_off, Err(of_a_cut(kind)), "{direction:?}, after {bytes}");
                true
            },
        );
    }
}
