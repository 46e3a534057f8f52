//! Protecting records, in the buffers they are in.

use alloc::boxed::Box;
use core::marker::PhantomData;

use aead::consts::{U12, U16};
use aead::generic_array::typenum::Unsigned as _;
use aead::{AeadCore, AeadInPlace, Key, KeyInit, KeySizeUser};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    Nonce, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

use super::length::Lengths;

/// How long a tag is, of every algorithm here.
const TAG: usize = 16;

/// What an algorithm has to be for TLS.
pub(super) trait Cipher:
    AeadInPlace + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static
{
}

impl<A> Cipher for A where
    A: AeadInPlace + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static
{
}

/// An algorithm, for the records of TLS 1.3.
pub(super) struct Aead<A> {
    name_secrets: fn(AeadKey, Iv) -> ConnectionTrafficSecrets,
    algorithm: PhantomData<fn() -> A>,
}

impl<A> Aead<A> {
    /// `name_secrets`: the variant of the algorithm.
    pub(super) const fn new(name_secrets: fn(AeadKey, Iv) -> ConnectionTrafficSecrets) -> Self {
        Self {
            name_secrets,
            algorithm: PhantomData,
        }
    }
}

impl<A: Cipher> Tls13AeadAlgorithm for Aead<A> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Direction::<A>::new(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Incoming {
            direction: Direction::<A>::new(&key, iv),
            lengths: Lengths::default(),
        })
    }

    fn key_len(&self) -> usize {
        <A as KeySizeUser>::KeySize::USIZE
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok((self.name_secrets)(key, iv))
    }
}

/// What protects the records of one direction, until its key is updated.
struct Direction<A> {
    cipher: A,
    iv: Iv,
}

impl<A: Cipher> Direction<A> {
    /// Rustls cuts the key to the length that the algorithm asks for.
    fn new(key: &AeadKey, iv: Iv) -> Self {
        Self {
            cipher: A::new(Key::<A>::from_slice(key.as_ref())),
            iv,
        }
    }

    fn nonce(&self, seq: u64) -> aead::Nonce<A> {
        Nonce::new(&self.iv, seq).0.into()
    }
}

impl<A: Cipher> MessageEncrypter for Direction<A> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let length = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[message.typ.into()]);
        let header = make_tls13_aad(length);
        let sealed =
            self.cipher
                .encrypt_in_place_detached(&self.nonce(seq), &header, payload.as_mut());
        let tag = sealed.map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            payload,
        ))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + 1 + TAG
    }
}

/// What opens the records of one direction, until its key is updated.
struct Incoming<A> {
    direction: Direction<A>,
    lengths: Lengths,
}

impl<A: Cipher> MessageDecrypter for Incoming<A> {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let opened = self.direction.open(message, seq)?;
        if opened.typ == ContentType::Handshake {
            self.lengths.follow(opened.payload)?;
        }
        Ok(opened)
    }
}

impl<A: Cipher> Direction<A> {
    fn open<'a>(
        &self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let header = make_tls13_aad(message.payload.len());
        let (inside, tag) = message
            .payload
            .split_last_chunk_mut::<TAG>()
            .ok_or(Error::DecryptError)?;
        let (length, tag) = (inside.len(), (*tag).into());
        self.cipher
            .decrypt_in_place_detached(&self.nonce(seq), &header, inside, &tag)
            .map_err(|_| Error::DecryptError)?;
        message.payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use aes_gcm::Aes128Gcm;
    use chacha20poly1305::ChaCha20Poly1305;
    use rustls::crypto::cipher::OutboundChunks;
    use rustls::crypto::ring;

    use super::super::suites;
    use super::super::vectors::hex;
    use super::*;

    type Inside = (ContentType, Vec<u8>);

    fn seal<A: Cipher>(key: &[u8], iv: [u8; 12], (typ, data): &Inside, seq: u64) -> Vec<u8> {
        // In two pieces, as it may come.
        let (one, other) = data.split_at(data.len() / 2);
        let pieces = [one, other];
        let message = OutboundPlainMessage {
            typ: *typ,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::new(&pieces),
        };
        let mut direction = direction::<A>(key, iv);
        let length = direction.encrypted_payload_len(data.len());
        let sealed = direction.encrypt(message, seq).expect("sealed").encode();
        assert_eq!(sealed.len(), 5 + length);
        sealed
    }

    fn open<A: Cipher>(key: &[u8], iv: [u8; 12], record: &[u8], seq: u64) -> Result<Inside, Error> {
        let mut payload = record[5..].to_vec();
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut payload,
        );
        let opened = direction::<A>(key, iv).open(message, seq)?;
        assert_eq!(opened.version, ProtocolVersion::TLSv1_3);
        Ok((opened.typ, opened.payload.to_vec()))
    }

    fn direction<A: Cipher>(key: &[u8], iv: [u8; 12]) -> Direction<A> {
        Direction {
            cipher: A::new_from_slice(key).expect("as long as it has to be"),
            iv: iv.into(),
        }
    }

    /// RFC 8448, 3: a key, an IV, a number, what is inside, and the record.
    fn traced() -> [(&'static str, &'static str, u64, Inside, &'static str); 3] {
        let finished =
            hex("14000020a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61");
        [
            (
                "dbfaa693d1762c5b666af5d950258d01",
                "5bd3c71b836e0b76bb73265f",
                0,
                (ContentType::Handshake, finished),
                "170303003575ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46\
                 deb384bd1caeacab6867d726c40546",
            ),
            (
                "17422dda596ed5d9acd890e3c63f5051",
                "5b78923dee08579033e523d9",
                0,
                (ContentType::ApplicationData, (0..50).collect()),
                "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a\
                 9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
            ),
            (
                "17422dda596ed5d9acd890e3c63f5051",
                "5b78923dee08579033e523d9",
                1,
                (ContentType::Alert, vec![1, 0]),
                "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3",
            ),
        ]
    }

    #[test]
    fn records_of_aes_are_those_of_the_traces() {
        for (key, iv, seq, inside, record) in traced() {
            let (key, record) = (hex(key), hex(record));
            let iv = hex(iv).try_into().expect("12 bytes");
            assert_eq!(seal::<Aes128Gcm>(&key, iv, &inside, seq), record);
            assert_eq!(open::<Aes128Gcm>(&key, iv, &record, seq), Ok(inside));
        }
    }

    /// The algorithm itself, with whatever is authenticated besides.
    fn check_algorithm<A: Cipher>(key: &str, nonce: &str, aad: &str, plain: &[u8], sealed: &str) {
        let cipher = A::new_from_slice(&hex(key)).expect("a key");
        let nonce: [u8; 12] = hex(nonce).try_into().expect("12 bytes");
        let mut buf = plain.to_vec();
        let tag = cipher.encrypt_in_place_detached(&nonce.into(), &hex(aad), &mut buf);
        let mut tag = tag.expect("sealed");
        assert_eq!([&buf[..], &tag].concat(), hex(sealed));
        let opened = cipher.decrypt_in_place_detached(&nonce.into(), &hex(aad), &mut buf, &tag);
        opened.expect("it is whole");
        assert_eq!(buf, plain);
        tag[15] ^= 1;
        let opened = cipher.decrypt_in_place_detached(&nonce.into(), &hex(aad), &mut buf, &tag);
        opened.expect_err("another tag");
    }

    /// RFC 8439, 2.8.2.
    #[test]
    fn chacha20_poly1305_is_that_of_the_standard() {
        check_algorithm::<ChaCha20Poly1305>(
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            "070000004041424344454647",
            "50515253c0c1c2c3c4c5c6c7",
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
              future, sunscreen would be it.",
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb\
             69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad6\
             75945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116\
             1ae10b594f09e26a7e902ecbd0600691",
        );
    }

    /// The fourth case of the proposal to NIST, by McGrew and Viega.
    #[test]
    fn aes_128_gcm_is_that_of_the_standard() {
        check_algorithm::<Aes128Gcm>(
            "feffe9928665731c6d6a8f9467308308",
            "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            &hex(
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532f\
                 cf0e2449a6b525b16aedf5aa0de657ba637b39",
            ),
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a\
             5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
        );
    }

    fn check_damage<A: Cipher>(key: &[u8]) {
        let iv = core::array::from_fn(|index| u8::try_from(index).expect("short"));
        for data in [vec![], b"some data".to_vec(), vec![7; 1 << 14]] {
            let inside = (ContentType::ApplicationData, data);
            let record = seal::<A>(key, iv, &inside, 5);
            assert_eq!(open::<A>(key, iv, &record, 5), Ok(inside));
            let refused = Err(Error::DecryptError);
            assert_eq!(open::<A>(key, iv, &record, 6), refused, "another number");
            let (mut other_iv, mut other_key) = (iv, key.to_vec());
            other_iv[0] ^= 1;
            other_key[0] ^= 1;
            assert_eq!(open::<A>(key, other_iv, &record, 5), refused);
            assert_eq!(open::<A>(&other_key, iv, &record, 5), refused);
            for place in (5..record.len()).step_by(record.len() / 40 + 1) {
                let mut damaged = record.clone();
                damaged[place] ^= 0x20;
                assert_eq!(open::<A>(key, iv, &damaged, 5), refused, "at {place}");
                let cut = &record[..place];
                assert_eq!(open::<A>(key, iv, cut, 5), refused, "{place} bytes");
            }
            assert_eq!(
                open::<A>(key, iv, &[&record[..], &[0]].concat(), 5),
                refused
            );
        }
    }

    #[test]
    fn a_record_that_was_damaged_or_comes_out_of_turn_is_refused() {
        check_damage::<Aes128Gcm>(&hex("feffe9928665731c6d6a8f9467308308"));
        check_damage::<ChaCha20Poly1305>(&[0x42; 32]);
    }

    /// There are no published records of this suite, but another implementation of it.
    #[test]
    fn records_of_chacha20_poly1305_are_those_of_another_implementation() {
        let ours = suites::TLS13_CHACHA20_POLY1305_SHA256;
        let theirs = ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
        let (ours, theirs) = (ours.tls13().expect("1.3"), theirs.tls13().expect("1.3"));
        assert_eq!(ours.aead_alg.key_len(), theirs.aead_alg.key_len());
        for length in [0, 1, 15, 16, 17, 1000, 1 << 14] {
            let data: Vec<u8> = (0..=255).cycle().take(length).collect();
            let seal = |algorithm: &dyn Tls13AeadAlgorithm| {
                let message = OutboundPlainMessage {
                    typ: ContentType::ApplicationData,
                    version: ProtocolVersion::TLSv1_2,
                    payload: data[..].into(),
                };
                let mut encrypter = algorithm.encrypter([7; 32].into(), [3; 12].into());
                encrypter.encrypt(message, 77).expect("sealed").encode()
            };
            assert_eq!(seal(ours.aead_alg), seal(theirs.aead_alg), "{length}");
        }
    }

    #[test]
    fn secrets_that_are_asked_for_have_the_name_of_their_algorithm() {
        for suite in [
            suites::TLS13_CHACHA20_POLY1305_SHA256,
            suites::TLS13_AES_128_GCM_SHA256,
        ] {
            let algorithm = suite.tls13().expect("1.3").aead_alg;
            let secrets = algorithm.extract_keys([7; 32].into(), [3; 12].into());
            let is_named = match secrets.expect("they can be had") {
                ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                    algorithm.key_len() == 32 && key.as_ref() == [7; 32] && iv.as_ref() == [3; 12]
                }
                ConnectionTrafficSecrets::Aes128Gcm { iv, .. } => {
                    algorithm.key_len() == 16 && iv.as_ref() == [3; 12]
                }
                _ => false,
            };
            assert!(is_named, "{suite:?}");
        }
    }
}
