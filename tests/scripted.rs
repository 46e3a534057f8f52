//! A server of TLS 1.3 that says what a test tells it to, under the right keys.

use core::fmt;

use rcgen::SigningKey as _;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::{aead, digest, hmac};
use tacket::{ReceiveStream, SendStream};

use crate::owner::Owner;

mod traffic;

pub use traffic::{Opening, Sealing};

/// The type of a record: the ciphers change, which in TLS 1.3 means nothing.
pub const CHANGE: u8 = 20;
/// The type of a record: an alert.
pub const ALERT: u8 = 21;
/// The type of a record: messages of a handshake.
pub const HANDSHAKE: u8 = 22;
/// The type of a record: data, and whatever is protected.
pub const DATA: u8 = 23;

/// A server that has said its hello, on a stream to the client.
pub struct Scripted<S> {
    wire: S,
    suite: Suite,
    /// All messages of the handshake.
    transcript: Vec<u8>,
    handshake: Vec<u8>,
    /// The server's secret, of the handshake and then of the data.
    server: Vec<u8>,
    sealing: Keys,
    opening: Keys,
}

/// What protects one direction.
#[derive(Debug)]
struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    number: u64,
}

/// The algorithms of one.
#[derive(Clone, Copy)]
struct Suite {
    id: [u8; 2],
    cipher: &'static aead::Algorithm,
    hash: &'static digest::Algorithm,
    mac: hmac::Algorithm,
}

impl Suite {
    /// The first with AES that a client offers, in this part of its hello.
    fn offered(suites: &[u8]) -> Self {
        let (suites, _) = suites.as_chunks();
        let known = suites.iter().find_map(|id| match id {
            [0x13, 0x01] => Some(Self {
                id: *id,
                cipher: &AES_128_GCM,
                hash: &digest::SHA256,
                mac: hmac::HMAC_SHA256,
            }),
            [0x13, 0x02] => Some(Self {
                id: *id,
                cipher: &AES_256_GCM,
                hash: &digest::SHA384,
                mac: hmac::HMAC_SHA384,
            }),
            _ => None,
        });
        known.unwrap_or_else(|| panic!("no suite with AES: {suites:?}"))
    }

    fn zeros(self) -> Vec<u8> {
        vec![0; self.hash.output_len()]
    }

    fn hash(self, messages: &[u8]) -> Vec<u8> {
        digest::digest(self.hash, messages).as_ref().to_vec()
    }

    fn extract(self, salt: &[u8], key: &[u8]) -> Vec<u8> {
        let tag = hmac::sign(&hmac::Key::new(self.mac, salt), key);
        tag.as_ref().to_vec()
    }

    /// RFC 8446, 7.1, of no more than one hash, and nobody needs more.
    fn expand(self, secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
        let label = format!("tls13 {label}");
        let sizes = [length, label.len(), context.len()];
        let sizes = sizes.map(|size| u8::try_from(size).expect("short"));
        let info = [
            &[0, sizes[0], sizes[1]],
            label.as_bytes(),
            &[sizes[2]],
            context,
            &[1],
        ];
        let mut expanded = self.extract(secret, &info.concat());
        expanded.truncate(length);
        expanded
    }

    fn derive(self, secret: &[u8], label: &str, messages: &[u8]) -> Vec<u8> {
        let context = self.hash(messages);
        self.expand(secret, label, &context, self.hash.output_len())
    }
}

impl Keys {
    fn new(suite: Suite, secret: &[u8]) -> Self {
        let key = suite.expand(secret, "key", &[], suite.cipher.key_len());
        let key = UnboundKey::new(suite.cipher, &key);
        let iv = suite.expand(secret, "iv", &[], 12);
        Self {
            key: LessSafeKey::new(key.expect("as long as it is to be")),
            iv: iv.try_into().expect("12 bytes"),
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
    fn seal(&mut self, inside: &[u8]) -> Vec<u8> {
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
#[must_use]
pub fn record(typ: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short");
    [&[typ, 3, 3], &length.to_be_bytes()[..], body].concat()
}

/// A message of the handshake.
#[must_use]
pub fn message(typ: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[typ], &length[1..], body].concat()
}

/// A server's first message under keys, with no answers.
#[must_use]
pub fn extensions() -> Vec<u8> {
    answers(&[])
}

/// A server's first message under keys.
#[must_use]
pub fn answers(list: &[u8]) -> Vec<u8> {
    let length = u16::try_from(list.len()).expect("short").to_be_bytes();
    message(8, &[&length[..], list].concat())
}

/// The message with the certificate of a server.
#[must_use]
pub fn certificate(owner: &Owner) -> Vec<u8> {
    certificates(&[owner])
}

/// The message with the certificates of a server and of those above it.
#[must_use]
pub fn certificates(owners: &[&Owner]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).expect("short").to_be_bytes();
    let entries = owners.iter().map(|owner| {
        let der = &owner.der[..];
        [&length(der.len())[1..], der, &[0, 0]].concat()
    });
    let entries = entries.collect::<Vec<_>>().concat();
    message(11, &[&[0], &length(entries.len())[1..], &entries].concat())
}

impl<S: ReceiveStream + SendStream> Scripted<S> {
    /// Answers the client's hello with one that `change` has changed.
    pub async fn greet(wire: S, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::greet_with(wire, None, change).await
    }

    /// The same, where both are to know a key.
    pub async fn greet_with(
        mut wire: S,
        known: Option<&[u8]>,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let hello = read_record(&mut wire).await.expect("a hello");
        // Behind its version and its random bytes.
        let (name_of_session, rest) = hello[44..].split_at(usize::from(hello[43]));
        let count = u16::from_be_bytes([rest[0], rest[1]]);
        let suite = Suite::offered(&rest[2..][..usize::from(count)]);
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
            &hello[43..44],
            name_of_session,
            &[suite.id[0], suite.id[1], 0],
            &length.to_be_bytes(),
            &extensions,
        ];
        let mut answer = message(2, &body.concat());
        change(&mut answer);
        transcript.extend_from_slice(&answer);
        // Whoever was told may have gone.
        let _ = wire.send_all(&record(HANDSHAKE, &answer)).await;

        let zeros = suite.zeros();
        let early = suite.extract(&zeros, known.unwrap_or(&zeros));
        let derived = suite.derive(&early, "derived", &[]);
        let agreed = agree_ephemeral(ours, &theirs, |shared| suite.extract(&derived, shared));
        let handshake = agreed.expect("a point");
        let server = suite.derive(&handshake, "s hs traffic", &transcript);
        let client = suite.derive(&handshake, "c hs traffic", &transcript);
        Self {
            wire,
            suite,
            transcript,
            handshake,
            sealing: Keys::new(suite, &server),
            opening: Keys::new(suite, &client),
            server,
        }
    }

    /// Says these messages in one record.
    pub async fn say(&mut self, messages: &[&[u8]]) {
        let mut inside = messages.concat();
        self.transcript.extend_from_slice(&inside);
        inside.push(HANDSHAKE);
        self.send_inside(&inside).await;
    }

    /// Sends a record with this inside: content and type.
    pub async fn send_inside(&mut self, inside: &[u8]) {
        let record = self.seal(inside);
        self.send(&record).await;
    }

    /// Makes a record with this inside, and does not send it.
    #[must_use]
    pub fn seal(&mut self, inside: &[u8]) -> Vec<u8> {
        self.sealing.seal(inside)
    }

    /// Sends these bytes as they are. A client that has gone does not hear them.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.wire.send_all(bytes).await;
    }

    /// Gives the stream back.
    pub fn into_wire(self) -> S {
        self.wire
    }

    /// The proof of having the key, after all that was said and `before`.
    #[must_use]
    pub fn verify(&self, owner: &Owner, before: &[&[u8]]) -> Vec<u8> {
        let mut signed = vec![b' '; 64];
        signed.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
        let said = [&self.transcript[..], &before.concat()].concat();
        signed.extend_from_slice(&self.suite.hash(&said));
        let signature = owner.key.sign(&signed).expect("a signature");
        let length = u16::try_from(signature.len()).expect("short");
        message(
            15,
            &[&[4, 3], &length.to_be_bytes()[..], &signature].concat(),
        )
    }

    /// The end of the server's part, after all that was said and `before`.
    #[must_use]
    pub fn finished(&self, before: &[&[u8]]) -> Vec<u8> {
        let said = [&self.transcript[..], &before.concat()].concat();
        let suite = self.suite;
        let key = suite.expand(&self.server, "finished", &[], suite.hash.output_len());
        message(20, &suite.extract(&key, &suite.hash(&said)))
    }

    /// All of an honest server's part, in one record.
    pub async fn be_honest(&mut self, owner: &Owner) {
        let (extensions, certificate) = (extensions(), certificate(owner));
        let verify = self.verify(owner, &[&extensions, &certificate]);
        let finished = self.finished(&[&extensions, &certificate, &verify]);
        self.say(&[&extensions, &certificate, &verify, &finished])
            .await;
    }

    /// Goes on with the keys for data, before the client's last message: a server may.
    pub fn seal_as_traffic(&mut self) {
        let (server, _) = self.traffic();
        self.sealing = Keys::new(self.suite, &server);
    }

    /// Hears the client's last message, and goes on with the keys for data in both directions.
    pub async fn open_traffic(&mut self) {
        let (server, client) = self.traffic();
        let mut finished = self.hear().await.expect("it goes on");
        if finished == [1, CHANGE] {
            finished = self.hear().await.expect("it goes on");
        }
        assert_eq!((finished[0], finished.last()), (20, Some(&HANDSHAKE)));
        self.sealing = Keys::new(self.suite, &server);
        self.opening = Keys::new(self.suite, &client);
        self.server = server;
    }

    /// Goes on with the next keys for data, of which it has told the client (RFC 8446, 7.2).
    pub fn change_keys(&mut self) {
        let suite = self.suite;
        self.server = suite.expand(&self.server, "traffic upd", &[], suite.hash.output_len());
        self.sealing = Keys::new(suite, &self.server);
    }

    /// The secrets of both.
    fn traffic(&self) -> (Vec<u8>, Vec<u8>) {
        let suite = self.suite;
        let derived = suite.derive(&self.handshake, "derived", &[]);
        let master = suite.extract(&derived, &suite.zeros());
        (
            suite.derive(&master, "s ap traffic", &self.transcript),
            suite.derive(&master, "c ap traffic", &self.transcript),
        )
    }

    /// What is inside of the next record of the client's. `None`: it has ended or gone.
    pub async fn hear(&mut self) -> Option<Vec<u8>> {
        let record = read_record(&mut self.wire).await?;
        Some(match record[0] {
            DATA => self.opening.open(&record),
            typ => [&record[5..], &[typ]].concat(),
        })
    }
}

async fn read_record(wire: &mut impl ReceiveStream) -> Option<Vec<u8>> {
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

impl<S> fmt::Debug for Scripted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}
