//! What a program does with the networks.

use alloc::rc::Rc;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tacket::{
    AsyncResource as _, HalfCloseable as _, Listener as _, ReceiveDatagram as _,
    ReceiveStream as _, SendDatagram as _, SendStream,
};
use tacket_embassy::testing::Side;
use tacket_embassy::{Net, NetError, TcpListener, TcpStream, UdpSocket};

use super::ledger::{Course, Ledger};
use super::manner::Manner;
use super::thing::{Thing, Things};

/// Something to do. A number chooses among the things that it can be done with; if there is none, nothing happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Listen(Place, usize),
    Connect(Place),
    Accept(u8),
    Send(u8, usize),
    Receive(u8, usize),
    WaitToSend(u8),
    SendEnd(u8),
    Close(u8),
    Drop(u8),
    Part(u8),
    Join(u8, u8),
    Bind(Place),
    SendTo(u8, Place, usize),
    ReceiveFrom(u8, usize),
}

/// A port of a side, in one of the versions of IP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) side: Side,
    pub(super) port: u16,
    pub(super) is_ipv6: bool,
    /// Wherever the side can be reached, if it is to be reached there.
    pub(super) is_anywhere: bool,
}

impl Place {
    fn own(self) -> SocketAddr {
        let unspecified = match self.is_ipv6 {
            true => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            false => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        match self.is_anywhere {
            true => SocketAddr::new(unspecified, self.port),
            false => self.address(),
        }
    }

    fn address(self) -> SocketAddr {
        match self.is_ipv6 {
            true => SocketAddr::new(self.side.ipv6().into(), self.port),
            false => self.side.port(self.port),
        }
    }
}

/// Performs operations, several at the same time.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) nets: [Net; 2],
    pub(super) things: Things,
    pub(super) ledger: Ledger,
}

impl Player {
    pub(super) const fn net(&self, side: Side) -> Net {
        let [left, right] = self.nets;
        match side {
            Side::Left => left,
            Side::Right => right,
        }
    }

    pub(super) async fn perform(&self, operation: Operation, manner: Manner) {
        match operation {
            Operation::Listen(at, backlog) => {
                let listener = TcpListener::bind_with_backlog(self.net(at.side), at.own(), backlog);
                self.keep(listener.map(Thing::Listener));
            }
            Operation::Bind(at) => {
                let socket = UdpSocket::bind(self.net(at.side), at.own());
                self.keep(socket.map(Thing::Datagrams));
            }
            Operation::Connect(to) => {
                let connecting = TcpStream::connect(self.net(to.side.other()), to.address());
                if let Some(stream) = manner.perform(connecting).await {
                    self.keep(stream.map(Thing::of));
                }
            }
            Operation::Accept(which) => self.accept(which, manner).await,
            Operation::Send(which, length) => self.send(which, length, manner).await,
            Operation::Receive(which, room) => self.receive(which, room, manner).await,
            Operation::WaitToSend(which) => self.wait_to_send(which, manner).await,
            Operation::SendEnd(which) => self.send_end(which).await,
            Operation::SendTo(which, to, length) => self.send_to(which, to, length, manner).await,
            Operation::ReceiveFrom(which, room) => self.receive_from(which, room, manner).await,
            Operation::Part(which) => self.part(which),
            Operation::Join(one, other) => self.join(one, other),
            Operation::Close(which) => self.close(which, manner).await,
            Operation::Drop(which) => drop(self.things.take(which, |_| true)),
        }
    }

    fn keep(&self, thing: Result<Thing, NetError>) {
        if let Ok(thing) = thing {
            self.things.put(thing);
        }
    }

    // ------------------------------------------------------------ connections

    async fn accept(&self, which: u8, manner: Manner) {
        if let Some(Thing::Listener(mut listener)) = self.things.take(which, Thing::is_listener) {
            if let Some(accepted) = manner.perform(listener.accept()).await {
                self.things.put(Thing::of(accepted.expect("never fails")));
            }
            self.things.put(Thing::Listener(listener));
        }
    }

    fn part(&self, which: u8) {
        if let Some(Thing::Stream(stream, course)) = self.things.take(which, Thing::is_stream) {
            let (sending, receiving) = stream.into_split();
            self.things.put(Thing::Sending(sending, Rc::clone(&course)));
            self.things.put(Thing::Receiving(receiving, course));
        }
    }

    /// Joins halves, which fit or not.
    fn join(&self, sending: u8, receiving: u8) {
        let sending = self.things.take(sending, Thing::is_sending);
        let receiving = self.things.take(receiving, Thing::is_receiving);
        match (sending, receiving) {
            (Some(Thing::Sending(sending, course)), Some(Thing::Receiving(receiving, other))) => {
                let fit = Rc::ptr_eq(&course, &other);
                match sending.reunite(receiving) {
                    Ok(stream) => {
                        assert!(fit, "halves of different streams");
                        self.things.put(Thing::Stream(stream, course));
                    }
                    Err((sending, receiving)) => {
                        assert!(!fit, "halves of one stream");
                        self.things.put(Thing::Sending(sending, course));
                        self.things.put(Thing::Receiving(receiving, other));
                    }
                }
            }
            (sending, receiving) => {
                let rest = sending.into_iter().chain(receiving);
                rest.for_each(|half| self.things.put(half));
            }
        }
    }

    async fn close(&self, which: u8, manner: Manner) {
        match self.things.take(which, |_| true) {
            Some(Thing::Stream(stream, course)) => {
                self.ledger.note_ending(&course);
                let closed = manner.perform(stream.close()).await;
                let is_known = matches!(closed, None | Some(Ok(()) | Err(NetError::CloseTimedOut)));
                assert!(is_known, "{closed:?}");
            }
            Some(Thing::Sending(sending, course)) => {
                self.ledger.note_ending(&course);
                sending.close().await.expect("never fails");
            }
            Some(Thing::Receiving(receiving, _)) => receiving.close().await.expect("never fails"),
            Some(Thing::Listener(listener)) => listener.close().await.expect("never fails"),
            Some(Thing::Datagrams(socket)) => {
                let closed = manner.perform(socket.close()).await;
                let is_known = matches!(closed, None | Some(Ok(()) | Err(NetError::CloseTimedOut)));
                assert!(is_known, "{closed:?}");
            }
            None => {}
        }
    }

    // ------------------------------------------------------------ bytes

    async fn send(&self, which: u8, length: usize, manner: Manner) {
        let mut thing = self.things.take(which, Thing::sends);
        match &mut thing {
            Some(Thing::Stream(it, course)) => self.send_on(it, course, length, manner).await,
            Some(Thing::Sending(it, course)) => self.send_on(it, course, length, manner).await,
            _ => {}
        }
        self.things.put_back(thing);
    }

    async fn send_on<S>(&self, stream: &mut S, course: &Course, length: usize, manner: Manner)
    where
        S: SendStream<Error = NetError>,
    {
        let data = self.ledger.next(course, length);
        let mut rest = &*data;
        let result = manner.perform(stream.send_rest(&mut rest)).await;
        self.ledger.note_sent(course, length - rest.len(), result);
    }

    async fn wait_to_send(&self, which: u8, manner: Manner) {
        let mut thing = self.things.take(which, Thing::sends);
        let (waited, course) = match &mut thing {
            Some(Thing::Stream(it, course)) => (
                manner.perform(it.wait_send_all_might_not_block()).await,
                course,
            ),
            Some(Thing::Sending(it, course)) => (
                manner.perform(it.wait_send_all_might_not_block()).await,
                course,
            ),
            _ => return,
        };
        self.ledger.note_sent(course, 0, waited);
        self.things.put_back(thing);
    }

    async fn send_end(&self, which: u8) {
        let mut thing = self.things.take(which, Thing::sends);
        let (ended, course) = match &mut thing {
            Some(Thing::Stream(it, course)) => (it.send_eof().await, course),
            Some(Thing::Sending(it, course)) => (it.send_eof().await, course),
            _ => return,
        };
        self.ledger.note_ending(course);
        self.ledger.note_end(course, ended);
        self.things.put_back(thing);
    }

    async fn receive(&self, which: u8, room: usize, manner: Manner) {
        let mut buf = vec![0; room];
        let mut thing = self.things.take(which, Thing::receives);
        let (received, course) = match &mut thing {
            Some(Thing::Stream(it, course)) => {
                (manner.perform(it.receive_some(&mut buf)).await, course)
            }
            Some(Thing::Receiving(it, course)) => {
                (manner.perform(it.receive_some(&mut buf)).await, course)
            }
            _ => return,
        };
        match received {
            Some(Err(NetError::EmptyBuffer)) => assert_eq!(room, 0),
            Some(received) => {
                let data = received.map(|count| buf.get(..count).expect("no more than fits"));
                self.ledger.note_received(course, data);
            }
            None => {}
        }
        self.things.put_back(thing);
    }

    // ------------------------------------------------------------ datagrams

    async fn send_to(&self, which: u8, to: Place, length: usize, manner: Manner) {
        let mut thing = self.things.take(which, Thing::is_for_datagrams);
        if let Some(Thing::Datagrams(socket)) = &mut thing {
            let datagram = self.ledger.datagram(length);
            let _ = manner
                .perform(socket.send_to(&datagram, to.address()))
                .await;
        }
        self.things.put_back(thing);
    }

    async fn receive_from(&self, which: u8, room: usize, manner: Manner) {
        let mut thing = self.things.take(which, Thing::is_for_datagrams);
        if let Some(Thing::Datagrams(socket)) = &mut thing {
            let mut buf = vec![0; room];
            if let Some(received) = manner.perform(socket.receive_from(&mut buf)).await {
                let (length, _) = received.expect("never fails");
                let data = buf.get(..length).expect("no more than fits");
                self.ledger.note_datagram(data, room);
            }
        }
        self.things.put_back(thing);
    }
}
