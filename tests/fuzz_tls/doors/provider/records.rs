//! Records of both suites, sealed and opened by us and by ring.

use std::sync::{LazyLock, Mutex, PoisonError};

use ring::aead::{AES_128_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use tacket_tls::rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
};
use tacket_tls::rustls::{
    CipherSuite, ConnectionTrafficSecrets, ContentType, Error, PeerMisbehaved, ProtocolVersion,
};

use super::super::der::DerEdit;
use super::handshakes::secrets_of;
use super::{edited, edits};
use crate::fuzz_tls::input::Input;

const HEADER: usize = 5;
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

/// The most data that a record may have.
const MOST: usize = 1 << 14;

#[derive(Clone, Debug)]
pub(super) struct Record {
    is_aes: bool,
    typ: u8,
    /// So many bytes, each the place that it is at plus the first.
    length: usize,
    first: u8,
    /// It is sealed in so many pieces.
    pieces: usize,
    padding: usize,
    number: u64,
    is_of_another_number: bool,
    edits: Vec<DerEdit>,
}

impl Record {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        let (how, typ) = (input.byte(), input.byte());
        let length = input.byte();
        Self {
            is_aes: how & 1 == 1,
            pieces: usize::from(how >> 1) % 4 + 1,
            is_of_another_number: how >> 4 == 0x0f,
            typ: match typ % 8 {
                0..4 => 23,
                4 => 22,
                5 => 21,
                _ => typ >> 3,
            },
            length: match length {
                0xf0.. => MOST - 8 + usize::from(length & 0x0f),
                0xe0.. => usize::from(length & 0x0f) << 9,
                short => short.into(),
            },
            padding: match input.byte() {
                long @ 0xf0.. => MOST - 8 + usize::from(long & 0x0f),
                short @ 0xc0..0xf0 => usize::from(short & 0x0f),
                _ => 0,
            },
            first: input.byte(),
            number: match input.byte() {
                0xff => u64::MAX - u64::from(input.byte()),
                0xfe => u64::from(input.wide()) << 32,
                number => number.into(),
            },
            edits: edits(input),
        }
    }

    pub(super) fn run(&self) {
        let pair = if self.is_aes { &*AES } else { &*CHACHA20 };
        let mut data: Vec<u8> = (0..self.length)
            .map(|place| self.first.wrapping_add(place.to_le_bytes()[0]))
            .collect();
        // Padding stands behind the type: what is there of ours takes the place of the last zero.
        let mut typ = self.typ;
        if self.padding > 0 {
            data.push(typ);
            data.resize(data.len() + self.padding - 1, 0);
            typ = 0;
        }
        let record = pair.seal(typ, &data, self.number, self.pieces);
        let inside = [&data[..], &[typ]].concat();
        let sealed = pair.theirs.seal(&inside, self.number);
        assert_eq!(record, sealed, "another record");
        let body = record.get(HEADER..).unwrap_or_default().to_vec();
        let body = edited(body, &self.edits);
        let number = self.number.wrapping_add(self.is_of_another_number.into());
        let opened = pair.theirs.open(&body, number);
        if matches!(opened, Ok((HANDSHAKE, _))) {
            // How long messages are is followed from record to record, and each program begins anew.
            return;
        }
        assert_eq!(pair.open(&body, number), opened, "{body:02x?}");
    }
}

/// The keys of one direction, at both ends, and of somebody else.
struct Pair {
    sealing: Mutex<Box<dyn MessageEncrypter>>,
    opening: Mutex<Box<dyn MessageDecrypter>>,
    theirs: Others,
}

static AES: LazyLock<Pair> = LazyLock::new(|| pair(CipherSuite::TLS13_AES_128_GCM_SHA256));
static CHACHA20: LazyLock<Pair> =
    LazyLock::new(|| pair(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256));

/// From a handshake, for nobody else makes keys of 16 bytes for rustls.
#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
fn pair(id: CipherSuite) -> Pair {
    let (suite, sealing, opening) = secrets_of(id);
    let (algorithm, key, iv, algorithm_of_ring) = match sealing {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (suite, key, iv, &AES_128_GCM),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
            (suite, key, iv, &CHACHA20_POLY1305)
        }
        _ => unreachable!("there are two suites"),
    };
    let (ConnectionTrafficSecrets::Aes128Gcm {
        key: same_key,
        iv: same_iv,
    }
    | ConnectionTrafficSecrets::Chacha20Poly1305 {
        key: same_key,
        iv: same_iv,
    }) = opening
    else {
        unreachable!("there are two suites")
    };
    let theirs = Others {
        key: LessSafeKey::new(
            UnboundKey::new(algorithm_of_ring, key.as_ref()).expect("as long as it is to be"),
        ),
        iv: iv.as_ref().try_into().expect("12 bytes"),
    };
    Pair {
        sealing: Mutex::new(algorithm.encrypter(key, iv)),
        opening: Mutex::new(algorithm.decrypter(same_key, same_iv)),
        theirs,
    }
}

/// What is inside, or why nothing is.
type Opened = Result<(u8, Vec<u8>), Error>;

impl Pair {
    fn seal(&self, typ: u8, data: &[u8], number: u64, pieces: usize) -> Vec<u8> {
        let pieces: Vec<&[u8]> = data.chunks(data.len().div_ceil(pieces).max(1)).collect();
        let message = OutboundPlainMessage {
            typ: ContentType::from(typ),
            version: ProtocolVersion::TLSv1_2,
            payload: match pieces[..] {
                [one] => OutboundChunks::Single(one),
                _ => OutboundChunks::new(&pieces),
            },
        };
        let mut sealing = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let length = HEADER + sealing.encrypted_payload_len(data.len());
        let sealed = sealing
            .encrypt(message, number)
            .map(|sealed| sealed.encode());
        let sealed = sealed.unwrap_or_default();
        assert_eq!(sealed.len(), length, "its length was said before");
        sealed
    }

    fn open(&self, body: &[u8], number: u64) -> Opened {
        let mut body = body.to_vec();
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut body,
        );
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = opening.decrypt(message, number)?;
        Ok((opened.typ.into(), opened.payload.to_vec()))
    }
}

/// Ring, with the same key.
struct Others {
    key: LessSafeKey,
    iv: [u8; 12],
}

impl Others {
    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.iv;
        for (byte, of_number) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *byte ^= of_number;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&self, inside: &[u8], number: u64) -> Vec<u8> {
        let mut body = inside.to_vec();
        let header = header(inside.len() + 16);
        let nonce = self.nonce(number);
        let sealed = self
            .key
            .seal_in_place_append_tag(nonce, Aad::from(header), &mut body);
        assert!(sealed.is_ok(), "it can be sealed");
        [&header[..], &body].concat()
    }

    /// RFC 8446, 5.2 and 5.4, with the reasons that rustls gives.
    fn open(&self, body: &[u8], number: u64) -> Opened {
        let mut inside = body.to_vec();
        let aad = Aad::from(header(body.len()));
        let opened = self.key.open_in_place(self.nonce(number), aad, &mut inside);
        let inside = opened.map_err(|_| Error::DecryptError)?;
        if inside.len() > MOST + 1 {
            return Err(Error::PeerSentOversizedRecord);
        }
        let end = inside.iter().rposition(|byte| *byte != 0);
        let (data, typ) = end
            .and_then(|end| Some((inside.get(..end)?, *inside.get(end)?)))
            .ok_or(PeerMisbehaved::IllegalTlsInnerPlaintext)?;
        if typ == CHANGE_CIPHER_SPEC {
            return Err(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec.into());
        }
        if data.len() > MOST {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok((typ, data.to_vec()))
    }
}

fn header(length: usize) -> [u8; HEADER] {
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [23, 3, 3, high, low]
}
