//! Which records of a peer are shown to `embedded-tls`, and how they are framed.
//!
//! In `embedded-tls` 0.19.0 some places rely on what a peer sends. What keeps each from being reached otherwise than as meant:
//!
//! * record.rs, `RecordHeader::content_type` (unwrap), `ServerRecord::decode` (assert on the length): only records of known types
//!   are admitted, and only whole ones, so the length is that of what is read.
//! * record_reader.rs, slices of its buffer: the length is checked against the room before, and the room is that buffer's.
//! * connection.rs, `decrypt_record` (unwrap on the last byte of what is inside): the suites of `suite.rs` never hand out nothing.
//! * connection.rs and common/decrypted_read_handler.rs (plain records after the hello; `unimplemented!` for messages after the
//!   handshake): after the hello only protected records are admitted, and after the handshake everything comes as data.
//! * handshake/server_hello.rs, `calculate_shared_secret`: the group and the length of the share are checked in `hello.rs`, the point
//!   itself by `p256`.
//! * handshake/mod.rs, messages parsed by what is in them, not by their length: `flight.rs` lets pass only those whose parts
//!   add up to it, and `answers.rs` only extensions that belong there.
//! * connection.rs, `client_cert_verify` (unwrap on the length of the signature): the key is P-256, checked when it was given.
//! * key_schedule.rs, `increment_counter` (unwrap after 2^64 records): the engine stops long before.
//! * config.rs, `with_psk` (unwrap beyond four identities): there is one.
//! * alert.rs, the mis-typed plain alert, and the end after the peer's: neither is sent; the engine makes its own.

use super::hello::{Offer, check_server_hello};
use super::reason::GuardError;

/// The length of the header of a record (RFC 8446, 5.1).
pub(super) const HEADER: usize = 5;

/// What a protected record has besides its data, at least: a type and a tag.
const MIN_SEALED: usize = 1 + 16;

/// The most that a record may hold: what the suites add to what is inside is a tag, and with its type and its padding that is no more than
/// this (RFC 8446, 5.4).
const MAX_BODY: usize = (1 << 14) + MIN_SEALED;

/// How many changes of ciphers are put up with. They mean nothing in TLS 1.3 (RFC 8446, D.4).
const MAX_CHANGES: u8 = 2;

pub(super) const CHANGE: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const DATA: u8 = 23;

/// Judges records before anything else looks at them.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// How long a record may be, with its header.
    room: usize,
    offer: Offer,
    phase: Phase,
    changes: u8,
}

/// Which records may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server's hello, in plain sight.
    Hello,
    /// Protected ones of the handshake.
    Handshake,
    /// Protected ones.
    Traffic,
}

/// What is at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// The beginning of a record, or nothing.
    Part,
    /// A record of this length that means nothing.
    Noise(usize),
    /// A record of this length, with its header.
    Record(usize),
}

impl Gate {
    pub(super) const fn new(room: usize, offer: Offer) -> Self {
        Self {
            room,
            offer,
            phase: Phase::Hello,
            changes: 0,
        }
    }

    /// Whether the handshake is done.
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Traffic
    }

    /// The handshake is done.
    pub(super) const fn open(&mut self) {
        self.phase = Phase::Traffic;
    }

    /// Looks at the record at the front of `input`. It has to be taken from there before the next call.
    pub(super) fn admit(&mut self, input: &[u8]) -> Result<Admitted, GuardError> {
        let Some((&[typ, major, minor, high, low], rest)) = input.split_first_chunk::<HEADER>()
        else {
            return Ok(Admitted::Part);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let is_sealed = typ == DATA;
        match (self.phase, typ) {
            (Phase::Hello, HANDSHAKE | ALERT)
            | (Phase::Handshake, DATA | CHANGE)
            | (Phase::Traffic, DATA) => {}
            _ => return Err(GuardError::UnexpectedRecord),
        }
        if (major, minor) != (3, 3) || length == 0 || is_sealed && length < MIN_SEALED {
            return Err(GuardError::Malformed);
        }
        let whole = HEADER + length;
        let room = self.room.min(HEADER + MAX_BODY);
        if whole > room {
            return Err(GuardError::RecordTooLong {
                length: whole,
                room,
            });
        }
        let Some(body) = rest.get(..length) else {
            return Ok(Admitted::Part);
        };
        match (typ, body) {
            (ALERT, &[_, description]) => Err(GuardError::Refused(description)),
            (ALERT, _) => Err(GuardError::Malformed),
            (HANDSHAKE, hello) => {
                check_server_hello(hello, self.offer)?;
                self.phase = Phase::Handshake;
                Ok(Admitted::Record(whole))
            }
            (CHANGE, [1]) if self.changes < MAX_CHANGES => {
                self.changes += 1;
                Ok(Admitted::Noise(whole))
            }
            (CHANGE, [1]) => Err(GuardError::UnexpectedRecord),
            (CHANGE, _) => Err(GuardError::Malformed),
            _ => Ok(Admitted::Record(whole)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hello::tests::{OFFER, hello};
    use super::*;
    use alloc::vec::Vec;

    fn gate() -> Gate {
        Gate::new(1000, OFFER)
    }

    fn record(typ: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).expect("short");
        [&[typ, 3, 3], &length.to_be_bytes()[..], body].concat()
    }

    /// A gate that the server's hello has passed.
    fn greeted() -> Gate {
        let mut gate = gate();
        let hello = record(HANDSHAKE, &hello(&[]));
        let admitted = gate.admit(&hello);
        assert_eq!(admitted, Ok(Admitted::Record(hello.len())));
        assert_eq!(gate.phase, Phase::Handshake);
        gate
    }

    #[test]
    fn a_record_is_shown_only_when_all_of_it_is_there() {
        let hello = record(HANDSHAKE, &hello(&[]));
        let mut gate = gate();
        for length in 0..hello.len() {
            assert_eq!(gate.admit(&hello[..length]), Ok(Admitted::Part), "{length}");
        }
        let two = [&hello[..], b"more"].concat();
        assert_eq!(gate.admit(&two), Ok(Admitted::Record(hello.len())));
    }

    #[test]
    fn each_phase_has_its_types_and_no_others() {
        let sealed = [0; 17];
        for typ in 0..=255 {
            let before = gate().admit(&record(typ, &sealed));
            let during = greeted().admit(&record(typ, &sealed));
            let mut open = greeted();
            open.open();
            let after = open.admit(&record(typ, &sealed));
            let unexpected = Err(GuardError::UnexpectedRecord);
            assert_eq!(
                before == unexpected,
                ![ALERT, HANDSHAKE].contains(&typ),
                "{typ}"
            );
            assert_eq!(
                during == unexpected,
                ![CHANGE, DATA].contains(&typ),
                "{typ}"
            );
            assert_eq!(after == unexpected, typ != DATA, "{typ}");
        }
    }

    #[test]
    fn a_refusal_before_the_hello_says_why() {
        assert_eq!(
            gate().admit(&record(ALERT, &[2, 40])),
            Err(GuardError::Refused(40))
        );
        for body in [&[2][..], &[2, 40, 0]] {
            assert_eq!(
                gate().admit(&record(ALERT, body)),
                Err(GuardError::Malformed)
            );
        }
    }

    #[test]
    fn a_few_changes_of_ciphers_mean_nothing_and_more_are_too_many() {
        let mut gate = greeted();
        for _ in 0..MAX_CHANGES {
            assert_eq!(gate.admit(&record(CHANGE, &[1])), Ok(Admitted::Noise(6)));
        }
        assert_eq!(
            gate.admit(&record(CHANGE, &[1])),
            Err(GuardError::UnexpectedRecord)
        );
        for body in [&[2][..], &[1, 1]] {
            assert_eq!(
                greeted().admit(&record(CHANGE, body)),
                Err(GuardError::Malformed)
            );
        }
    }

    #[test]
    fn what_is_too_long_is_refused_by_its_header() {
        let mut gate = greeted();
        let longest = [&[DATA, 3, 3], &995_u16.to_be_bytes()[..]].concat();
        assert_eq!(gate.admit(&longest), Ok(Admitted::Part));
        let longer = [&[DATA, 3, 3], &996_u16.to_be_bytes()[..]].concat();
        let (length, room) = (1001, 1000);
        assert_eq!(
            gate.admit(&longer),
            Err(GuardError::RecordTooLong { length, room })
        );

        gate.room = 70_000;
        let longest = [&[DATA, 3, 3], &16_401_u16.to_be_bytes()[..]].concat();
        assert_eq!(gate.admit(&longest), Ok(Admitted::Part));
        let longer = [&[DATA, 3, 3], &16_402_u16.to_be_bytes()[..]].concat();
        let (length, room) = (16_407, 16_406);
        assert_eq!(
            gate.admit(&longer),
            Err(GuardError::RecordTooLong { length, room })
        );
    }

    #[test]
    fn headers_that_lie_are_refused() {
        for (header, body) in [
            ([DATA, 3, 3, 0, 0], 0),
            ([DATA, 3, 3, 0, 16], 16),
            ([DATA, 3, 1, 0, 17], 17),
            ([DATA, 2, 3, 0, 17], 17),
            ([DATA, 3, 4, 0, 17], 17),
        ] {
            let record = [&header[..], &alloc::vec![0; body]].concat();
            assert_eq!(
                greeted().admit(&record),
                Err(GuardError::Malformed),
                "{header:?}"
            );
        }
    }
}
