//! One peer: its handshake, its messages and its end.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::mem;
use core::net::SocketAddr;
use core::task::Waker;
use core::time::Duration;

use rustls_pki_types::ServerName;

use super::admission::{Admission, Stage, admit};
use super::attempts::{Attempts, EARLY};
use super::config::{DtlsClientConfig, DtlsServerConfig};
use super::dimpl_engine::DimplEngine;
use super::engine::{Engine, Output, Settings};
use super::error::{DtlsProblem, Over, Refusal};
use super::hello::COOKIE;
use super::inbox::Inbox;
use super::negotiated::DtlsNegotiated;
use super::numbered::Numbered;
use super::outbox::Outbox;
use super::send_errors::SendErrors;
use super::sizes::{longest_message, surest_mtu, usual_mtu};
use super::statistics::{DtlsChannelStatistics, DtlsStatistics};

/// How long the first attempt waits for an answer.
const RETRANSMIT: Duration = Duration::from_secs(1);
/// How many messages one key may protect: where their nonces are 64 random bits, and by DTLS 1.3 with AES (RFC 9147, 4.5.3).
const MESSAGES_PER_KEY: u64 = 1 << 24;

/// What stands around an association while it is worked on.
pub(super) struct Surroundings<'t> {
    pub(super) now: Duration,
    pub(super) out: &'t mut Outbox,
    pub(super) scratch: &'t mut [u8],
    pub(super) wake: &'t mut VecDeque<Waker>,
    pub(super) statistics: &'t mut DtlsStatistics,
}

pub(super) struct Association {
    pub(super) id: u64,
    pub(super) peer: SocketAddr,
    pub(super) role: Role,
    phase: Phase,
    pub(super) retransmit: Duration,
    /// The most bytes of a datagram.
    pub(super) mtu: usize,
    /// Once the handshake is done, and also afterwards.
    negotiated: Option<DtlsNegotiated>,
    pub(super) inbox: Inbox,
    attempts: Attempts,
    /// Those of the socket, before the handshake is done.
    send_errors: SendErrors,
    /// How many messages may go, if keys wear out.
    pub(super) message_limit: u64,
    /// Of a server: from when on its client may ask for the answer to its hello once more.
    answers_from: Duration,
    statistics: DtlsChannelStatistics,
    waiting: Numbered<Waker>,
    /// The number of its last datagram.
    pub(super) last_sent: u64,
    /// Under which deadline it is known.
    pub(super) timer: Option<Duration>,
}

pub(super) enum Role {
    Client {
        config: DtlsClientConfig,
        name: ServerName<'static>,
    },
    Server(Admitted),
}

/// A client whose address is proven.
pub(super) struct Admitted {
    pub(super) config: DtlsServerConfig,
    /// What tells its hello from others.
    pub(super) random: Option<[u8; 32]>,
    pub(super) cookie: Option<[u8; COOKIE]>,
    /// The same of the hellos before it from this address: one that was held up on its way begins nothing.
    pub(super) earlier: Vec<[u8; 32]>,
    /// Until the handshake begins.
    pub(super) hello: Vec<u8>,
}

enum Phase {
    /// The handshake has not begun.
    Idle,
    /// It has failed, and begins anew then.
    Resting(Duration),
    Handshaking(Box<dyn Engine>),
    Established(Box<dyn Engine>),
    Over(Over),
}

impl Association {
    pub(super) fn new(id: u64, peer: SocketAddr, role: Role) -> Self {
        let phase = Phase::Idle;
        Self::in_phase(id, peer, role, phase)
    }

    /// One whose handshake has begun.
    pub(super) fn begun(id: u64, peer: SocketAddr, role: Role, engine: Box<dyn Engine>) -> Self {
        Self::in_phase(id, peer, role, Phase::Handshaking(engine))
    }

    fn in_phase(id: u64, peer: SocketAddr, role: Role, phase: Phase) -> Self {
        Self {
            id,
            peer,
            role,
            phase,
            retransmit: RETRANSMIT,
            mtu: usual_mtu(peer),
            negotiated: None,
            inbox: Inbox::new(),
            attempts: Attempts::default(),
            send_errors: SendErrors::default(),
            message_limit: MESSAGES_PER_KEY,
            answers_from: Duration::ZERO,
            statistics: DtlsChannelStatistics {
                sent: 0,
                received: 0,
                dropped: 0,
                waiting: 0,
            },
            waiting: Numbered::new(),
            last_sent: 0,
            timer: None,
        }
    }

    // ------------------------------------------------------------ the handshake

    /// Begins the handshake, if it has not begun. Returns whether it is done.
    pub(super) fn shake_hands(&mut self, around: &mut Surroundings<'_>) -> Result<bool, Over> {
        if let Phase::Idle = self.phase {
            self.begin(around);
        }
        match &self.phase {
            Phase::Established(_) => Ok(true),
            Phase::Over(over) => Err(over.clone()),
            _ => Ok(false),
        }
    }

    fn begin(&mut self, around: &mut Surroundings<'_>) {
        let settings = Settings {
            mtu: self.mtu.min(surest_mtu(self.peer)),
            retransmit: self.attempts.retransmit(self.retransmit),
        };
        let engine = match &mut self.role {
            Role::Client { config, name } => {
                DimplEngine::client(&config.0, name.clone(), settings, around.now)
            }
            Role::Server(Admitted { config, hello, .. }) => {
                let hello = mem::take(hello);
                DimplEngine::server_of(&config.0, &hello, settings, around.now, around.scratch)
            }
        };
        match engine {
            Ok(engine) => {
                self.phase = Phase::Handshaking(engine);
                self.carry_on(around);
            }
            // Nobody else has a part in that, and it stays so.
            Err(problem) => self.give_up(problem, around),
        }
    }

    pub(super) const fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established(_))
    }

    /// What was agreed in the handshake, if it was ever done.
    pub(super) const fn negotiated(&self) -> Option<&DtlsNegotiated> {
        self.negotiated.as_ref()
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    // ------------------------------------------------------------ what comes

    /// A datagram has come from the peer. Returns whether anybody looked at it.
    pub(super) fn arrived(&mut self, datagram: &[u8], around: &mut Surroundings<'_>) -> bool {
        let is_established = self.is_established();
        let (Phase::Handshaking(engine) | Phase::Established(engine)) = &mut self.phase else {
            return false;
        };
        let (is_server, hello) = match &self.role {
            Role::Client { .. } => (false, None),
            Role::Server(client) => (true, client.random),
        };
        let stage = Stage {
            is_server,
            is_13: engine.is_13(),
            is_established,
            early: EARLY.saturating_sub(self.attempts.early),
            // By 1.3 there is nothing to ask for once it is done.
            hello: hello
                .filter(|_| self.answers_from <= around.now && !(is_established && engine.is_13())),
        };
        let Admission {
            records: admitted,
            asks_again,
            plain,
            early,
        } = admit(datagram, &stage);
        if admitted.is_empty() {
            return false;
        }
        if !is_established && !self.attempts.hears(plain) {
            // A client begins anew after a while.
            if is_server {
                let why = String::from("too much has come for one handshake");
                self.fail(DtlsProblem::Protocol(why), around);
            }
            return false;
        }
        self.attempts.early += early;
        self.send_errors.are_over();
        if asks_again {
            // A client that repeats itself waits at least that long.
            self.answers_from = around.now.saturating_add(self.retransmit / 2);
        }
        if !is_server && !is_established {
            match self.attempts.asks_another(&admitted, around.now) {
                Ok(false) => self.attempts.answered(around.now, self.retransmit),
                Ok(true) => {
                    self.begin_anew(around);
                    return true;
                }
                Err(problem) => {
                    self.fail(problem, around);
                    return true;
                }
            }
        }
        match engine.receive(around.now, &admitted) {
            Ok(()) => self.carry_on(around),
            Err(problem) => self.fail(problem, around),
        }
        true
    }

    fn begin_anew(&mut self, around: &mut Surroundings<'_>) {
        self.attempts.begin_anew();
        self.begin(around);
    }

    /// Time has gone on.
    pub(super) fn tick(&mut self, around: &mut Surroundings<'_>) {
        if self.attempts.is_stuck(around.now) {
            return self.begin_anew(around);
        }
        match &mut self.phase {
            Phase::Resting(until) if *until <= around.now => self.begin(around),
            Phase::Handshaking(engine) | Phase::Established(engine) => {
                match engine.tick(around.now) {
                    Ok(()) => self.carry_on(around),
                    Err(problem) => self.fail(problem, around),
                }
            }
            _ => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let due = match &self.phase {
            Phase::Resting(until) => Some(*until),
            Phase::Handshaking(engine) | Phase::Established(engine) => engine.deadline(),
            Phase::Idle | Phase::Over(_) => return None,
        };
        due.into_iter().chain(self.attempts.deadline()).min()
    }

    /// Does what the engine says, until it says nothing more.
    pub(super) fn carry_on(&mut self, around: &mut Surroundings<'_>) {
        loop {
            let (Phase::Handshaking(engine) | Phase::Established(engine)) = &mut self.phase else {
                return;
            };
            match engine.next(around.scratch) {
                Ok(None) => return,
                Ok(Some(Output::Datagram(length))) => {
                    let datagram = around.scratch.get(..length).unwrap_or_default();
                    if let Phase::Handshaking(_) = self.phase {
                        self.attempts.sent(datagram, around.now);
                    }
                    self.last_sent = around.out.push(Some(self.id), self.peer, datagram);
                }
                Ok(Some(Output::Established)) => {
                    // Once: whatever an engine says, there is one handshake.
                    if let Phase::Handshaking(engine) = &self.phase {
                        self.negotiated = Some(engine.negotiated());
                        self.establish();
                        around.statistics.established += 1;
                        self.wake(around.wake);
                    }
                }
                Ok(Some(Output::Message(length))) => {
                    let message = around.scratch.get(..length).unwrap_or_default();
                    self.statistics.received += 1;
                    if !self.inbox.push(message) {
                        self.statistics.dropped += 1;
                    }
                    self.wake(around.wake);
                }
                Ok(Some(Output::End)) => {
                    self.inbox.end();
                    self.wake(around.wake);
                }
                Err(problem) => return self.fail(problem, around),
            }
        }
    }

    /// The handshake is done.
    fn establish(&mut self) {
        self.phase = match mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Handshaking(engine) => Phase::Established(engine),
            phase => phase,
        };
        self.attempts.succeeded();
        self.send_errors.are_over();
    }

    /// A client whose engine met with something that it did not understand begins anew, later each time.
    fn fail(&mut self, problem: DtlsProblem, around: &mut Surroundings<'_>) {
        let is_client = matches!(self.role, Role::Client { .. });
        let rest = self.attempts.failed(&problem, self.retransmit);
        if let Some(rest) = rest.filter(|_| is_client && !self.is_established()) {
            self.phase = Phase::Resting(around.now.saturating_add(rest));
            self.attempts.begin_anew();
            return;
        }
        self.give_up(problem, around);
    }

    fn give_up(&mut self, problem: DtlsProblem, around: &mut Surroundings<'_>) {
        around.statistics.failed += 1;
        self.end(Over::Problem(problem), around.wake);
    }

    /// It is over, and stays so. What has come can still be received.
    pub(super) fn end(&mut self, over: Over, wake: &mut VecDeque<Waker>) {
        if !self.is_over() {
            self.phase = Phase::Over(over);
            self.send_errors.are_over();
            self.wake(wake);
        }
    }

    // ------------------------------------------------------------ what the socket refuses

    /// The socket has taken a datagram.
    pub(super) fn was_taken(&mut self) {
        self.send_errors.are_over();
    }

    /// It has not sent this one. The last of an attempt stands for all of it.
    pub(super) fn send_failed(&mut self, number: u64, error: Box<dyn Any>) {
        if let Phase::Handshaking(_) = self.phase
            && number == self.last_sent
        {
            self.send_errors.another(error);
        }
    }

    pub(super) const fn has_send_errors(&self) -> bool {
        self.send_errors.are_too_many()
    }

    /// The socket's error, if it has sent none of several attempts in a row: for the first who asks. With whatever is called next, a client begins anew.
    pub(super) fn take_send_error(&mut self) -> Option<Box<dyn Any>> {
        let error = self.send_errors.take()?;
        let is_client = matches!(self.role, Role::Client { .. });
        if let (true, Phase::Handshaking(_) | Phase::Resting(_)) = (is_client, &self.phase) {
            self.phase = Phase::Idle;
            self.attempts.begin_anew();
        }
        Some(error)
    }

    // ------------------------------------------------------------ messages

    /// The longest message that fits into a datagram.
    pub(super) const fn cleartext_mtu(&self) -> usize {
        longest_message(self.mtu)
    }

    /// Makes a datagram of `message`, once the handshake is done. Returns its number among those that go out.
    pub(super) fn send(
        &mut self,
        message: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Result<Option<u64>, Refusal> {
        let limit = self.cleartext_mtu();
        if message.is_empty() {
            return Err(Refusal::Empty);
        }
        if message.len() > limit {
            return Err(Refusal::TooLong(limit));
        }
        if !self.shake_hands(around).map_err(Refusal::Over)? {
            return Ok(None);
        }
        if self.inbox.has_ended() {
            return Err(Refusal::PeerClosed);
        }
        if !around.out.has_gone(self.last_sent) {
            // Else all that is tried again while the socket takes nothing would wait there.
            return Ok(None);
        }
        let Phase::Established(engine) = &mut self.phase else {
            return Ok(None);
        };
        if engine.wears_keys_out() && self.statistics.sent >= self.message_limit {
            self.fail(DtlsProblem::KeysUsedUp, around);
        } else if let Err(problem) = engine.send(message) {
            self.fail(problem, around);
        } else {
            self.statistics.sent += 1;
            self.carry_on(around);
        }
        match &self.phase {
            Phase::Over(over) => Err(Refusal::Over(over.clone())),
            _ => Ok(Some(self.last_sent)),
        }
    }

    /// Tells the peer the end, if there is somebody to tell.
    pub(super) fn close(&mut self, around: &mut Surroundings<'_>) {
        if let Phase::Established(engine) = &mut self.phase {
            engine.close();
            self.carry_on(around);
            around.out.keep(self.last_sent);
        }
    }

    pub(super) fn statistics(&self) -> DtlsChannelStatistics {
        DtlsChannelStatistics {
            waiting: self.inbox.len(),
            ..self.statistics
        }
    }

    // ------------------------------------------------------------ who waits

    /// Has `waker` woken once something has changed.
    pub(super) fn wait(&mut self, ticket: u64, waker: &Waker) -> Option<Waker> {
        self.waiting.wait(ticket, waker)
    }

    pub(super) fn wait_no_more(&mut self, ticket: u64) -> Option<Waker> {
        self.waiting.remove(ticket)
    }

    pub(super) fn wake(&mut self, wake: &mut VecDeque<Waker>) {
        wake.extend(self.waiting.drain());
    }
}
