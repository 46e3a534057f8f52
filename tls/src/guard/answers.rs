//! Which extensions a server may send when it is past its hello, and what they may say (RFC 8446, 4.2).

use super::hello::take;
use super::reason::GuardError;

const SERVER_NAME: u16 = 0;
const MAX_FRAGMENT_LENGTH: u16 = 1;
const SUPPORTED_GROUPS: u16 = 10;
const ALPN: u16 = 16;

/// Those that are known. All have numbers below 64.
const KNOWN: u64 = set(&[
    0, 1, 5, 10, 13, 14, 15, 16, 18, 19, 20, 21, 27, 41, 42, 43, 44, 45, 47, 48, 49, 50, 51,
]);

const ENCRYPTED_EXTENSIONS: Place = Place {
    may: set(&[0, 1, 10, 14, 15, 16, 19, 20, 42]),
    is_answer: true,
};

const CERTIFICATE: Place = Place {
    may: set(&[5, 18]),
    is_answer: true,
};

const CERTIFICATE_REQUEST: Place = Place {
    may: set(&[5, 13, 18, 27, 47, 48, 50]),
    is_answer: false,
};

const NEW_SESSION_TICKET: Place = Place {
    may: set(&[42]),
    is_answer: false,
};

/// A message that has extensions.
struct Place {
    /// Which of those that are known it may have.
    may: u64,
    /// Whether each is the answer to one of the client's. Otherwise unknown ones mean nothing.
    is_answer: bool,
}

/// What the client has offered, as far as it had a choice and the server may answer under its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offered {
    /// There are no certificates: both sides are to know a key.
    pub(super) has_psk: bool,
    /// The server was asked for by name.
    pub(super) has_name: bool,
    /// How much data a record may have, by its number (RFC 6066, 4). 0: that is left open.
    pub(super) max_fragment: u8,
}

/// Whether these extensions answer the client's. `protocols` are those that it has offered, each behind its length.
pub(super) fn check_answers(
    list: &[u8],
    offered: Offered,
    protocols: &[u8],
) -> Result<(), GuardError> {
    let mut asked = set(&[SUPPORTED_GROUPS]);
    for (typ, is_asked) in [
        (SERVER_NAME, offered.has_name),
        (MAX_FRAGMENT_LENGTH, offered.max_fragment != 0),
        (ALPN, !protocols.is_empty()),
    ] {
        asked |= if is_asked { set(&[typ]) } else { 0 };
    }
    check(list, &ENCRYPTED_EXTENSIONS, asked, |typ, data| {
        match (typ, data) {
            (SERVER_NAME, []) => Ok(()),
            (MAX_FRAGMENT_LENGTH, &[chosen]) if chosen == offered.max_fragment => Ok(()),
            (MAX_FRAGMENT_LENGTH, [_]) => Err(GuardError::IllegalHello),
            (ALPN, data) => check_protocol(data, protocols),
            // It says what the server would have liked, and `embedded-tls` reads it.
            (SUPPORTED_GROUPS, _) => Ok(()),
            _ => Err(GuardError::Malformed),
        }
    })
}

/// Whether the extensions of a certificate may be there: nobody has asked for any.
pub(super) fn check_of_certificate(list: &[u8]) -> Result<(), GuardError> {
    check(list, &CERTIFICATE, 0, |_, _| Ok(()))
}

/// Whether those of a request for a certificate may.
pub(super) fn check_of_request(list: &[u8]) -> Result<(), GuardError> {
    check(list, &CERTIFICATE_REQUEST, 0, |_, _| Ok(()))
}

/// Whether those of a ticket may.
pub(super) fn check_of_ticket(list: &[u8]) -> Result<(), GuardError> {
    check(list, &NEW_SESSION_TICKET, 0, |_, _| Ok(()))
}

fn check(
    mut list: &[u8],
    place: &Place,
    asked: u64,
    judge: impl Fn(u16, &[u8]) -> Result<(), GuardError>,
) -> Result<(), GuardError> {
    let mut seen = 0;
    while !list.is_empty() {
        let typ = u16::from_be_bytes(take(&mut list)?);
        let length = usize::from(u16::from_be_bytes(take(&mut list)?));
        let data = list.split_off(..length).ok_or(GuardError::Malformed)?;
        let this = set(&[typ]) & KNOWN;
        if this == 0 && !place.is_answer {
            continue;
        }
        if seen & this != 0 || this != 0 && place.may & this == 0 {
            return Err(GuardError::IllegalExtension);
        }
        if place.is_answer && asked & this == 0 {
            return Err(GuardError::UnofferedExtension);
        }
        seen |= this;
        judge(typ, data)?;
    }
    Ok(())
}

/// Whether one protocol was chosen, of those that were offered.
fn check_protocol(mut data: &[u8], protocols: &[u8]) -> Result<(), GuardError> {
    let length = usize::from(u16::from_be_bytes(take(&mut data)?));
    let chosen = data;
    let [name] = take(&mut data)?;
    if length != chosen.len() || usize::from(name) != data.len() || data.is_empty() {
        return Err(GuardError::Malformed);
    }
    let mut rest = protocols;
    while let Some(&length) = rest.first() {
        let Some(protocol) = rest.split_off(..=usize::from(length)) else {
            break;
        };
        if protocol == chosen {
            return Ok(());
        }
    }
    Err(GuardError::IllegalHello)
}

/// Those of these numbers that are below 64.
const fn set(mut types: &[u16]) -> u64 {
    let mut set = 0;
    while let [typ, rest @ ..] = types {
        if *typ < 64 {
            set |= 1 << *typ;
        }
        types = rest;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const PROTOCOLS: &[u8] = b"\x04mqtt\x02h2";
    const OFFERED: Offered = Offered {
        has_psk: false,
        has_name: true,
        max_fragment: 2,
    };

    fn extension(typ: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).expect("short");
        [&typ.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
    }

    fn groups() -> Vec<u8> {
        extension(SUPPORTED_GROUPS, &[0, 2, 0, 23])
    }

    fn protocol(name: &[u8]) -> Vec<u8> {
        let length = u8::try_from(name.len()).expect("short");
        extension(ALPN, &[&[0, length + 1, length], name].concat())
    }

    #[test]
    fn what_was_offered_may_be_answered_in_any_order() {
        let name = extension(SERVER_NAME, &[]);
        let fragment = extension(MAX_FRAGMENT_LENGTH, &[2]);
        for list in [
            &[][..],
            &[groups()],
            &[name.clone(), fragment.clone(), groups(), protocol(b"h2")],
            &[protocol(b"mqtt"), fragment, name],
        ] {
            let checked = check_answers(&list.concat(), OFFERED, PROTOCOLS);
            assert_eq!(checked, Ok(()), "{list:?}");
        }
    }

    #[test]
    fn what_was_not_offered_is_no_answer() {
        let nothing = Offered::default();
        for extension in [
            extension(SERVER_NAME, &[]),
            extension(MAX_FRAGMENT_LENGTH, &[2]),
            protocol(b"mqtt"),
        ] {
            let checked = check_answers(&extension, nothing, &[]);
            assert_eq!(
                checked,
                Err(GuardError::UnofferedExtension),
                "{extension:?}"
            );
        }
        // Among them early data, a longer list of keys, a limit for records, and nothing that anybody knows.
        for typ in [14, 15, 19, 20, 42, 28, 57, 63, 64, 0x0a0a, 0xff01, 0xffff] {
            let checked = check_answers(&extension(typ, &[]), OFFERED, PROTOCOLS);
            assert_eq!(checked, Err(GuardError::UnofferedExtension), "{typ}");
        }
    }

    #[test]
    fn a_choice_must_be_one_of_those_offered() {
        for fragment in [0, 1, 3, 4, 5] {
            let checked = check_answers(&extension(1, &[fragment]), OFFERED, PROTOCOLS);
            assert_eq!(checked, Err(GuardError::IllegalHello), "{fragment}");
        }
        for name in [&b"h3"[..], b"mqt", b"mqtt1", b"h", b"MQTT"] {
            let checked = check_answers(&protocol(name), OFFERED, PROTOCOLS);
            assert_eq!(checked, Err(GuardError::IllegalHello), "{name:?}");
        }
    }

    #[test]
    fn an_extension_comes_once_and_in_its_message() {
        for twice in [groups(), extension(SERVER_NAME, &[]), protocol(b"h2")] {
            let list = [&twice[..], &groups()[..], &twice].concat();
            let checked = check_answers(&list, OFFERED, PROTOCOLS);
            assert_eq!(checked, Err(GuardError::IllegalExtension), "{twice:?}");
        }
        for (known, check) in [
            (
                &[0, 1, 10, 14, 15, 16, 19, 20, 42][..],
                (|list| check_answers(list, OFFERED, PROTOCOLS)) as fn(&[u8]) -> _,
            ),
            (&[5, 18], check_of_certificate),
            (&[5, 13, 18, 27, 47, 48, 50], check_of_request),
            (&[42], check_of_ticket),
        ] {
            for typ in (0..64).filter(|typ| KNOWN & set(&[*typ]) != 0) {
                let checked = check(&extension(typ, &[]));
                let is_illegal = checked == Err(GuardError::IllegalExtension);
                assert_eq!(is_illegal, !known.contains(&typ), "{known:?}: {typ}");
            }
        }
        let twice = [extension(13, &[]), extension(13, &[])].concat();
        assert_eq!(check_of_request(&twice), Err(GuardError::IllegalExtension));
        assert_eq!(check_of_request(&extension(13, &[])), Ok(()));
    }

    #[test]
    fn unknown_ones_count_only_where_they_would_be_answers() {
        let unknown = [extension(0x1a1a, &[1]), extension(63, &[])].concat();
        assert_eq!(check_of_request(&unknown), Ok(()));
        assert_eq!(check_of_ticket(&unknown), Ok(()));
        for refused in [
            check_of_certificate(&unknown),
            check_of_certificate(&extension(5, &[])),
            check_of_certificate(&extension(18, &[])),
        ] {
            assert_eq!(refused, Err(GuardError::UnofferedExtension));
        }
    }

    #[test]
    fn extensions_that_are_cut_or_not_made_as_they_should_be_are_refused() {
        let whole = [extension(1, &[2]), protocol(b"mqtt")].concat();
        for length in (1..whole.len()).filter(|length| *length != 5) {
            let checked = check_answers(&whole[..length], OFFERED, PROTOCOLS);
            assert_eq!(checked, Err(GuardError::Malformed), "{length}");
        }
        for (typ, data) in [
            (SERVER_NAME, &[0][..]),
            (MAX_FRAGMENT_LENGTH, &[]),
            (MAX_FRAGMENT_LENGTH, &[2, 2]),
            (ALPN, &[]),
            (ALPN, &[0, 0]),
            (ALPN, &[0, 1, 0]),
            (ALPN, &[0, 3, 3, b'h', b'2']),
            (ALPN, &[0, 4, 2, b'h', b'2']),
            (ALPN, &[0, 8, 2, b'h', b'2', 4, b'm', b'q', b't', b't']),
        ] {
            let checked = check_answers(&extension(typ, data), OFFERED, PROTOCOLS);
            assert_eq!(checked, Err(GuardError::Malformed), "{typ} {data:?}");
        }
    }
}
