//! A client of ours.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use tacket::AsyncResource as _;
use tacket_tls::{DtlsChannel, DtlsClientConfig, DtlsEndpoint};

use super::address::server_for;
use super::ledger::{Ledger, Wish};
use super::port::{Addressed, Flag, Line, Port, Time};
use crate::NAME;

/// More polls than anything needs that does not spin.
pub(super) const MOST_POLLS: usize = 5000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

pub(super) struct Client {
    pub(super) address: SocketAddr,
    line: Rc<Line>,
    ledger: Rc<Ledger>,
    is_trusted: bool,
    flag: Arc<Flag>,
    tasks: Vec<Task>,
    channel: Option<Rc<DtlsChannel<Port>>>,
    _endpoint: DtlsEndpoint<Port>,
}

impl Client {
    /// One who begins to shake hands, and then receives whatever comes.
    pub(super) fn new(
        address: SocketAddr,
        config: &DtlsClientConfig,
        is_trusted: bool,
        ledger: &Rc<Ledger>,
        time: &Time,
    ) -> Self {
        let line = Line::new();
        let socket = Port(Rc::clone(&line));
        let endpoint = DtlsEndpoint::new(socket, time.clone()).expect("random bytes");
        let channel = endpoint.connect(server_for(address), config, NAME);
        let channel = Rc::new(channel.expect("it is open"));
        let receiving = {
            let (channel, ledger) = (Rc::clone(&channel), Rc::clone(ledger));
            async move {
                if channel.do_handshake().await.is_err() {
                    return;
                }
                let mut message = [0; 1500];
                while let Ok(Some(length)) = channel.receive(&mut message).await {
                    ledger.returned(address, &message[..length]);
                }
            }
        };
        Self {
            address,
            line,
            ledger: Rc::clone(ledger),
            is_trusted,
            flag: Flag::raised(),
            tasks: vec![Box::pin(receiving)],
            channel: Some(channel),
            _endpoint: endpoint,
        }
    }

    pub(super) fn say(&mut self, wish: Wish, length: usize) {
        let Some(channel) = self.channel.clone() else {
            return;
        };
        let message = self
            .ledger
            .message(self.address, self.is_trusted, wish, length);
        self.begin(async move {
            let _sent = channel.send(&message).await;
        });
    }

    /// Closes its channel, if it has not.
    pub(super) fn close(&mut self) {
        self.tasks.clear();
        if let Some(channel) = self.channel.take().and_then(Rc::into_inner) {
            self.begin(async move {
                let _closed = channel.close().await;
            });
        }
    }

    pub(super) fn arrived(&self, from: SocketAddr, datagram: Vec<u8>) {
        self.line.put(from, datagram);
    }

    /// Has it do what it can, and returns what it has sent.
    pub(super) fn go_on(&mut self) -> Vec<Addressed> {
        let waker = Waker::from(Arc::clone(&self.flag));
        let mut cx = Context::from_waker(&waker);
        let mut polls = 0;
        while self.flag.take() {
            polls += 1;
            assert!(polls < MOST_POLLS, "a client spins");
            self.tasks
                .retain_mut(|task| task.as_mut().poll(&mut cx) == Poll::Pending);
        }
        let sent = self.line.take();
        let server = server_for(self.address);
        let strays = sent.iter().filter(|(to, _)| *to != server).count();
        assert_eq!(strays, 0, "a client answers strangers");
        sent
    }

    fn begin(&mut self, task: impl Future<Output = ()> + 'static) {
        self.tasks.push(Box::pin(task));
        self.flag.raise();
    }
}
