//! What was sent, and what has to arrive of it.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::net::SocketAddr;

use tacket::testing::Pattern;
use tacket_embassy::{NetError, TcpStream};

/// From whom to whom.
type Ends = (SocketAddr, SocketAddr);

/// What is known of a stream: where it is between, and how its directions have ended.
#[derive(Debug)]
pub(super) struct Course {
    local: SocketAddr,
    peer: SocketAddr,
    sending: Cell<State>,
    receiving: Cell<State>,
}

/// What the next operation in a direction can meet: `Over` and `Broken` are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Over,
    Broken,
}

impl Course {
    pub(super) fn of(stream: &TcpStream) -> Rc<Self> {
        Rc::new(Self {
            local: stream.local_addr(),
            peer: stream.peer_addr(),
            sending: Cell::new(State::Open),
            receiving: Cell::new(State::Open),
        })
    }

    const fn out(&self) -> Ends {
        (self.local, self.peer)
    }
}

/// All that was sent on a wire.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    flows: RefCell<BTreeMap<Ends, Flow>>,
    datagrams: RefCell<Vec<Vec<u8>>>,
    /// Packets came that nobody sent: bytes may be anything.
    is_forged: Cell<bool>,
}

/// A direction of a connection.
#[derive(Debug)]
struct Flow {
    sent: Pattern,
    /// Its sender has sent the end, or tried to.
    is_ended: bool,
    received: Pattern,
}

impl Ledger {
    pub(super) fn note_forgery(&self) {
        self.is_forged.set(true);
    }

    fn with<T>(&self, ends: Ends, use_it: impl FnOnce(&mut Flow) -> T) -> T {
        let seed = u64::from(ends.0.port()) << 16 | u64::from(ends.1.port());
        let mut flows = self.flows.borrow_mut();
        use_it(flows.entry(ends).or_insert_with(|| Flow {
            sent: Pattern::new(seed),
            is_ended: false,
            received: Pattern::new(seed),
        }))
    }

    // ------------------------------------------------------------ sending

    /// The next bytes to send.
    pub(super) fn next(&self, course: &Course, length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        self.with(course.out(), |flow| flow.sent.clone().fill(&mut data));
        data
    }

    /// An operation that sends came to this, and has sent so many bytes. `None`: it was dropped.
    pub(super) fn note_sent(
        &self,
        course: &Course,
        count: usize,
        result: Option<Result<(), NetError>>,
    ) {
        self.with(course.out(), |flow| flow.sent.skip(count));
        course.sending.set(match (course.sending.get(), result) {
            (state, None) if state == State::Open || count == 0 => state,
            (State::Open, Some(Ok(()))) => State::Open,
            (State::Over, Some(Err(NetError::Closed))) if count == 0 => State::Over,
            (State::Broken, Some(Err(NetError::ConnectionLost))) if count == 0 => State::Broken,
            (State::Open, Some(Err(NetError::ConnectionLost))) => State::Broken,
            met => panic!("sending met {met:?}, and {count} bytes were sent"),
        });
    }

    /// The end is about to be sent.
    pub(super) fn note_ending(&self, course: &Course) {
        self.with(course.out(), |flow| flow.is_ended = true);
    }

    /// Sending the end came to this.
    pub(super) fn note_end(&self, course: &Course, result: Result<(), NetError>) {
        course.sending.set(match (course.sending.get(), result) {
            (State::Open | State::Over, Ok(())) => State::Over,
            (State::Open | State::Broken, Err(NetError::ConnectionLost)) => State::Broken,
            met => panic!("the end met {met:?}"),
        });
    }

    // ------------------------------------------------------------ receiving

    /// Receiving came to this.
    pub(super) fn note_received(&self, course: &Course, data: Result<&[u8], NetError>) {
        let is_forged = self.is_forged.get();
        course.receiving.set(match (course.receiving.get(), data) {
            (State::Open | State::Over, Ok([])) => State::Over,
            (State::Open, Ok(_)) => State::Open,
            (State::Open | State::Broken, Err(NetError::ConnectionLost)) => State::Broken,
            met => panic!("receiving met {met:?}"),
        });
        self.with((course.peer, course.local), |flow| {
            let verified = flow.received.verify(data.unwrap_or_default());
            assert!(is_forged || verified.is_ok(), "never sent: {verified:?}");
            let [sent, received] = [&flow.sent, &flow.received].map(Pattern::position);
            let is_end = is_forged || flow.is_ended && sent == received;
            assert!(is_end || data != Ok(&[]), "the end is not here: {flow:?}");
        });
    }

    // ------------------------------------------------------------ datagrams

    /// A new datagram, unlike the others.
    pub(super) fn datagram(&self, length: usize) -> Vec<u8> {
        let mut datagrams = self.datagrams.borrow_mut();
        let mut datagram = vec![0; length];
        Pattern::new(datagrams.len() as u64).fill(&mut datagram);
        datagrams.push(datagram.clone());
        datagram
    }

    /// This is the front of a datagram that was received, as far as there was room.
    pub(super) fn note_datagram(&self, data: &[u8], room: usize) {
        let is_it = |sent: &Vec<u8>| sent.get(..room).unwrap_or(sent) == data;
        let datagrams = self.datagrams.borrow();
        assert!(
            self.is_forged.get() || datagrams.iter().any(is_it),
            "nobody sent this datagram: {data:?}"
        );
    }

    /// At the end: nothing has arrived that was not sent.
    pub(super) fn check(&self) {
        let flows = self.flows.borrow();
        let more = |flow: &&Flow| flow.received.position() > flow.sent.position();
        let first = flows.values().find(more);
        assert!(
            self.is_forged.get() || first.is_none(),
            "never sent: {first:?}"
        );
    }
}
