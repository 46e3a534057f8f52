//! Key exchange with P-256.

use alloc::boxed::Box;

use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{EncodedPoint, PublicKey, SecretKey};
use rustls::crypto::{
    ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};

use super::random::draw_secret;

/// How often a secret is drawn. Once in 2^32 times, one is no key.
const DRAWS: usize = 4;

/// What a point begins with that is written out (SEC 1, 2.3.3). TLS 1.3 knows no other ones (RFC 8446, 4.2.8.2).
const UNCOMPRESSED: u8 = 4;

/// ECDH with P-256 (SP 800-56A).
#[derive(Debug)]
pub(super) struct P256 {
    pub(super) random: &'static dyn SecureRandom,
}

impl P256 {
    fn draw_key(&self) -> Result<SecretKey, GetRandomFailed> {
        for _ in 0..DRAWS {
            if let Ok(key) = SecretKey::from_slice(&*draw_secret(self.random)?) {
                return Ok(key);
            }
        }
        Err(GetRandomFailed)
    }
}

impl SupportedKxGroup for P256 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Exchange::new(self.draw_key()?)))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

/// This side's part, whose secret is wiped when it is dropped.
struct Exchange {
    secret: SecretKey,
    public: EncodedPoint,
}

impl Exchange {
    fn new(secret: SecretKey) -> Self {
        let public = secret.public_key().to_encoded_point(false);
        Self { secret, public }
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let is_uncompressed = peer.first() == Some(&UNCOMPRESSED);
        let peer = PublicKey::from_sec1_bytes(peer).ok();
        let peer = peer
            .filter(|_| is_uncompressed)
            .ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::from(&shared.raw_secret_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::vectors::{NoEntropy, Scripted, hex};
    use super::*;

    /// RFC 5903, 8.1: the keys of both sides, and what they share.
    const SECRET: &str = "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433";
    const PUBLIC: &str = "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180\
                          5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3";
    const PEER_SECRET: &str = "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53";
    const PEER: &str = "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63\
                        56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab";
    const SHARED: &str = "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de";

    /// The order of the curve: no key, and neither is anything above it.
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

    fn start(secret: &str) -> Box<dyn ActiveKeyExchange> {
        let random = Scripted::one_secret(&hex(secret));
        P256 { random }.start().expect("random bytes")
    }

    #[test]
    fn shared_secrets_are_those_of_the_standard() {
        for (secret, public, peer) in [(SECRET, PUBLIC, PEER), (PEER_SECRET, PEER, PUBLIC)] {
            let exchange = start(secret);
            assert_eq!(exchange.pub_key(), hex(public));
            assert_eq!(exchange.group(), NamedGroup::secp256r1);
            let shared = exchange.complete(&hex(peer)).expect("a point");
            assert_eq!(shared.secret_bytes(), hex(SHARED));
        }
    }

    #[test]
    fn without_random_bytes_there_is_no_exchange() {
        let group = P256 { random: &NoEntropy };
        assert_eq!(group.name(), NamedGroup::secp256r1);
        let refused = group.start().err();
        assert_eq!(refused, Some(Error::FailedToGetRandomBytes));
        let refused = group.start_and_complete(&hex(PEER)).err();
        assert_eq!(refused, Some(Error::FailedToGetRandomBytes));
    }

    #[test]
    fn what_is_no_key_is_drawn_again_but_not_for_ever() {
        let pad: Vec<u8> = (0..32).collect();
        let drawn = |secret: &str| -> Vec<u8> {
            let both = hex(secret).into_iter().zip(&pad);
            both.map(|(byte, pad)| byte ^ pad).collect()
        };
        let (no_key, key) = (drawn(ORDER), drawn(SECRET));
        let random = Scripted::new(&[&no_key, &pad, &key, &pad]);
        let exchange = P256 { random }.start().expect("the second is one");
        assert_eq!(exchange.pub_key(), hex(PUBLIC));
        let draws: Vec<&[u8]> = [&no_key[..], &pad[..]].repeat(DRAWS);
        let random = Scripted::new(&[&draws[..], &[&key, &pad]].concat());
        let refused = P256 { random }.start().err();
        assert_eq!(refused, Some(Error::FailedToGetRandomBytes));
    }

    #[test]
    fn points_that_are_malformed_not_on_the_curve_or_compressed_are_refused() {
        let peer = hex(PEER);
        let mut off_curve = peer.clone();
        off_curve[64] ^= 1;
        let compressed = [&[2 + (peer[64] & 1)], &peer[1..33]].concat();
        assert!(PublicKey::from_sec1_bytes(&compressed).is_ok());
        let mut hybrid = peer.clone();
        hybrid[0] = 6 + (peer[64] & 1);
        let mut compact = peer[..33].to_vec();
        compact[0] = 5;
        // x is the prime of the field, which is another way to write 0.
        let prime = "04ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
        let y = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
        let not_reduced = [hex(prime), hex(y)].concat();
        let mut points = vec![
            vec![],
            vec![0],
            vec![0; 65],
            vec![4],
            off_curve,
            compressed,
            hybrid,
            compact,
            not_reduced,
            peer[..64].to_vec(),
            [&peer[..], &[0]].concat(),
        ];
        points.push([&[4][..], &[0; 64]].concat());
        for point in points {
            let refused = start(SECRET).complete(&point).err();
            let wanted = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
            assert_eq!(refused, Some(wanted), "{point:?}");
        }
    }
}
