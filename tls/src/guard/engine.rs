//! The engine over `embedded-tls`, behind the guard.

mod traffic;

use core::fmt;
use core::iter::once;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use embedded_tls::{CryptoRngCore, TlsConnection};

use super::answers::Offered;
use super::flight::Stage;
use super::gate::{ALERT, Admitted, DATA, Gate, HEADER};
use super::hello::Offer;
use super::negotiated::GuardNegotiated;
use super::opening::{Connection, Opened, Opening};
use super::provider::Seed;
use super::reason::GuardError;
use super::settings::GuardedClientConfig;
use super::storage::TlsStorage;
use super::suite::{GuardAes128, GuardSuite, Purpose, alert_as_data};
use super::verify::PeerIdentity;
use super::wire::{Mailbox, Wire};
use crate::engine::SansIo;
use crate::error::EngineError;
use crate::negotiated::CipherSuite;
use crate::session::Memories;

type Buffer<'b> = crate::buffer::Buffer<&'b mut [u8]>;
type Sink<'s, 'b> = crate::buffer::Sink<'s, &'b mut [u8]>;

/// What a record adds to its data: header, content type and tag.
const OVERHEAD: usize = HEADER + 1 + 16;

/// What `embedded-tls` keeps of the memory in which it makes a record.
const RESERVED: usize = embedded_tls::TLS_RECORD_OVERHEAD + HEADER;

/// How long the record of an alert is.
const ALERT_RECORD: usize = HEADER + 2 + 1 + 16;

/// TLS 1.3 by `embedded-tls`, client only, without a heap: whole records only, none in plain sight after the hello, no message out of
/// its place, and no server that has not proved who it is. Only a request for a certificate may come twice, where the first one shared a record.
///
/// What it has not: servers, TLS 1.2, other key exchanges than P-256, messages in more than one record, resumption, key updates, and
/// the answer to ALPN.
pub struct GuardedEngine<'b, C: GuardSuite = GuardAes128> {
    wire: &'b Wire,
    gate: Gate,
    stage: Progress<'b, C>,
    /// The rest of an admitted record, which is still in the input.
    feeding: usize,
    /// The rest of what is shown behind it.
    adding: usize,

    /// The rest of an opened record, with its type.
    held: usize,
    idle: u8,
    sealed: u32,
    most_data: usize,
    /// How long a record may be, with its header.
    room: usize,
    offered: Offered,
    protocols: &'b [&'b [u8]],
    needs_room: bool,
    has_ended: bool,
    failure: Option<GuardError>,
}

enum Progress<'b, C: GuardSuite> {
    /// Nobody has said anything.
    New(Opening<'b, C>),
    /// The connection was given away for the handshake.
    Away,
    /// It is back, and the last message is still on the wire.
    Back(Connection<'b, C>, PeerIdentity),
    Open(Connection<'b, C>, PeerIdentity),
    Closed,
}

/// Kept where it is.
#[derive(Debug)]
#[expect(unnameable_types, reason = "engines are sealed")]
pub struct Inline<T>(T);

impl<T> Deref for Inline<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Inline<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<'b, C: GuardSuite> GuardedEngine<'b, C> {
    /// `None`: there are no random bytes.
    pub(super) fn new<const RX: usize, const TX: usize>(
        config: &'b GuardedClientConfig<'b, C>,
        rng: &mut dyn CryptoRngCore,
        storage: &'b mut TlsStorage<RX, TX>,
    ) -> Option<(Self, Memories<&'b mut [u8]>)> {
        storage.wire = Wire::new();
        let TlsStorage {
            wire,
            incoming,
            outgoing,
            opened,
            made,
            alert,
        } = storage;
        let wire = &*wire;
        let offered = config.offered();
        let offer = Offer {
            suite: C::CODE_POINT,
            has_psk: offered.has_psk,
        };
        let opening = Opening {
            connection: TlsConnection::new(Mailbox(wire), opened, made),
            config,
            seed: Seed::draw(rng)?,
            wire,
        };
        let engine = Self {
            wire,
            gate: Gate::new(RX, offer),
            stage: Progress::New(opening),
            feeding: 0,
            adding: 0,
            held: 0,
            idle: 0,
            sealed: 0,
            most_data: config.most_data().min(TX - RESERVED),
            room: RX,
            offered,
            protocols: config.alpn,
            needs_room: false,
            has_ended: false,
            failure: None,
        };
        let memories = Memories {
            incoming: &mut incoming[..],
            outgoing: &mut outgoing[..],
            stash: &mut [],
            flight: &mut alert[..],
        };
        Some((engine, memories))
    }

    /// Moves what is in the window towards the peer to `output`. `false`: there is not enough room.
    fn drain(&self, output: &mut Buffer<'b>) -> bool {
        let mut window = self.wire.outbound.borrow_mut();
        while !window.is_empty() {
            let count = window.give(output.room(1));
            if count == 0 {
                return false;
            }
            output.commit(count);
        }
        true
    }

    /// Shows more of the peer's records. `false`: there is nothing to show.
    fn feed(&mut self, incoming: &mut Buffer<'b>) -> Result<bool, GuardError> {
        let mut window = self.wire.inbound.borrow_mut();
        if !window.is_empty() {
            return Ok(true);
        }
        while self.feeding == 0 && self.adding == 0 {
            match self.gate.admit(incoming.filled())? {
                Admitted::Part => return Ok(false),
                Admitted::Noise(length) => incoming.consume(length),
                Admitted::Record(length) => {
                    self.feeding = length;
                    self.label(incoming)?;
                }
            }
        }
        let filled = incoming.filled();
        let count = window.put(filled.get(..self.feeding).unwrap_or(filled));
        incoming.consume(count);
        self.feeding -= count;
        if self.feeding == 0 && self.adding > 0 {
            let behind = self.behind();
            let rest = behind.skip(self.behind().count() - self.adding);
            self.adding -= rest.take_while(|byte| window.put(&[*byte]) == 1).count();
        }
        Ok(true)
    }

    /// What is shown behind the record with the server's answers: the protocols that were offered, as in the hello, and how long they are
    /// together.
    fn behind(&self) -> impl Iterator<Item = u8> + use<'b, C> {
        let protocols = self.protocols;
        let lengths = protocols.iter().map(|name| 1 + name.len());
        // Both were checked when they were given.
        let length = lengths.sum::<usize>() as u16;
        let each = |name: &'b &'b [u8]| once(name.len() as u8).chain(name.iter().copied());
        protocols.iter().flat_map(each).chain(length.to_be_bytes())
    }

    /// Writes on the record at the front what it is, for the cipher.
    fn label(&mut self, incoming: &mut Buffer<'b>) -> Result<(), GuardError> {
        let stage = self.wire.stage.get();
        let purpose = match self.stage {
            Progress::Open(..) => Purpose::Traffic,
            _ => Purpose::Handshake {
                stage,
                offered: self.offered,
            },
        };
        let Some([DATA, major, minor, high, low]) = incoming.filled_mut().first_chunk_mut() else {
            return Ok(());
        };
        [*major, *minor] = purpose.mark();
        if purpose.has_protocols() {
            self.adding = self.behind().count();
            let (length, shown) = (self.feeding, self.feeding - HEADER + self.adding);
            if shown > self.room {
                let room = (self.room + HEADER).saturating_sub(self.adding);
                return Err(GuardError::RecordTooLong { length, room });
            }
            [*high, *low] = (shown as u16).to_be_bytes();
        }
        // A certificate and its proof are noted by who looks at them.
        match (purpose, stage) {
            (Purpose::Traffic, _) => {}
            (_, Stage::Extensions) if self.offered.has_psk => self.wire.stage.set(Stage::Finished),
            (_, Stage::Extensions) => self.wire.stage.set(Stage::Request),
            (_, Stage::Request) => self.wire.stage.set(Stage::Certificate),
            _ => {}
        }
        Ok(())
    }

    fn progress(
        &mut self,
        mut opening: Pin<&mut impl Future<Output = Opened<'b, C>>>,
        incoming: &mut Buffer<'b>,
        output: &mut Buffer<'b>,
    ) -> Result<(), GuardError> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            self.needs_room = !self.drain(output);
            if self.needs_room {
                return Ok(());
            }
            match core::mem::replace(&mut self.stage, Progress::Away) {
                Progress::Away => {}
                Progress::Back(connection, identity) => {
                    self.gate.open();
                    self.stage = Progress::Open(connection, identity);
                    return Ok(());
                }
                other => {
                    self.stage = other;
                    return Ok(());
                }
            }
            match opening.as_mut().poll(&mut cx) {
                Poll::Ready(Opened {
                    connection,
                    outcome: Ok(identity),
                }) => self.stage = Progress::Back(connection, identity),
                Poll::Ready(Opened { outcome, .. }) => {
                    // What it would have told the peer: the engine does that itself.
                    self.wire.outbound.borrow_mut().clear();
                    self.stage = Progress::Closed;
                    outcome?;
                }
                Poll::Pending => {
                    let waits_for_input = self.wire.outbound.borrow().is_empty();
                    if waits_for_input && !self.feed(incoming)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn note(&mut self, outcome: Result<(), GuardError>) -> Result<(), EngineError> {
        outcome.map_err(|error| {
            self.failure = Some(error);
            EngineError::Guard(error)
        })
    }
}

impl<'b, C: GuardSuite> SansIo for GuardedEngine<'b, C> {
    type Memory = &'b mut [u8];
    type Held<T> = Inline<T>;
    type Negotiated = GuardNegotiated;
    type Opening = Opening<'b, C>;
    type Opened = Opened<'b, C>;

    const DEFERS_OUTPUT: bool = false;
    const RESUMES_HANDSHAKE: bool = false;

    fn hold<T>(value: T) -> Inline<T> {
        Inline(value)
    }

    fn release<T>(held: Inline<T>) -> T {
        held.0
    }

    fn aside<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future
    }

    fn begin(&mut self) -> Option<Opening<'b, C>> {
        match core::mem::replace(&mut self.stage, Progress::Away) {
            Progress::New(opening) => Some(opening),
            other => {
                self.stage = other;
                None
            }
        }
    }

    fn open(opening: Opening<'b, C>) -> impl Future<Output = Opened<'b, C>> {
        opening.perform()
    }

    fn shake(
        &mut self,
        opening: Pin<&mut impl Future<Output = Opened<'b, C>>>,
        incoming: &mut Buffer<'b>,
        output: &mut Buffer<'b>,
    ) -> Result<(), EngineError> {
        let outcome = self.progress(opening, incoming, output);
        self.note(outcome)
    }

    fn step(
        &mut self,
        incoming: &mut Buffer<'b>,
        _output: &mut Buffer<'b>,
        sink: Option<&mut Sink<'_, 'b>>,
    ) -> Result<(), EngineError> {
        let outcome = sink.map_or(Ok(()), |sink| self.receive(incoming, sink));
        self.note(outcome)
    }

    fn fitting(&self, wanted: usize, staged: usize, limit: usize) -> usize {
        // A piece that looks like an alert takes two records.
        let free = limit.saturating_sub(staged + OVERHEAD);
        let record = self.most_data + OVERHEAD;
        let whole = free / record * self.most_data;
        let part = (free % record).saturating_sub(OVERHEAD);
        if wanted <= whole + part {
            wanted
        } else {
            whole
        }
    }

    fn seal(
        &mut self,
        _incoming: &mut Buffer<'b>,
        output: &mut Buffer<'b>,
        _sink: &mut Sink<'_, 'b>,
        data: &[u8],
    ) -> Result<(), EngineError> {
        let mut pieces = data.chunks(self.most_data);
        let outcome = pieces.try_for_each(|piece| self.seal_data(output, piece));
        self.note(outcome)
    }

    fn end(
        &mut self,
        _incoming: &mut Buffer<'b>,
        output: &mut Buffer<'b>,
        _sink: &mut Sink<'_, 'b>,
    ) -> Result<bool, EngineError> {
        if output.limit() - output.len() < ALERT_RECORD {
            return Ok(false);
        }
        let outcome = self.seal_data(output, &[]);
        self.note(outcome)?;
        Ok(true)
    }

    fn update_keys(
        &mut self,
        _incoming: &mut Buffer<'b>,
        _output: &mut Buffer<'b>,
        _sink: &mut Sink<'_, 'b>,
    ) -> Result<bool, EngineError> {
        Ok(true)
    }

    fn has_key_updates(&self) -> bool {
        false
    }

    fn alert(&mut self, output: &mut Buffer<'b>) {
        let Some(alert) = self.failure.and_then(GuardError::alert) else {
            return;
        };
        if matches!(self.stage, Progress::Open(..)) {
            let _ = self.seal_record(output, &alert_as_data(alert));
        } else if !self.gate.is_open() {
            // Before the client's first protected message, a server takes alerts in plain sight.
            output.append(&[ALERT, 3, 3, 0, 2, 2, alert]);
        }
        self.stage = Progress::Closed;
    }

    fn is_handshaking(&self) -> bool {
        !matches!(self.stage, Progress::Open(..))
    }

    fn needs_room(&self) -> bool {
        self.needs_room
    }

    fn output_can_wait(&self) -> bool {
        false
    }

    fn is_joining(&self) -> bool {
        false
    }

    fn held_data(&self) -> usize {
        self.held.saturating_sub(1)
    }

    fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn negotiated(&self) -> Option<GuardNegotiated> {
        let Progress::Open(_, identity) = self.stage else {
            return None;
        };
        Some(GuardNegotiated {
            cipher_suite: CipherSuite {
                id: C::CODE_POINT,
                name: Some(C::NAME),
            },
            identity,
        })
    }

    fn too_long(&self) -> EngineError {
        EngineError::Guard(GuardError::Internal)
    }
}

impl<C: GuardSuite> fmt::Debug for GuardedEngine<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedEngine")
            .field("is_handshaking", &self.is_handshaking())
            .field("has_ended", &self.has_ended)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
