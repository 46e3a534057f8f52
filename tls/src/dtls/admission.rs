//! Which records of a datagram an engine may see: it would believe plain text that anybody could have written.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::hello::random_of;
use super::record::{
    ContentType, Fragment, Fragments, LONGEST, Malformed, Record, Records, message,
};

/// No end numbers a plaintext message higher than this.
const LAST_MESSAGE: u16 = 8;
/// A ServerHello of DTLS 1.3 has a key share of 97 bytes at most here, or a cookie.
const LONGEST_SERVER_HELLO: u32 = 1024;
/// The most protected bytes of a datagram of 1.2 before the handshake is done, which is one message of a few bytes. By 1.3 it is the longest record.
const LONGEST_PROTECTED: usize = 4096;

/// Whose engine it is, and how far that has got.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) is_server: bool,
    pub(super) is_13: bool,
    pub(super) is_established: bool,
    /// Of a server: the random of the hello that may ask for the answer once more. `None`: not now.
    pub(super) hello: Option<[u8; 32]>,
    /// How many records with data may still come before the end of the handshake.
    pub(super) early: u8,
}

/// What is left of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admission<'d> {
    pub(super) records: Cow<'d, [u8]>,
    /// It asks for the answer to the hello once more.
    pub(super) asks_again: bool,
    /// The bytes of records in plain text.
    pub(super) plain: usize,
    /// How many records with data came before the end of the handshake.
    pub(super) early: u8,
}

/// Leaves the records that an engine may see.
///
/// An alert in plain text ends nothing, and data in plain text is none. Of the messages of a handshake, those are left that a peer sends in plain text
/// at this stage; whether they are the peer's, nobody can tell. Whatever is behind something malformed is left out.
///
/// Until the handshake is done, an engine keeps what it cannot use yet, for whoever has proven an address and nothing else. So few bytes of a datagram may be protected then, and
/// few records may be data.
pub(super) fn admit<'d>(datagram: &'d [u8], stage: &Stage) -> Admission<'d> {
    let mut records = Records::of(datagram);
    // A copy, once something is left out.
    let mut left: Option<Vec<u8>> = None;
    let (mut asks_again, mut plain, mut protected) = (false, 0, Protected::default());
    let mut start = 0;
    while let Some(record) = records.next() {
        let end = datagram.len() - records.left();
        let admit = match record {
            Ok(Record::Full {
                content_type,
                epoch: 0,
                content,
                ..
            }) => match content_type {
                ContentType::Handshake => stage.admits_messages(content, &mut asks_again),
                ContentType::ChangeCipherSpec => !stage.is_13 && !stage.is_established,
                ContentType::Alert | ContentType::ApplicationData | ContentType::Ack => false,
            },
            Ok(Record::Full {
                epoch: 1..,
                content_type,
                ..
            }) => {
                let is_data = content_type == ContentType::ApplicationData;
                // Others the engine would keep for ever, once the handshake is done, and whatever comes behind them.
                let is_used =
                    is_data || content_type == ContentType::Alert || !stage.is_established;
                is_used
                    && !stage.is_13
                    && stage.admits_protected(end - start, is_data, &mut protected)
            }
            Ok(Record::Short(record)) => {
                // The lower bits of the epoch, of which the first for data is 3 (RFC 9147, 6.1).
                let is_data = record.first().is_some_and(|first| first & 3 == 3);
                stage.is_13 && stage.admits_protected(end - start, is_data, &mut protected)
            }
            Err(Malformed) => false,
        };
        if let (true, Ok(Record::Full { epoch: 0, .. })) = (admit, record) {
            plain += end - start;
        }
        match &mut left {
            Some(left) if admit => left.extend(datagram.get(start..end).unwrap_or_default()),
            None if !admit => left = Some(datagram.get(..start).unwrap_or_default().to_vec()),
            _ => {}
        }
        start = end;
    }
    Admission {
        records: left.map_or(Cow::Borrowed(datagram), Cow::Owned),
        asks_again,
        plain,
        early: protected.early,
    }
}

/// What is protected in a datagram that has come before the end of the handshake, as far as it was admitted.
#[derive(Default)]
struct Protected {
    bytes: usize,
    /// How many records of it are data.
    early: u8,
}

impl Stage {
    /// Whether all messages of a record in plain text are of this stage. An answer is asked for once a datagram at most.
    fn admits_messages(&self, content: &[u8], asks_again: &mut bool) -> bool {
        let mut asks = *asks_again;
        let admits = !content.is_empty()
            && Fragments::of(content).all(|fragment| {
                let Ok(fragment) = fragment else { return false };
                if self.is_server && fragment.kind == message::CLIENT_HELLO {
                    let random = random_of(&fragment);
                    let is_own = random.is_some() && random == self.hello;
                    return is_own && !core::mem::replace(&mut asks, true);
                }
                fragment.number <= LAST_MESSAGE
                    && self.expects(fragment.kind)
                    && !self.is_too_long(&fragment)
            });
        if admits {
            *asks_again = asks;
        }
        admits
    }

    /// Whether a record of this length may be kept until it can be understood.
    fn admits_protected(&self, length: usize, is_data: bool, so_far: &mut Protected) -> bool {
        if self.is_established {
            return true;
        }
        let bytes = so_far.bytes + length;
        let longest = match self.is_13 {
            true => LONGEST,
            false => LONGEST_PROTECTED,
        };
        let admits = bytes <= longest && !(is_data && so_far.early >= self.early);
        if admits {
            so_far.bytes = bytes;
            so_far.early += u8::from(is_data);
        }
        admits
    }

    /// A client of 1.3 repeats the cookie of a ServerHello in its own hello, and `dimpl` 0.9 panics where that needs more records than it keeps.
    const fn is_too_long(&self, fragment: &Fragment<'_>) -> bool {
        self.is_13 && !self.is_server && fragment.length > LONGEST_SERVER_HELLO
    }

    /// Whether the peer sends messages of this kind in plain text (RFC 5246, 7.4; RFC 9147, 5.2).
    ///
    /// After the handshake, a server of DTLS 1.2 still takes a ClientKeyExchange, which a client repeats if it missed the server's last flight; nothing else.
    const fn expects(&self, kind: u8) -> bool {
        use message::{
            CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE,
            HELLO_VERIFY_REQUEST, SERVER_HELLO, SERVER_HELLO_DONE, SERVER_KEY_EXCHANGE,
        };
        match (self.is_server, self.is_13) {
            (true, true) => false,
            (true, false) if self.is_established => kind == CLIENT_KEY_EXCHANGE,
            (true, false) => {
                matches!(kind, CERTIFICATE | CERTIFICATE_VERIFY | CLIENT_KEY_EXCHANGE)
            }
            (false, _) if self.is_established => false,
            (false, true) => kind == SERVER_HELLO,
            (false, false) => matches!(
                kind,
                SERVER_HELLO
                    | HELLO_VERIFY_REQUEST
                    | CERTIFICATE
                    | SERVER_KEY_EXCHANGE
                    | CERTIFICATE_REQUEST
                    | SERVER_HELLO_DONE
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    const RANDOM: [u8; 32] = [7; 32];

    /// A record of this type and epoch.
    fn record(content_type: u8, epoch: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 2, 3];
        bytes.extend(u16::try_from(content.len()).expect("short").to_be_bytes());
        bytes.extend(content);
        bytes
    }

    /// The fragment of a message of 100 bytes.
    fn fragment(kind: u8, number: u8, offset: u8, part: &[u8]) -> Vec<u8> {
        let length = u8::try_from(part.len()).expect("short");
        let mut bytes = vec![kind, 0, 0, 100, 0, number, 0, 0, offset, 0, 0, length];
        bytes.extend(part);
        bytes
    }

    fn message(kind: u8) -> Vec<u8> {
        record(22, 0, &fragment(kind, 1, 0, b"part"))
    }

    /// The beginning of a hello with this random.
    fn hello(random: [u8; 32]) -> Vec<u8> {
        fragment(1, 0, 0, &[&[0xfe, 0xfd][..], &random].concat())
    }

    const fn stage(is_server: bool, is_13: bool, is_established: bool) -> Stage {
        Stage {
            is_server,
            is_13,
            is_established,
            early: 2,
            hello: Some(RANDOM),
        }
    }

    fn stages() -> impl Iterator<Item = Stage> {
        let both = [false, true];
        both.into_iter().flat_map(move |is_server| {
            let versions = both.into_iter();
            versions.flat_map(move |is_13| both.map(|is| stage(is_server, is_13, is)))
        })
    }

    /// Whether this is left, and nothing else is in its place.
    fn is_left(datagram: &[u8], stage: &Stage) -> bool {
        let left = admit(datagram, stage).records;
        assert!(left.is_empty() || *left == *datagram, "{left:?}");
        !left.is_empty()
    }

    #[test]
    fn an_engine_sees_the_messages_of_its_stage_and_no_others() {
        let expected: [&[u8]; 8] = [
            &[2, 3, 11, 12, 13, 14],
            &[],
            &[2],
            &[],
            &[11, 15, 16],
            &[16],
            &[],
            &[],
        ];
        for (stage, expected) in stages().zip(expected) {
            let left: Vec<u8> = (0..=255)
                .filter(|kind| is_left(&message(*kind), &stage))
                .collect();
            assert_eq!(left, expected, "{stage:?}");
        }
    }

    #[test]
    fn other_plain_text_is_left_out_wherever_it_is() {
        for stage in stages() {
            let short = vec![0x2f, 1, 2, 0, 3, 7, 7, 7];
            let good = match stage.is_13 {
                true => short.clone(),
                false => record(23, 1, b"protected"),
            };
            for kind in [21, 23, 26] {
                let forged = record(kind, 0, b"12");
                // Before what is protected, behind it, and in between.
                let datagram = [&forged[..], &good, &forged, &good, &forged].concat();
                assert_eq!(
                    *admit(&datagram, &stage).records,
                    [&good[..], &good].concat(),
                    "{kind}: {stage:?}"
                );
            }
            let change = is_left(&record(20, 0, &[1]), &stage);
            assert_eq!(change, !stage.is_13 && !stage.is_established);
            // The records of the other version.
            let other = match stage.is_13 {
                false => short,
                true => record(23, 1, b"protected"),
            };
            assert!(!is_left(&other, &stage));
            assert!(!is_left(b"xyz", &stage));
            assert!(!is_left(b"", &stage));
        }
        let stage = stage(true, false, false);
        let kept = [
            message(16),
            record(20, 0, &[1]),
            record(22, 1, b"protected"),
        ]
        .concat();
        assert!(matches!(admit(&kept, &stage).records, Cow::Borrowed(all) if all == kept));
        let cut = [&kept[..], b"xyz"].concat();
        assert_eq!(*admit(&cut, &stage).records, *kept);
    }

    #[test]
    fn little_is_protected_and_few_records_are_data_until_the_handshake_is_done() {
        for is_13 in [false, true] {
            let protected = |is_data: bool, length: usize| match is_13 {
                false => record(if is_data { 23 } else { 22 }, 1, &vec![7; length - 13]),
                true => {
                    let mut record = vec![if is_data { 0x2f } else { 0x2e }, 0, 0];
                    record.extend(u16::try_from(length - 5).expect("short").to_be_bytes());
                    record.resize(length, 7);
                    record
                }
            };
            for is_server in [false, true] {
                let before = stage(is_server, is_13, false);
                let three = [true; 3].map(|is_data| protected(is_data, 100)).concat();
                let admitted = admit(&three, &before);
                assert_eq!((admitted.records.len(), admitted.early), (200, 2));
                let messages = [false; 50].map(|is_data| protected(is_data, 100)).concat();
                let admitted = admit(&messages, &before);
                let longest = if is_13 { LONGEST } else { LONGEST_PROTECTED };
                let fit = (longest / 100).min(50) * 100;
                assert_eq!((admitted.records.len(), admitted.early), (fit, 0));
                assert!(is_left(&protected(false, longest), &before));
                let two = [protected(false, longest - 99), protected(false, 100)].concat();
                assert_eq!(admit(&two, &before).records.len(), longest - 99);
                let after = stage(is_server, is_13, true);
                assert!(is_left(&three, &after));
                assert!(is_left(&protected(true, longest), &after));
            }
        }
    }

    /// The engine has no use for others, and keeps them.
    #[test]
    fn after_a_handshake_by_1_2_what_is_protected_is_data_or_an_alert() {
        for is_server in [false, true] {
            for (is_established, expected) in
                [(false, &[20, 21, 22, 23, 26][..]), (true, &[21, 23][..])]
            {
                let stage = stage(is_server, false, is_established);
                let left = (0..=255).filter(|kind| is_left(&record(*kind, 1, b"1"), &stage));
                assert!(left.eq(expected.iter().copied()), "{stage:?}");
            }
        }
    }

    #[test]
    fn a_message_whose_number_is_too_high_or_that_is_damaged_is_left_out() {
        let stage = stage(true, false, false);
        let numbered = |number| record(22, 0, &fragment(16, number, 0, b"part"));
        assert!(is_left(&numbered(8), &stage));
        assert!(!is_left(&numbered(9), &stage));
        assert!(!is_left(&record(22, 0, b""), &stage));
        assert!(!is_left(
            &record(22, 0, &fragment(16, 1, 97, b"part")),
            &stage
        ));
        let whole = fragment(16, 1, 96, b"part");
        assert!(is_left(&record(22, 0, &whole), &stage));
        for length in 0..whole.len() {
            assert!(!is_left(&record(22, 0, &whole[..length]), &stage));
        }
        // Behind a good one.
        let behind = [whole, fragment(14, 1, 0, b"part")].concat();
        assert!(!is_left(&record(22, 0, &behind), &stage));
    }

    #[test]
    fn a_server_is_asked_again_by_its_own_clients_hello_once_a_datagram() {
        let own = hello(RANDOM);
        for is_13 in [false, true] {
            for is_established in [false, true] {
                let stage = stage(true, is_13, is_established);
                let datagram = record(22, 0, &own);
                let twice = [datagram.clone(), datagram.clone()].concat();
                let admission = admit(&twice, &stage);
                assert_eq!(
                    (&*admission.records, admission.asks_again),
                    (&datagram[..], true)
                );
                assert!(!is_left(
                    &record(22, 0, &[own.clone(), own.clone()].concat()),
                    &stage
                ));
                let later = fragment(1, 0, 34, &[7; 34]);
                for other in [hello([8; 32]), fragment(1, 0, 0, b"part"), later] {
                    assert!(!is_left(&record(22, 0, &other), &stage));
                }
                let not_now = Stage {
                    hello: None,
                    ..stage
                };
                assert!(!is_left(&datagram, &not_now));
            }
        }
        assert!(!is_left(&record(22, 0, &own), &stage(false, false, false)));
    }
}
