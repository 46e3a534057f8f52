//! A conversation in steps, with a peer that leaves after any of them, and what is to be seen of that.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::time::Duration;

use futures_util::FutureExt as _;
use socket2::Socket;
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream};
use tacket_std::{
    IoError, OwnedTcpReceiving, OwnedTcpSending, OwnedUnixReceiving, OwnedUnixSending, TcpStream,
    UnixStream,
};

/// A kind of socket, with a peer that is the bare system.
pub(super) trait Kind {
    type Stream: tacket::Stream<Error = IoError>;
    type Sending: HalfCloseable<Error = IoError> + AsyncResource;
    type Receiving: ReceiveStream<Error = IoError> + AsyncResource;

    /// Whether the system knows an end of a connection that is none of the stream.
    const KNOWS_ABORT: bool;
    /// Whether the end of the peer's stream, once it was sent, stays one whatever the peer does then.
    const KEEPS_END: bool;

    async fn connect() -> (Self::Stream, Socket);

    fn try_send(stream: &mut Self::Stream, data: &[u8]) -> Result<Option<usize>, IoError>;

    fn into_split(stream: Self::Stream) -> (Self::Sending, Self::Receiving);
}

pub(super) struct Tcp;

impl Kind for Tcp {
    type Stream = TcpStream;
    type Sending = OwnedTcpSending;
    type Receiving = OwnedTcpReceiving;

    const KNOWS_ABORT: bool = true;
    const KEEPS_END: bool = true;

    async fn connect() -> (TcpStream, Socket) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("connects");
        let (peer, _) = listener.accept().expect("a connection");
        (stream, peer.into())
    }

    fn try_send(stream: &mut TcpStream, data: &[u8]) -> Result<Option<usize>, IoError> {
        stream.try_send_some(data)
    }

    fn into_split(stream: TcpStream) -> (OwnedTcpSending, OwnedTcpReceiving) {
        stream.into_split()
    }
}

pub(super) struct Unix;

impl Kind for Unix {
    type Stream = UnixStream;
    type Sending = OwnedUnixSending;
    type Receiving = OwnedUnixReceiving;

    const KNOWS_ABORT: bool = false;
    const KEEPS_END: bool = false;

    async fn connect() -> (UnixStream, Socket) {
        let (ours, peer) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let stream = UnixStream::try_from(ours).expect("adopted");
        (stream, peer.into())
    }

    fn try_send(stream: &mut UnixStream, data: &[u8]) -> Result<Option<usize>, IoError> {
        stream.try_send_some(data)
    }

    fn into_split(stream: UnixStream) -> (OwnedUnixSending, OwnedUnixReceiving) {
        stream.into_split()
    }
}

/// What one end does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    WeSend(usize),
    WeReceive(usize),
    WeEnd,
    WeHearTheEnd,
    PeerSends(usize),
    PeerReceives(usize),
    PeerEnds,
}

use Step::{PeerEnds, PeerReceives, PeerSends, WeEnd, WeHearTheEnd, WeReceive, WeSend};

pub(super) const CONVERSATIONS: [&[Step]; 3] = [
    // We ask.
    &[
        WeSend(3),
        PeerReceives(2),
        WeSend(4),
        PeerReceives(5),
        WeEnd,
        PeerSends(5),
        WeReceive(2),
        PeerSends(4),
        WeReceive(7),
        PeerEnds,
        WeHearTheEnd,
    ],
    // The peer asks.
    &[
        PeerSends(5),
        WeReceive(2),
        PeerSends(4),
        PeerEnds,
        WeReceive(7),
        WeSend(3),
        PeerReceives(2),
        WeHearTheEnd,
        WeSend(4),
        PeerReceives(5),
        WeEnd,
    ],
    // Both speak before they listen.
    &[
        WeSend(30),
        PeerSends(20),
        WeSend(1),
        PeerSends(2),
        WeReceive(1),
        PeerReceives(30),
        WeReceive(21),
        PeerEnds,
        WeEnd,
        PeerReceives(1),
        WeHearTheEnd,
    ],
];

/// How the peer leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaving {
    /// With a reset.
    Abort,
    /// By closing its socket, which is a reset to the system if anything was not received.
    Close,
}

/// One of those conversations, up to some step.
pub(super) struct Conversation<K: Kind> {
    pub(super) stream: K::Stream,
    pub(super) there: There,
}

/// The peer, and what it and we have said.
pub(super) struct There {
    peer: Socket,
    sent_here: Flow,
    sent_there: Flow,
    ended_here: bool,
    ended_there: bool,
    end_heard: bool,
}

/// Bytes on their way: each is one more than the one before.
#[derive(Clone, Copy, Default)]
struct Flow {
    sent: usize,
    received: usize,
}

impl Flow {
    fn send(&mut self, count: usize) -> Vec<u8> {
        let bytes = (self.sent..self.sent + count).map(|number| number as u8);
        self.sent += count;
        bytes.collect()
    }

    fn receive(&mut self, bytes: &[u8]) {
        for byte in bytes {
            assert_eq!(*byte, self.received as u8);
            self.received += 1;
        }
        assert!(self.received <= self.sent);
    }

    const fn under_way(&self) -> usize {
        self.sent - self.received
    }
}

impl<K: Kind> Conversation<K> {
    pub(super) async fn begin() -> Self {
        let (stream, peer) = K::connect().await;
        let limit = Some(Duration::from_secs(10));
        peer.set_read_timeout(limit).expect("an option");
        let there = There {
            peer,
            sent_here: Flow::default(),
            sent_there: Flow::default(),
            ended_here: false,
            ended_there: false,
            end_heard: false,
        };
        Self { stream, there }
    }

    pub(super) async fn go(&mut self, steps: &[Step]) {
        use embedded_io_async::Read as _;
        use tacket::SendStream as _;
        let Self { stream, there } = self;
        for step in steps {
            match *step {
                WeSend(count) => {
                    let bytes = there.sent_here.send(count);
                    stream.send_all(&bytes).await.expect("sends");
                }
                PeerReceives(count) => {
                    let mut bytes = vec![0; count];
                    there.peer.read_exact(&mut bytes).expect("receives");
                    there.sent_here.receive(&bytes);
                }
                PeerSends(count) => {
                    let bytes = there.sent_there.send(count);
                    there.peer.write_all(&bytes).expect("sends");
                }
                WeReceive(count) => {
                    let mut bytes = vec![0; count];
                    let reading = stream.read_exact(&mut bytes);
                    reading.await.expect("receives");
                    there.sent_there.receive(&bytes);
                }
                WeEnd => {
                    stream.send_eof().await.expect("ends");
                    there.ended_here = true;
                }
                PeerEnds => {
                    there.peer.shutdown(Shutdown::Write).expect("ends");
                    there.ended_there = true;
                }
                WeHearTheEnd => {
                    let end = stream.receive_some(&mut [0; 8]).await;
                    assert_eq!(end.expect("the end"), 0);
                    there.end_heard = true;
                }
            }
        }
    }
}

impl There {
    /// Whether a receive has to wait now.
    pub(super) const fn is_silent(&self) -> bool {
        self.sent_there.under_way() == 0 && !self.ended_there
    }

    /// Has the peer leave. `None` where the system knows no such way.
    pub(super) fn leave<K: Kind>(self, leaving: Leaving) -> Option<Outlook> {
        let is_reset = match leaving {
            Leaving::Abort if !K::KNOWS_ABORT => return None,
            Leaving::Abort => {
                let at_once = Some(Duration::ZERO);
                self.peer.set_linger(at_once).expect("an option");
                true
            }
            Leaving::Close => self.sent_here.under_way() > 0,
        };
        drop(self.peer);
        let is_end = !is_reset || self.end_heard || self.ended_there && K::KEEPS_END;
        Some(Outlook {
            sent_there: self.sent_there,
            is_end,
            ended_here: self.ended_here,
        })
    }
}

/// What is still to be seen of a peer that has left.
#[derive(Clone, Copy)]
pub(super) struct Outlook {
    sent_there: Flow,
    /// What comes after the data: the end, or a failure.
    is_end: bool,
    ended_here: bool,
}

impl Outlook {
    pub(super) const fn is_end(&self) -> bool {
        self.is_end
    }

    /// Receives what had arrived, and then the end or the reset, again and again.
    pub(super) async fn receive(&self, rx: &mut impl ReceiveStream<Error = IoError>) {
        let (mut flow, mut buf) = (self.sent_there, [0; 3]);
        while flow.under_way() > 0 {
            let received = rx.receive_some(&mut buf).await;
            let count = received.expect("what arrived before is not lost");
            assert_ne!(count, 0, "{} bytes are missing", flow.under_way());
            flow.receive(&buf[..count]);
        }
        for _ in 0..3 {
            let last = rx.receive_some(&mut buf).await;
            if self.is_end {
                assert_eq!(last.expect("the end"), 0);
            } else {
                let error = last.expect_err("a reset is no end");
                assert_broken(&error, &[ErrorKind::ConnectionReset]);
            }
        }
    }

    /// Sends until that fails, as it does from then on.
    pub(super) async fn send(&self, tx: &mut impl HalfCloseable<Error = IoError>) {
        if self.ended_here {
            return self.send_after_end(tx).await;
        }
        let first = loop {
            if let Err(error) = tx.send_all(b"hello?").await {
                break error;
            }
        };
        let causes = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert_broken(&first, &causes);
        for data in [&b"x"[..], b"", b"y"] {
            let again = tx.send_all(data).await.expect_err("it stays so");
            assert_eq!(again.to_string(), first.to_string());
            assert_broken(&again, &causes);
        }
        let end = tx.send_eof().await.expect_err("it is known");
        assert_broken(&end, &causes);
        self.wait(tx);
    }

    /// Sends the end, which nobody receives, and no more.
    pub(super) async fn end(&self, tx: &mut impl HalfCloseable<Error = IoError>) {
        for _ in 0..2 {
            tx.send_eof().await.expect("nobody is left to tell");
        }
        self.send_after_end(tx).await;
    }

    async fn send_after_end(&self, tx: &mut impl HalfCloseable<Error = IoError>) {
        for data in [&b"x"[..], b""] {
            let error = tx.send_all(data).await.expect_err("it has ended");
            assert_eq!(error.fault(), Fault::Closed);
            assert!(error.io_error().is_none(), "{error}");
        }
        tx.send_eof().await.expect("it has ended");
    }

    /// Waiting for room is over at once, whatever it says.
    pub(super) fn wait(&self, tx: &mut impl HalfCloseable<Error = IoError>) {
        let waited = tx.wait_send_all_might_not_block().now_or_never();
        match waited.expect("there is nothing to wait for") {
            Ok(()) => assert!(!self.ended_here),
            Err(error) if self.ended_here => assert_eq!(error.fault(), Fault::Closed),
            Err(error) => assert_eq!(error.fault(), Fault::Broken),
        }
    }
}

#[track_caller]
pub(super) fn assert_broken(error: &IoError, causes: &[ErrorKind]) {
    assert_eq!(error.fault(), Fault::Broken, "{error}");
    let cause = error.io_error().expect("the system's word").kind();
    assert!(causes.contains(&cause), "{error}");
}
