//! A server of TLS 1.3 that says what a test tells it to, under the right keys.

use rcgen::SigningKey as _;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use tacket::{ReceiveStream as _, SendStream as _};

use super::certificates::Owner;
use super::guarded::Memory;

pub(super) const CHANGE: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const DATA: u8 = 23;

type Secret = [u8; 32];

pub(super) struct Scripted<'p> {
    wire: Memory<'p>,
    /// All messages of the handshake.
    transcript: Vec<u8>,
    handshake: Secret,
    server: Secret,
    pub(super) sealing: Keys,
    opening: Keys,
}

/// What protects one direction.
pub(super) struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    number: u64,
}

impl Keys {
    fn new(secret: &Secret) -> Self {
        let key = UnboundKey::new(&AES_128_GCM, &expand(secret, "key", &[])[..16]);
        let iv = expand(secret, "iv", &[]);
        Self {
            key: LessSafeKey::new(key.expect("16 bytes")),
            iv: iv[..12].try_into().expect("12 bytes"),
            number: 0,
        }
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, number) in nonce[4..].iter_mut().zip(self.number.to_be_bytes()) {
            *byte ^= number;
        }
        self.number += 1;
        Nonce::assume_unique_for_key(nonce)
    }

    /// A record with this inside: content and type.
    pub(super) fn seal(&mut self, inside: &[u8]) -> Vec<u8> {
        let header = record(DATA, &vec![0; inside.len() + 16]);
        let mut body = inside.to_vec();
        let nonce = self.nonce();
        let sealed = self
            .key
            .seal_in_place_append_tag(nonce, Aad::from(&header[..5]), &mut body);
        sealed.expect("it can be sealed");
        record(DATA, &body)
    }

    /// What is inside of the next record.
    fn open(&mut self, record: &[u8]) -> Vec<u8> {
        let (header, body) = record.split_at(5);
        let mut body = body.to_vec();
        let nonce = self.nonce();
        let opened = self.key.open_in_place(nonce, Aad::from(header), &mut body);
        opened.expect("sealed with the next number").to_vec()
    }
}

/// A record in plain sight.
pub(super) fn record(typ: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short");
    [&[typ, 3, 3], &length.to_be_bytes()[..], body].concat()
}

pub(super) fn message(typ: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[typ], &length[1..], body].concat()
}

pub(super) fn extensions() -> Vec<u8> {
    message(8, &[0, 0])
}

pub(super) fn certificate(owner: &Owner) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).expect("short").to_be_bytes();
    let der = &owner.der[..];
    let body = [
        &[0],
        &length(der.len() + 5)[1..],
        &length(der.len())[1..],
        der,
        &[0, 0],
    ];
    message(11, &body.concat())
}

impl<'p> Scripted<'p> {
    /// Answers the client's hello with one that `change` has changed.
    pub(super) async fn greet(wire: Memory<'p>, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::greet_with(wire, None, change).await
    }

    /// The same, where both are to know a key.
    pub(super) async fn greet_with(
        mut wire: Memory<'p>,
        known: Option<&[u8]>,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let hello = read_record(&mut wire).await.expect("a hello");
        let mut transcript = hello[5..].to_vec();
        // Its only share of a key: an uncompressed point of P-256.
        let share = [0, 51, 0, 71, 0, 69, 0, 23, 0, 65];
        let at = hello.windows(share.len()).position(|part| part == share);
        let at = at.expect("a share") + share.len();
        let theirs = UnparsedPublicKey::new(&ECDH_P256, &hello[at..at + 65]);
        let ours = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).expect("a key");
        let public = ours.compute_public_key().expect("its public part");

        let first_key: &[u8] = if known.is_some() {
            &[0, 41, 0, 2, 0, 0]
        } else {
            &[]
        };
        let extensions = [
            &[0, 43, 0, 2, 3, 4, 0, 51, 0, 69, 0, 23, 0, 65][..],
            public.as_ref(),
            first_key,
        ]
        .concat();
        let length = u16::try_from(extensions.len()).expect("short");
        let body = [
            &[3, 3][..],
            &[9; 32],
            &[0, 0x13, 0x01, 0],
            &length.to_be_bytes(),
            &extensions,
        ];
        let mut answer = message(2, &body.concat());
        change(&mut answer);
        transcript.extend_from_slice(&answer);
        wire.send_all(&record(HANDSHAKE, &answer))
            .await
            .expect("there is room");

        let early = extract(&[0; 32], known.unwrap_or(&[0; 32]));
        let derived = derive(&early, "derived", &[]);
        let agreed = agree_ephemeral(ours, &theirs, |shared| extract(&derived, shared));
        let handshake = agreed.expect("a point");
        let server = derive(&handshake, "s hs traffic", &transcript);
        let client = derive(&handshake, "c hs traffic", &transcript);
        Self {
            wire,
            transcript,
            handshake,
            server,
            sealing: Keys::new(&server),
            opening: Keys::new(&client),
        }
    }

    /// Says these messages in one record.
    pub(super) async fn say(&mut self, messages: &[&[u8]]) {
        let mut inside = messages.concat();
        self.transcript.extend_from_slice(&inside);
        inside.push(HANDSHAKE);
        self.send_inside(&inside).await;
    }

    /// Sends a record with this inside: content and type.
    pub(super) async fn send_inside(&mut self, inside: &[u8]) {
        let record = self.sealing.seal(inside);
        self.send(&record).await;
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.wire.send_all(bytes).await.expect("there is room");
    }

    /// The proof of having the key, after all that was said and `before`.
    pub(super) fn verify(&self, owner: &Owner, before: &[&[u8]]) -> Vec<u8> {
        let mut signed = vec![b' '; 64];
        signed.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
        let said = [&self.transcript[..], &before.concat()].concat();
        signed.extend_from_slice(digest(&SHA256, &said).as_ref());
        let signature = owner.key.sign(&signed).expect("a signature");
        let length = u16::try_from(signature.len()).expect("short");
        message(
            15,
            &[&[4, 3], &length.to_be_bytes()[..], &signature].concat(),
        )
    }

    /// The end of the server's part, after all that was said and `before`.
    pub(super) fn finished(&self, before: &[&[u8]]) -> Vec<u8> {
        let said = [&self.transcript[..], &before.concat()].concat();
        let key = expand(&self.server, "finished", &[]);
        message(20, &extract(&key, digest(&SHA256, &said).as_ref()))
    }

    /// All of an honest server's part, in one record.
    pub(super) async fn be_honest(&mut self, owner: &Owner) {
        let (extensions, certificate) = (extensions(), certificate(owner));
        let verify = self.verify(owner, &[&extensions, &certificate]);
        let finished = self.finished(&[&extensions, &certificate, &verify]);
        self.say(&[&extensions, &certificate, &verify, &finished])
            .await;
    }

    /// Hears the client's last message, and goes on with the keys for data.
    pub(super) async fn open_traffic(&mut self) {
        let derived = derive(&self.handshake, "derived", &[]);
        let master = extract(&derived, &[0; 32]);
        let (server, client) = (
            derive(&master, "s ap traffic", &self.transcript),
            derive(&master, "c ap traffic", &self.transcript),
        );
        let finished = self.hear().await.expect("it goes on");
        assert_eq!((finished[0], finished.last()), (20, Some(&HANDSHAKE)));
        self.sealing = Keys::new(&server);
        self.opening = Keys::new(&client);
    }

    /// What is inside of the next record of the client's. `None`: it has ended or gone.
    pub(super) async fn hear(&mut self) -> Option<Vec<u8>> {
        let record = read_record(&mut self.wire).await?;
        Some(match record[0] {
            DATA => self.opening.open(&record),
            typ => [&record[5..], &[typ]].concat(),
        })
    }
}

async fn read_record(wire: &mut Memory<'_>) -> Option<Vec<u8>> {
    let mut record = vec![0; 5];
    let mut filled = 0;
    while filled < record.len() {
        match wire.receive_some(&mut record[filled..]).await {
            Ok(count @ 1..) => filled += count,
            _ => return None,
        }
        if filled == 5 {
            let length = u16::from_be_bytes([record[3], record[4]]);
            record.resize(5 + usize::from(length), 0);
        }
    }
    Some(record)
}

fn extract(salt: &[u8], key: &[u8]) -> Secret {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), key);
    tag.as_ref().try_into().expect("32 bytes")
}

/// The first 32 bytes (RFC 8446, 7.1), of which nobody needs more. A shorter key has another length in its label.
fn expand(secret: &Secret, label: &str, context: &[u8]) -> Secret {
    let length = match label {
        "key" => 16,
        "iv" => 12,
        _ => 32,
    };
    let label = format!("tls13 {label}");
    let sizes = [label.len(), context.len()].map(|size| u8::try_from(size).expect("short"));
    let info = [
        &[0, length, sizes[0]],
        label.as_bytes(),
        &[sizes[1]],
        context,
        &[1],
    ];
    extract(secret, &info.concat())
}

fn derive(secret: &Secret, label: &str, messages: &[u8]) -> Secret {
    expand(secret, label, digest(&SHA256, messages).as_ref())
}
