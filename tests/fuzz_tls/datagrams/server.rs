//! The server, and what it takes from the allocator.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::Cell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;

use tacket::{AsyncResource as _, timeout};
use tacket_tls::{DtlsChannel, DtlsEndpoint, DtlsError, DtlsStatistics};

use super::client::MOST_POLLS;
use super::ledger::{Ledger, Wish};
use super::parties::Parties;
use super::port::{Addressed, Flag, Line, Port, Time};
use crate::fuzz_tls::doors::Gauge;

/// How long a handler waits for the handshake, and how long for a message.
const HANDSHAKE: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(40);
/// How many clients are half open at most.
const HALF_OPEN: usize = 64;
/// What an endpoint takes: room for the certificate of a peer, in 64 records, and for a datagram, and little else. Tables do not shrink.
const IDLE: i64 = 64 * ((1 << 14) + 2048) + (1 << 16) + (48 << 10);
/// What comes on top for an association with its handler, for what of it waits to go out, for a client that is half open, and for answers to strangers.
const EACH: i64 = 24 << 10;
const EACH_OUT: i64 = 80 << 10;
const EACH_HALF: i64 = 32 << 10;
const OUT: i64 = 32 << 10;
/// What may be left of it in the end.
const LEFT: i64 = 4 << 10;

type Serving = Pin<Box<dyn Future<Output = ()>>>;

pub(super) struct Server {
    endpoint: Option<DtlsEndpoint<Port>>,
    serving: Option<Serving>,
    pub(super) line: Rc<Line>,
    parties: &'static Parties,
    limit: usize,
    ledger: Rc<Ledger>,
    time: Time,
    /// How many handlers are at work.
    handlers: Rc<Cell<usize>>,
    flag: Arc<Flag>,
    gauge: Gauge,
    /// What it has from the allocator now.
    live: i64,
}

impl Server {
    pub(super) fn new(
        parties: &'static Parties,
        limit: usize,
        ledger: &Rc<Ledger>,
        time: &Time,
        gauge: Gauge,
    ) -> Self {
        let mut server = Self {
            endpoint: None,
            serving: None,
            line: Line::new(),
            parties,
            limit,
            ledger: Rc::clone(ledger),
            time: time.clone(),
            handlers: Rc::default(),
            flag: Flag::raised(),
            gauge,
            live: 0,
        };
        server.counted(|server| {
            let socket = Port(Rc::clone(&server.line));
            let endpoint = DtlsEndpoint::new(socket, server.time.clone());
            server.endpoint = Some(endpoint.expect("random bytes"));
        });
        server.restart();
        server
    }

    /// Serves anew.
    pub(super) fn restart(&mut self) {
        self.counted(|server| {
            server.serving = None;
            server.serving = server.endpoint.clone().map(|endpoint| {
                let (config, limit) = (&server.parties.server, server.limit);
                let (ledger, time) = (Rc::clone(&server.ledger), server.time.clone());
                let handlers = Rc::clone(&server.handlers);
                Box::pin(async move {
                    let handler = async |channel| {
                        let _here = Here::new(&handlers);
                        handle(channel, &ledger, &time).await
                    };
                    let served = endpoint.serve(config, limit, handler).await;
                    fail(&served);
                }) as Serving
            });
        });
        self.flag.raise();
    }

    /// Has it do what it can, and returns what it has sent.
    pub(super) fn go_on(&mut self) -> Vec<Addressed> {
        let waker = Waker::from(Arc::clone(&self.flag));
        let mut polls = 0;
        while self.flag.take() {
            polls += 1;
            assert!(polls < MOST_POLLS, "the server spins");
            self.counted(|server| {
                let mut cx = Context::from_waker(&waker);
                if let Some(serving) = &mut server.serving {
                    let _never = serving.as_mut().poll(&mut cx);
                }
            });
        }
        let sent = self.line.take();
        let bytes: usize = sent.iter().map(|(_, datagram)| datagram.len()).sum();
        self.live -= signed(bytes);
        sent
    }

    /// Does something, with what it takes from the allocator within bounds.
    fn counted(&mut self, work: impl FnOnce(&mut Self)) {
        let (gauge, mut work) = (self.gauge, Some(work));
        let used = gauge(&mut || {
            if let Some(work) = work.take() {
                work(self);
            }
        });
        let most = self.live + used.most;
        self.live += used.left;
        // Who was there in between, nobody knows.
        let bound = self.bound(2 * self.limit + 1, HALF_OPEN + 1);
        assert!(most <= bound, "{most} bytes once, and not {bound}");
    }

    /// How many bytes it may have with so many associations and handlers, and so many clients that are half open.
    fn bound(&self, each: usize, half: usize) -> i64 {
        let each_out = if self.line.is_stalled() { EACH_OUT } else { 0 };
        IDLE + signed(each) * (EACH + each_out) + signed(half) * EACH_HALF + OUT
    }

    pub(super) fn statistics(&self) -> DtlsStatistics {
        let endpoint = self.endpoint.as_ref();
        endpoint.map_or_else(DtlsStatistics::default, DtlsEndpoint::statistics)
    }

    /// Whether it knows nobody.
    pub(super) fn is_idle(&self) -> bool {
        let seen = self.statistics();
        seen.associations + seen.half_open + self.handlers.get() == 0
    }

    /// Demands that nothing grows beyond its bound.
    pub(super) fn check(&self) {
        let seen = self.statistics();
        assert!(seen.associations <= self.limit, "{seen:?}");
        assert!(seen.half_open <= HALF_OPEN, "{seen:?}");
        let handlers = self.handlers.get();
        assert!(handlers <= self.limit, "{handlers} handlers");
        let live = self.live;
        let bound = self.bound(seen.associations + handlers + 1, seen.half_open + 1);
        assert!(live <= bound, "{live} bytes, and not {bound}: {seen:?}");
    }

    /// Demands that nothing is left of those whom it has known: what it has is what it had at first, or little more.
    pub(super) fn check_idle(&self) {
        assert!(
            self.live <= IDLE,
            "an idle server has {} bytes, and not {IDLE}",
            self.live
        );
    }

    /// Ends it, and demands that nothing is left of it.
    pub(super) fn end(mut self) {
        self.counted(|server| {
            server.serving = None;
            server.endpoint = None;
        });
        let left = self.live;
        assert!(left.abs() <= LEFT, "{left} bytes are left");
    }
}

async fn handle(
    channel: DtlsChannel<Port>,
    ledger: &Ledger,
    time: &Time,
) -> Result<(), DtlsError<tacket::testing::SimError>> {
    match timeout(time, HANDSHAKE, channel.do_handshake()).await {
        Ok(done) => done?,
        Err(_) => return Ok(()),
    }
    let mut message = [0; 1500];
    loop {
        let received = timeout(time, SILENCE, channel.receive(&mut message)).await;
        let Some(length) = received.unwrap_or(Ok(None))? else {
            return Ok(());
        };
        let text = &message[..length];
        let wish = ledger.served(channel.peer_addr(), text);
        if wish == Wish::Drop {
            return Ok(());
        }
        match timeout(time, SILENCE, channel.send(text)).await {
            Ok(sent) => sent?,
            Err(_) => return Ok(()),
        }
        if wish == Wish::EchoAndClose {
            let closed = timeout(time, SILENCE, channel.close()).await;
            return closed.unwrap_or(Ok(()));
        }
    }
}

fn fail(served: &impl fmt::Debug) {
    panic!("it serves no more: {served:?}");
}

/// A handler at work.
struct Here<'c>(&'c Cell<usize>);

impl<'c> Here<'c> {
    fn new(count: &'c Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).expect("less than all memory")
}
