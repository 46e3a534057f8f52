//! Which messages a server may send under the keys of the handshake, and in which order (RFC 8446, 4.3 and 4.4).

use super::answers::{
    Offered, check_answers, check_of_certificate, check_of_request, check_of_ticket,
};
use super::hello::take;
use super::reason::GuardError;

const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// The scheme of a signature that no server may use: the suites say by it what they have found.
pub(super) const SIGNAL: [u8; 2] = [3, 2];

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// The extensions, with which every flight begins.
    Extensions,
    /// A request for a certificate, or the server's own.
    Request,
    /// The server's certificate.
    Certificate,
    /// The proof of having its key.
    Verify,
    /// What ends the handshake.
    Finished,
    /// Nothing more of the handshake.
    Done,
}

impl Stage {
    /// From its number.
    pub(super) const fn new(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Extensions,
            1 => Self::Request,
            2 => Self::Certificate,
            3 => Self::Verify,
            4 => Self::Finished,
            5 => Self::Done,
            _ => return None,
        })
    }
}

/// Whether `content`, all of a record, is whole messages that may come at `stage`, after this offer. `protocols` are a part of it where
/// they are needed, `hash` is the length of the suite's.
pub(super) fn check_flight(
    content: &[u8],
    mut stage: Stage,
    offered: Offered,
    protocols: &[u8],
    hash: usize,
) -> Result<(), GuardError> {
    if content.is_empty() {
        return Err(GuardError::Malformed);
    }
    let mut rest = content;
    while !rest.is_empty() {
        let (typ, body) = message(&mut rest)?;
        stage = match (stage, typ) {
            (Stage::Extensions, ENCRYPTED_EXTENSIONS) if offered.has_psk => Stage::Finished,
            (Stage::Extensions, ENCRYPTED_EXTENSIONS) => Stage::Request,
            (Stage::Request, CERTIFICATE_REQUEST) => Stage::Certificate,
            (Stage::Request | Stage::Certificate, CERTIFICATE) => Stage::Verify,
            (Stage::Verify, CERTIFICATE_VERIFY) => Stage::Finished,
            (Stage::Finished, FINISHED) => Stage::Done,
            _ => return Err(GuardError::UnexpectedMessage),
        };
        check_body(typ, body, hash, |list| {
            check_answers(list, offered, protocols)
        })?;
    }
    Ok(())
}

/// Whether `content`, all of a record, is whole messages that may come after the handshake. They are of no use here.
pub(super) fn check_later(content: &[u8]) -> Result<(), GuardError> {
    let mut rest = content;
    if content.is_empty() {
        return Err(GuardError::Malformed);
    }
    while !rest.is_empty() {
        match message(&mut rest)? {
            (NEW_SESSION_TICKET, body) => {
                check_body(NEW_SESSION_TICKET, body, 0, |_| Err(GuardError::Internal))?;
            }
            (KEY_UPDATE, _) => return Err(GuardError::KeyUpdate),
            _ => return Err(GuardError::UnexpectedMessage),
        }
    }
    Ok(())
}

/// The next message.
fn message<'m>(rest: &mut &'m [u8]) -> Result<(u8, &'m [u8]), GuardError> {
    let parted = |_| GuardError::Parted;
    let [typ] = take(rest).map_err(parted)?;
    let [high, middle, low] = take(rest).map_err(parted)?;
    let length = u32::from_be_bytes([0, high, middle, low]);
    let length = usize::try_from(length).map_err(|_| GuardError::Parted)?;
    let (body, others) = rest.split_at_checked(length).ok_or(GuardError::Parted)?;
    *rest = others;
    Ok((typ, body))
}

/// Whether the parts of a message are together as long as it is, and its extensions may be there.
fn check_body(
    typ: u8,
    mut body: &[u8],
    hash: usize,
    check_answers: impl Fn(&[u8]) -> Result<(), GuardError>,
) -> Result<(), GuardError> {
    let body = &mut body;
    match typ {
        ENCRYPTED_EXTENSIONS => check_answers(part::<2>(body)?)?,
        CERTIFICATE_REQUEST => {
            // A context is for requests after the handshake (RFC 8446, 4.3.2).
            let [] = part::<1>(body)? else {
                return Err(GuardError::Malformed);
            };
            check_of_request(part::<2>(body)?)?;
        }
        CERTIFICATE => {
            // Nobody asked the server for it, so it has no context.
            let [0] = take(body)? else {
                return Err(GuardError::Malformed);
            };
            let mut entries = part::<3>(body)?;
            while !entries.is_empty() {
                part::<3>(&mut entries)?;
                check_of_certificate(part::<2>(&mut entries)?)?;
            }
        }
        CERTIFICATE_VERIFY => {
            if take(body)? == SIGNAL {
                return Err(GuardError::Malformed);
            }
            part::<2>(body)?;
        }
        NEW_SESSION_TICKET => {
            take::<8>(body)?;
            part::<1>(body)?;
            part::<2>(body)?;
            check_of_ticket(part::<2>(body)?)?;
        }
        _ => {
            body.split_off(..hash).ok_or(GuardError::Malformed)?;
        }
    }
    if body.is_empty() {
        Ok(())
    } else {
        Err(GuardError::Malformed)
    }
}

/// Takes a part that begins with its length, in `N` bytes.
fn part<'m, const N: usize>(body: &mut &'m [u8]) -> Result<&'m [u8], GuardError> {
    let length = take::<N>(body)?;
    let length = length
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    body.split_off(..length).ok_or(GuardError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn message(typ: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        [&[typ], &length[1..], body].concat()
    }

    fn extensions() -> Vec<u8> {
        message(ENCRYPTED_EXTENSIONS, &[0, 4, 0, 10, 0, 0])
    }

    fn request() -> Vec<u8> {
        message(CERTIFICATE_REQUEST, &[0, 0, 0])
    }

    fn certificate() -> Vec<u8> {
        message(CERTIFICATE, &[0, 0, 0, 6, 0, 0, 1, 7, 0, 0])
    }

    fn verify() -> Vec<u8> {
        message(CERTIFICATE_VERIFY, &[4, 3, 0, 2, 1, 1])
    }

    fn finished() -> Vec<u8> {
        message(FINISHED, &[5; 32])
    }

    fn check(content: &[u8], stage: Stage) -> Result<(), GuardError> {
        check_flight(content, stage, Offered::default(), &[], 32)
    }

    fn check_with_psk(content: &[u8], stage: Stage) -> Result<(), GuardError> {
        let offered = Offered {
            has_psk: true,
            ..Offered::default()
        };
        check_flight(content, stage, offered, &[], 32)
    }

    #[test]
    fn a_whole_flight_passes_in_one_record_or_in_several() {
        let all = [extensions(), request(), certificate(), verify(), finished()];
        assert_eq!(check(&all.concat(), Stage::Extensions), Ok(()));
        let anonymous = [extensions(), certificate(), verify(), finished()];
        assert_eq!(check(&anonymous.concat(), Stage::Extensions), Ok(()));
        for (part, stage) in all.iter().zip(0..) {
            let stage = Stage::new(stage).expect("a stage");
            assert_eq!(check(part, stage), Ok(()), "{stage:?}");
        }
        assert_eq!(check(&certificate(), Stage::Request), Ok(()));
        let short = [extensions(), finished()].concat();
        assert_eq!(check_with_psk(&short, Stage::Extensions), Ok(()));
    }

    #[test]
    fn every_other_order_is_refused() {
        let known = [
            extensions(),
            request(),
            certificate(),
            verify(),
            finished(),
            message(NEW_SESSION_TICKET, &[0; 13]),
            message(KEY_UPDATE, &[0]),
            message(1, &[]),
            message(2, &[]),
            message(254, &[0; 32]),
            message(99, &[]),
        ];
        for number in 0..=5 {
            let stage = Stage::new(number).expect("a stage");
            for (place, message) in known.iter().enumerate() {
                let is_next = place == usize::from(number) && stage != Stage::Done
                    || (stage, place) == (Stage::Request, 2);
                let wanted = if is_next {
                    Ok(())
                } else {
                    Err(GuardError::UnexpectedMessage)
                };
                assert_eq!(check(message, stage), wanted, "{stage:?} {place}");
            }
        }
        for pair in [
            [extensions(), extensions()],
            [extensions(), finished()],
            [certificate(), certificate()],
            [certificate(), finished()],
            [verify(), certificate()],
            [verify(), verify()],
            [finished(), extensions()],
            [finished(), finished()],
        ] {
            let stages = (0..=5).filter_map(Stage::new);
            for stage in stages {
                let refused = check(&pair.concat(), stage);
                assert_eq!(refused, Err(GuardError::UnexpectedMessage), "{stage:?}");
            }
        }
        let refused = check_with_psk(&certificate(), Stage::Finished);
        assert_eq!(refused, Err(GuardError::UnexpectedMessage));
    }

    #[test]
    fn a_message_that_is_cut_is_parted() {
        let all = [extensions(), certificate(), verify(), finished()].concat();
        let starts: Vec<_> = [0, extensions().len(), certificate().len(), verify().len()]
            .iter()
            .scan(0, |sum, length| {
                *sum += length;
                Some(*sum)
            })
            .collect();
        for length in 1..all.len() {
            let wanted = if starts.contains(&length) {
                Ok(())
            } else {
                Err(GuardError::Parted)
            };
            assert_eq!(check(&all[..length], Stage::Extensions), wanted, "{length}");
        }
        assert_eq!(check(&[], Stage::Extensions), Err(GuardError::Malformed));
    }

    #[test]
    fn a_message_whose_parts_do_not_add_up_is_refused() {
        for (typ, body, stage) in [
            (ENCRYPTED_EXTENSIONS, &[0, 0, 0][..], Stage::Extensions),
            (ENCRYPTED_EXTENSIONS, &[0, 1], Stage::Extensions),
            (ENCRYPTED_EXTENSIONS, &[0], Stage::Extensions),
            (CERTIFICATE_REQUEST, &[1, 0, 0], Stage::Request),
            (CERTIFICATE_REQUEST, &[0, 0, 0, 0], Stage::Request),
            (CERTIFICATE_REQUEST, &[1, 7, 0, 0], Stage::Request),
            (CERTIFICATE, &[1, 0, 0, 0], Stage::Request),
            (CERTIFICATE, &[1, 0, 0, 0, 0], Stage::Request),
            (CERTIFICATE, &[0, 0, 0, 1], Stage::Request),
            (CERTIFICATE, &[0, 0, 0, 0, 0], Stage::Request),
            (CERTIFICATE_VERIFY, &[4, 3, 0, 1], Stage::Verify),
            (CERTIFICATE_VERIFY, &[4, 3, 0, 0, 0], Stage::Verify),
            (CERTIFICATE_VERIFY, &[4], Stage::Verify),
            (CERTIFICATE_VERIFY, &[3, 2, 0, 2, 0, 40], Stage::Verify),
            (CERTIFICATE, &[0, 0, 0, 3, 0, 0, 1], Stage::Request),
            (CERTIFICATE, &[0, 0, 0, 5, 0, 0, 1, 7, 0], Stage::Request),
            (FINISHED, &[0; 31], Stage::Finished),
            (FINISHED, &[0; 33], Stage::Finished),
        ] {
            let refused = check(&message(typ, body), stage);
            assert_eq!(refused, Err(GuardError::Malformed), "{typ} {body:?}");
        }
    }

    #[test]
    fn the_extensions_of_each_message_are_looked_at() {
        for (typ, body, stage, wanted) in [
            (
                ENCRYPTED_EXTENSIONS,
                &[0, 4, 0, 0, 0, 0][..],
                Stage::Extensions,
                GuardError::UnofferedExtension,
            ),
            (
                ENCRYPTED_EXTENSIONS,
                &[0, 4, 0, 51, 0, 0],
                Stage::Extensions,
                GuardError::IllegalExtension,
            ),
            (
                CERTIFICATE_REQUEST,
                &[0, 0, 4, 0, 42, 0, 0],
                Stage::Request,
                GuardError::IllegalExtension,
            ),
            (
                CERTIFICATE,
                &[0, 0, 0, 10, 0, 0, 1, 7, 0, 4, 0, 5, 0, 0],
                Stage::Request,
                GuardError::UnofferedExtension,
            ),
            (
                CERTIFICATE,
                &[0, 0, 0, 16, 0, 0, 1, 7, 0, 0, 0, 0, 1, 7, 0, 4, 0, 0, 0, 0],
                Stage::Request,
                GuardError::IllegalExtension,
            ),
        ] {
            assert_eq!(check(&message(typ, body), stage), Err(wanted), "{body:?}");
        }
        let ticket = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 10, 0, 0];
        let refused = check_later(&message(NEW_SESSION_TICKET, &ticket));
        assert_eq!(refused, Err(GuardError::IllegalExtension));
    }

    #[test]
    fn after_the_handshake_only_tickets_pass() {
        let ticket = message(
            NEW_SESSION_TICKET,
            &[0, 0, 0, 9, 0, 0, 0, 0, 1, 0, 0, 2, 7, 7, 0, 0],
        );
        assert_eq!(check_later(&ticket), Ok(()));
        assert_eq!(check_later(&[&ticket[..], &ticket].concat()), Ok(()));
        for length in 1..ticket.len() {
            assert_eq!(check_later(&ticket[..length]), Err(GuardError::Parted));
        }
        assert_eq!(check_later(&[]), Err(GuardError::Malformed));
        let update = message(KEY_UPDATE, &[0]);
        assert_eq!(check_later(&update), Err(GuardError::KeyUpdate));
        assert_eq!(check_later(&finished()), Err(GuardError::UnexpectedMessage));
        assert_eq!(check_later(&request()), Err(GuardError::UnexpectedMessage));
        let longer = message(NEW_SESSION_TICKET, &[0; 14]);
        assert_eq!(check_later(&longer), Err(GuardError::Malformed));
    }
}
