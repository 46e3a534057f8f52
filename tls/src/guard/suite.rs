//! The ciphers, with a second look at everything that they open and seal.
//!
//! `embedded-tls` asks a cipher to open each record in its own buffer, and looks at what is inside only then. So here, where the
//! record is known to be the peer's, its inside is judged. What cannot be shown to `embedded-tls` is told to the engine in
//! words that `embedded-tls` hands on: during the handshake as a signature that no server can send, after it as data.
//!
//! The other way round, the engine says what a record is for in the version that the header of a record has for history's sake, and puts
//! the protocols that were offered behind the record in which they are answered. What it wants to tell the peer is data of a form
//! that it never has otherwise.

use aead::generic_array::typenum::Unsigned as _;
use aead::{AeadCore, AeadInPlace, Buffer, Error, Key, KeyInit, KeySizeUser, Nonce, Tag};
use embedded_tls::TlsCipherSuite;

use super::answers::Offered;
use super::flight::{Stage, check_flight};
use super::gate::{ALERT, DATA, HANDSHAKE, HEADER};
use super::reason::GuardError;
use super::signal::signal;

/// In the place of the major version of a record that is to be opened.
const MARK: u8 = 0x54;

/// Together with the stage of a handshake: there are no certificates.
const WITH_PSK: u8 = 0x80;

/// Also: the server was asked for by name.
const WITH_NAME: u8 = 0x40;

/// Where the number of a length of records is in it, and where the stage.
const FRAGMENT_SHIFT: u8 = 3;
const THREE_BITS: u8 = 0b111;

/// Instead of all that: the handshake is done.
const TRAFFIC: u8 = 0x7f;

/// What is sealed as data of no length, which nobody else sends: the end.
const END: [u8; 3] = [1, 0, ALERT];

/// The level of an alert that ends a session.
const FATAL: u8 = 2;

/// The suites that a [`GuardedEngine`](crate::GuardedEngine) can use: [`GuardAes128`] and [`GuardAes256`]. Sealed.
pub trait GuardSuite: Suite {}

impl<C: Suite> GuardSuite for C {}

/// The inside of [`GuardSuite`].
#[expect(unnameable_types, reason = "the suites are sealed")]
pub trait Suite: TlsCipherSuite + 'static {
    /// Its name in the registry, as rustls writes it.
    const NAME: &'static str;
}

/// What a record is, for the cipher that opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Handshake { stage: Stage, offered: Offered },
    Traffic,
}

impl Purpose {
    /// What to show instead of the version of the record.
    pub(super) const fn mark(self) -> [u8; 2] {
        match self {
            Self::Handshake { stage, offered } => {
                let psk = if offered.has_psk { WITH_PSK } else { 0 };
                let name = if offered.has_name { WITH_NAME } else { 0 };
                let fragment = offered.max_fragment << FRAGMENT_SHIFT;
                [MARK, stage as u8 | fragment | name | psk]
            }
            Self::Traffic => [MARK, TRAFFIC],
        }
    }

    const fn read(mark: u8, note: u8) -> Option<Self> {
        if mark != MARK {
            return None;
        }
        if note == TRAFFIC {
            return Some(Self::Traffic);
        }
        match Stage::new(note & THREE_BITS) {
            Some(stage) => Some(Self::Handshake {
                stage,
                offered: Offered {
                    has_psk: note & WITH_PSK != 0,
                    has_name: note & WITH_NAME != 0,
                    max_fragment: note >> FRAGMENT_SHIFT & THREE_BITS,
                },
            }),
            None => None,
        }
    }

    /// Whether the protocols that were offered are behind the record.
    pub(super) const fn has_protocols(self) -> bool {
        matches!(
            self,
            Self::Handshake {
                stage: Stage::Extensions,
                ..
            }
        )
    }
}

/// What is sealed as an alert when it is given as data.
pub(super) const fn alert_as_data(description: u8) -> [u8; 3] {
    [ALERT, FATAL, description]
}

/// Whether that would be sealed as an alert if it were data.
pub(super) const fn is_alert(data: &[u8]) -> bool {
    matches!(data, [ALERT, FATAL, _])
}

/// A record and the protocols behind it, each behind its length; how long they are together is behind them.
fn split_protocols(shown: &mut [u8]) -> Option<(&mut [u8], &[u8])> {
    let (shown, length) = shown.split_last_chunk_mut()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let record = shown.len().checked_sub(length)?;
    let (record, protocols) = shown.split_at_mut_checked(record)?;
    Some((record, protocols))
}

/// `A`, in a suite whose hash is `HASH` bytes long.
#[derive(Debug)]
#[expect(unnameable_types, reason = "the suites are sealed")]
pub struct Guarded<A, const HASH: usize>(A);

impl<A: AeadInPlace, const HASH: usize> Guarded<A, HASH> {
    fn header(length: usize) -> Result<[u8; HEADER], Error> {
        let length = u16::try_from(length).map_err(|_| Error)?;
        let [high, low] = length.to_be_bytes();
        Ok([DATA, 3, 3, high, low])
    }
}

impl<A: KeySizeUser, const HASH: usize> KeySizeUser for Guarded<A, HASH> {
    type KeySize = A::KeySize;
}

impl<A: KeyInit, const HASH: usize> KeyInit for Guarded<A, HASH> {
    fn new(key: &Key<Self>) -> Self {
        Self(A::new(key))
    }
}

impl<A: AeadCore, const HASH: usize> AeadCore for Guarded<A, HASH> {
    type NonceSize = A::NonceSize;
    type TagSize = A::TagSize;
    type CiphertextOverhead = A::CiphertextOverhead;
}

impl<A: AeadInPlace, const HASH: usize> AeadInPlace for Guarded<A, HASH> {
    fn encrypt_in_place(
        &self,
        nonce: &Nonce<Self>,
        _associated_data: &[u8],
        buffer: &mut dyn Buffer,
    ) -> Result<(), Error> {
        let instead = match *buffer.as_ref() {
            [DATA] => Some(END),
            [ALERT, FATAL, description, DATA] => Some([FATAL, description, ALERT]),
            _ => None,
        };
        if let Some(inside) = instead {
            buffer.truncate(0);
            buffer.extend_from_slice(&inside)?;
        }
        let header = Self::header(buffer.len() + A::TagSize::USIZE)?;
        self.0.encrypt_in_place(nonce, &header, buffer)
    }

    fn encrypt_in_place_detached(
        &self,
        _nonce: &Nonce<Self>,
        _associated_data: &[u8],
        _buffer: &mut [u8],
    ) -> Result<Tag<Self>, Error> {
        Err(Error)
    }

    fn decrypt_in_place(
        &self,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        buffer: &mut dyn Buffer,
    ) -> Result<(), Error> {
        let &[_, mark, note, ..] = associated_data else {
            return Err(Error);
        };
        let purpose = Purpose::read(mark, note).ok_or(Error)?;
        let shown = buffer.as_mut();
        let (record, protocols): (_, &[u8]) = if purpose.has_protocols() {
            split_protocols(shown).ok_or(Error)?
        } else {
            (shown, &[])
        };
        let header = Self::header(record.len())?;
        let length = record.len().checked_sub(A::TagSize::USIZE).ok_or(Error)?;
        let (inside, tag) = record.split_at_mut_checked(length).ok_or(Error)?;
        let tag = Tag::<Self>::from_slice(tag);
        self.0
            .decrypt_in_place_detached(nonce, &header, inside, tag)?;
        let padded = inside.iter().rposition(|byte| *byte != 0);
        let length = padded.map_or(0, |last| last + 1);
        let inside = inside.get(..length).ok_or(Error)?;
        let found = match purpose {
            Purpose::Handshake { stage, offered } => {
                check_inside(inside, stage, offered, protocols, HASH)
            }
            Purpose::Traffic => Ok(()),
        };
        buffer.truncate(length);
        match (purpose, found) {
            (Purpose::Traffic, _) if length == 0 => buffer.extend_from_slice(&[0, DATA]),
            // The type stays behind the data, for the engine.
            (Purpose::Traffic, _) => buffer.extend_from_slice(&[DATA]),
            (Purpose::Handshake { .. }, Ok(())) => Ok(()),
            (Purpose::Handshake { .. }, Err(error)) => signal(error, buffer),
        }
    }

    fn decrypt_in_place_detached(
        &self,
        _nonce: &Nonce<Self>,
        _associated_data: &[u8],
        _buffer: &mut [u8],
        _tag: &Tag<Self>,
    ) -> Result<(), Error> {
        Err(Error)
    }
}

/// Whether that may be in a protected record of the handshake.
fn check_inside(
    inside: &[u8],
    stage: Stage,
    offered: Offered,
    protocols: &[u8],
    hash: usize,
) -> Result<(), GuardError> {
    match inside {
        [content @ .., HANDSHAKE] => check_flight(content, stage, offered, protocols, hash),
        [_, description, ALERT] => Err(GuardError::Refused(*description)),
        [.., ALERT] | [] => Err(GuardError::Malformed),
        _ => Err(GuardError::UnexpectedRecord),
    }
}

macro_rules! suites {
    ($($(#[$doc:meta])* $name:ident = $inner:ident, $hash:literal, $known:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub struct $name;

        impl TlsCipherSuite for $name {
            const CODE_POINT: u16 = embedded_tls::$inner::CODE_POINT;
            type Cipher = Guarded<<embedded_tls::$inner as TlsCipherSuite>::Cipher, $hash>;
            type KeyLen = <embedded_tls::$inner as TlsCipherSuite>::KeyLen;
            type IvLen = <embedded_tls::$inner as TlsCipherSuite>::IvLen;
            type Hash = <embedded_tls::$inner as TlsCipherSuite>::Hash;
            type LabelBufferSize = <embedded_tls::$inner as TlsCipherSuite>::LabelBufferSize;
        }

        impl Suite for $name {
            const NAME: &'static str = $known;
        }
    )*};
}

suites! {
    /// AES-128-GCM with SHA-256: small, and what every server of TLS 1.3 knows.
    GuardAes128 = Aes128GcmSha256, 32, "TLS13_AES_128_GCM_SHA256";
    /// AES-256-GCM with SHA-384.
    GuardAes256 = Aes256GcmSha384, 48, "TLS13_AES_256_GCM_SHA384";
}

#[cfg(test)]
mod tests {
    use embedded_tls::SignatureScheme;

    use super::super::signal::read_signal;
    use super::*;
    use alloc::vec::Vec;

    type Cipher = <GuardAes128 as TlsCipherSuite>::Cipher;
    type Plain = <embedded_tls::Aes128GcmSha256 as TlsCipherSuite>::Cipher;

    /// A buffer of a record, as `embedded-tls` has them.
    struct Record(Vec<u8>, usize);

    impl AsRef<[u8]> for Record {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl AsMut<[u8]> for Record {
        fn as_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }

    impl Buffer for Record {
        fn extend_from_slice(&mut self, other: &[u8]) -> Result<(), Error> {
            if self.0.len() + other.len() > self.1 {
                return Err(Error);
            }
            self.0.extend_from_slice(other);
            Ok(())
        }

        fn truncate(&mut self, length: usize) {
            self.0.truncate(length);
        }
    }

    const PROTOCOLS: &[u8] = b"\x04mqtt\x02h2\0\x08";

    fn open(inside: &[u8], purpose: Purpose) -> Result<Vec<u8>, Error> {
        let (key, nonce) = (Default::default(), Default::default());
        let header = Cipher::header(inside.len() + 16)?;
        let mut record = Record(inside.to_vec(), inside.len() + 16);
        let sealed = Plain::new(&key).encrypt_in_place(&nonce, &header, &mut record);
        sealed.expect("it fits");
        if purpose.has_protocols() {
            record.0.extend_from_slice(PROTOCOLS);
            record.1 = record.0.len();
        }
        let [mark, note] = purpose.mark();
        let shown = [DATA, mark, note, header[3], header[4]];
        Cipher::new(&key).decrypt_in_place(&nonce, &shown, &mut record)?;
        Ok(record.0)
    }

    fn seal(inside: &[u8]) -> Vec<u8> {
        let (key, nonce) = (Default::default(), Default::default());
        let mut record = Record(inside.to_vec(), 1000);
        let sealed = Cipher::new(&key).encrypt_in_place(&nonce, &[], &mut record);
        sealed.expect("there is room");
        let header = Cipher::header(record.0.len()).expect("short");
        let opened = Plain::new(&key).decrypt_in_place(&nonce, &header, &mut record);
        opened.expect("sealed with its header");
        record.0
    }

    #[test]
    fn in_traffic_every_inside_comes_as_data_with_its_type() {
        for (inside, shown) in [
            (&b"data\x17"[..], &b"data\x17\x17"[..]),
            (b"data\x17\0\0\0", b"data\x17\x17"),
            (b"zeros\0\0\x17\0", b"zeros\0\0\x17\x17"),
            (b"\x17", b"\x17\x17"),
            (b"\x01\0\x15", b"\x01\0\x15\x17"),
            (b"\0\0\0\0", b"\0\x17"),
            (b"\0", b"\0\x17"),
            (b"?\x63", b"?\x63\x17"),
        ] {
            assert_eq!(open(inside, Purpose::Traffic).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn in_the_handshake_what_may_come_is_left_alone_and_the_rest_is_told() {
        let purpose = Purpose::Handshake {
            stage: Stage::Extensions,
            offered: Offered::default(),
        };
        let extensions = [8, 0, 0, 2, 0, 0, HANDSHAKE];
        assert_eq!(open(&extensions, purpose).as_deref(), Ok(&extensions[..]));
        let padded = [&extensions[..], &[0; 9]].concat();
        assert_eq!(open(&padded, purpose).as_deref(), Ok(&extensions[..]));
        for (inside, error) in [
            (&[2, 48, ALERT][..], GuardError::Refused(48)),
            (&[2, ALERT], GuardError::Malformed),
            (&[0, 0, 0], GuardError::Malformed),
            (&[HANDSHAKE], GuardError::Malformed),
            (&[8, 0, 0, 3, 0, 0, HANDSHAKE], GuardError::Parted),
            (&[20, 0, 0, 0, HANDSHAKE], GuardError::UnexpectedMessage),
            (&[1, 2, 3, DATA], GuardError::UnexpectedRecord),
            (&[1, 20], GuardError::UnexpectedRecord),
            (
                &[8, 0, 0, 6, 0, 4, 0, 0, 0, 0, HANDSHAKE],
                GuardError::UnofferedExtension,
            ),
            (
                &[8, 0, 0, 6, 0, 4, 0, 43, 0, 0, HANDSHAKE],
                GuardError::IllegalExtension,
            ),
            (
                b"\x08\0\0\x0b\0\x09\0\x10\0\x05\0\x03\x02h3\x16",
                GuardError::IllegalHello,
            ),
        ] {
            let shown = open(inside, purpose).expect("it is the peer's");
            let [15, 0, 0, 6, 3, 2, 0, 2, code, value, HANDSHAKE] = shown[..] else {
                panic!("not a signal: {shown:?}")
            };
            let told = read_signal(SignatureScheme::Sha224Dsa, &[code, value]);
            assert_eq!(told, Some(error));
        }
    }

    #[test]
    fn a_purpose_is_read_as_it_was_marked() {
        assert_eq!(read(Purpose::Traffic), Some(Purpose::Traffic));
        for stage in (0..=5).filter_map(Stage::new) {
            for max_fragment in 0..=4 {
                for flags in 0..4 {
                    let offered = Offered {
                        has_psk: flags & 1 != 0,
                        has_name: flags & 2 != 0,
                        max_fragment,
                    };
                    let purpose = Purpose::Handshake { stage, offered };
                    assert_eq!(read(purpose), Some(purpose));
                }
            }
        }
    }

    fn read(purpose: Purpose) -> Option<Purpose> {
        let [mark, note] = purpose.mark();
        Purpose::read(mark, note)
    }

    #[test]
    fn the_protocols_behind_a_record_are_what_its_answer_is_checked_against() {
        let offered = Offered::default();
        let stage = Stage::Extensions;
        let purpose = Purpose::Handshake { stage, offered };
        for chosen in [&b"\x04mqtt"[..], b"\x02h2"] {
            let length = u8::try_from(chosen.len()).expect("short");
            let inside = [
                &[8, 0, 0, length + 8, 0, length + 6, 0, 16, 0, length + 2][..],
                &[0, length],
                chosen,
                &[HANDSHAKE],
            ]
            .concat();
            assert_eq!(open(&inside, purpose), Ok(inside));
        }
    }

    #[test]
    fn whatever_is_inside_something_well_formed_is_shown() {
        let mut state = 1_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        let likely = [0, 2, 3, 4, 8, 11, 13, 15, 20, ALERT, HANDSHAKE, DATA];
        let right: [&[u8]; 4] = [
            &[8, 0, 0, 2, 0, 0, HANDSHAKE],
            &[13, 0, 0, 3, 0, 0, 0, HANDSHAKE],
            &[11, 0, 0, 4, 0, 0, 0, 0, HANDSHAKE],
            &[15, 0, 0, 4, 4, 3, 0, 0, HANDSHAKE, 0, 0],
        ];
        let mut passed = 0;
        for _ in 0..20_000 {
            let mut inside = right[usize::from(random()) % right.len()].to_vec();
            for _ in 0..random() % 3 {
                let place = usize::from(random()) % inside.len();
                inside[place] = likely[usize::from(random()) % likely.len()];
            }
            if random() < 32 {
                inside.truncate(1 + usize::from(random()) % inside.len());
            }
            let shown = open(&inside, Purpose::Traffic).expect("it is the peer's");
            assert!(shown.len() > 1 && shown.ends_with(&[DATA]), "{inside:?}");
            let stage = Stage::new(random() % 6).expect("a stage");
            let offered = Offered {
                has_psk: random() % 2 == 0,
                ..Offered::default()
            };
            let purpose = Purpose::Handshake { stage, offered };
            let shown = open(&inside, purpose).expect("it is the peer's");
            let is_signal = shown.starts_with(&[15, 0, 0, 6, 3, 2]) && shown.len() == 11;
            if !is_signal {
                let (typ, messages) = shown.split_last().expect("not empty");
                assert_eq!(*typ, HANDSHAKE, "{inside:?}");
                let checked = check_flight(messages, stage, offered, &[], 32);
                assert_eq!(checked, Ok(()), "{inside:?}");
                passed += 1;
            }
        }
        assert!(passed > 1000, "few were left as they were: {passed}");
    }

    #[test]
    fn without_a_purpose_nothing_is_opened() {
        for shown in [
            &[DATA, 3, 3, 0, 18][..],
            &[DATA, MARK, 6, 0, 18],
            &[DATA, MARK, 7, 0, 18],
            // No protocols behind it, or more than there is room for.
            &[DATA, MARK, 0, 0, 18],
            &[DATA, MARK],
            &[],
        ] {
            let (key, nonce) = (Default::default(), Default::default());
            let mut record = Record(vec_of(18), 18);
            let header = Cipher::header(18).expect("short");
            record.0.truncate(2);
            let sealed = Plain::new(&key).encrypt_in_place(&nonce, &header, &mut record);
            sealed.expect("it fits");
            let opened = Cipher::new(&key).decrypt_in_place(&nonce, shown, &mut record);
            assert_eq!(opened, Err(Error), "{shown:?}");
        }
    }

    fn vec_of(length: usize) -> Vec<u8> {
        alloc::vec![7; length]
    }

    #[test]
    fn a_changed_byte_or_length_is_found() {
        let (key, nonce) = (Default::default(), Default::default());
        for place in 0..20 {
            // With room to spare: it is the tag that is to be wrong.
            let mut record = Record(alloc::vec![1, 2, 3, DATA], 30);
            let header = Cipher::header(20).expect("short");
            let sealed = Plain::new(&key).encrypt_in_place(&nonce, &header, &mut record);
            sealed.expect("it fits");
            record.0[place] ^= 1;
            let [mark, note] = Purpose::Traffic.mark();
            let shown = [DATA, mark, note, 0, 20];
            let opened = Cipher::new(&key).decrypt_in_place(&nonce, &shown, &mut record);
            assert_eq!(opened, Err(Error), "{place}");
        }
    }

    #[test]
    fn what_is_sealed_says_what_the_engine_meant() {
        assert_eq!(seal(b"data\x17"), b"data\x17");
        assert_eq!(seal(b"\0\x17"), b"\0\x17");
        assert_eq!(seal(&[DATA]), END);
        let [typ, level, description] = alert_as_data(22);
        assert!(is_alert(&alert_as_data(22)));
        assert_eq!(seal(&[typ, level, description, DATA]), [2, 22, ALERT]);
        for data in [&[ALERT, FATAL][..], &[ALERT, FATAL, 0, 0], &[ALERT, 1, 0]] {
            let inside = [data, &[DATA]].concat();
            assert!(!is_alert(data));
            assert_eq!(seal(&inside), inside);
        }
        assert_eq!(seal(&[20, 0, 0, 0, HANDSHAKE]), [20, 0, 0, 0, HANDSHAKE]);
    }
}
