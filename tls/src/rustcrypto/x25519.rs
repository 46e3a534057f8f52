//! Key exchange with X25519.

use alloc::boxed::Box;

use rustls::crypto::{ActiveKeyExchange, SecureRandom, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};

use super::random::draw_secret;

/// X25519 (RFC 7748).
#[derive(Debug)]
pub(super) struct X25519 {
    pub(super) random: &'static dyn SecureRandom,
}

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = StaticSecret::from(*draw_secret(self.random)?);
        Ok(Box::new(Exchange::new(secret)))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// This side's part, which is wiped when it is dropped.
struct Exchange {
    secret: StaticSecret,
    public: PublicKey,
}

impl Exchange {
    fn new(secret: StaticSecret) -> Self {
        let public = PublicKey::from(&secret);
        Self { secret, public }
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer
            .try_into()
            .map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(peer));
        // A point of low order makes zeros of every secret (RFC 8446, 7.4.2).
        if !shared.was_contributory() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&shared.as_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::vectors::{NoEntropy, Scripted, hex};
    use super::*;

    /// Nobody's.
    const SECRET: &str = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4";

    fn exchange(secret: &str) -> Box<Exchange> {
        let secret: [u8; 32] = hex(secret).try_into().expect("32 bytes");
        Box::new(Exchange::new(secret.into()))
    }

    /// RFC 7748, 5.2 (of which the second has the bit set that counts for nothing) and 6.1; RFC 8448, 3.
    #[test]
    fn shared_secrets_are_those_of_the_standards() {
        for (secret, peer, shared) in [
            (
                SECRET,
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
            (
                "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
                "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
                "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
            ),
            (
                "49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005",
                "c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f",
                "8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d",
            ),
        ] {
            let made = exchange(secret).complete(&hex(peer)).expect("a secret");
            assert_eq!(made.secret_bytes(), hex(shared));
        }
    }

    /// RFC 7748, 5.2: each secret is the one that came of the two before.
    #[test]
    fn a_thousand_secrets_made_of_each_other_end_as_in_the_standard() {
        let mut point = [0; 32];
        point[0] = 9;
        let mut secret = point;
        for count in 1..=1000 {
            let exchange = Box::new(Exchange::new(secret.into()));
            let shared = exchange.complete(&point).expect("a secret");
            point = secret;
            secret = shared.secret_bytes().try_into().expect("32 bytes");
            if count == 1 {
                let known = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
                assert_eq!(secret[..], hex(known));
            }
        }
        let known = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
        assert_eq!(secret[..], hex(known));
    }

    /// RFC 7748, 6.1; RFC 8448, 3.
    #[test]
    fn what_is_drawn_is_the_secret_and_what_is_sent_belongs_to_it() {
        for (secret, public) in [
            (
                "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
                "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            ),
            (
                "b1580eeadf6dd589b8ef4f2d5652578cc810e9980191ec8d058308cea216a21e",
                "c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f",
            ),
        ] {
            let random = Scripted::one_secret(&hex(secret));
            let started = X25519 { random }.start().expect("random bytes");
            assert_eq!(started.pub_key(), hex(public));
            assert_eq!(started.group(), NamedGroup::X25519);
        }
    }

    #[test]
    fn without_random_bytes_there_is_no_exchange() {
        let group = X25519 { random: &NoEntropy };
        assert_eq!(group.name(), NamedGroup::X25519);
        let refused = group.start().err();
        assert_eq!(refused, Some(Error::FailedToGetRandomBytes));
        let refused = group.start_and_complete(&[9; 32]).err();
        assert_eq!(refused, Some(Error::FailedToGetRandomBytes));
    }

    #[test]
    fn points_of_low_order_and_those_of_another_length_are_refused() {
        let low: [[u8; 32]; 7] = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        .map(|point| hex(point).try_into().expect("32 bytes"));
        let with_bit = low.map(|mut point| {
            point[31] |= 0x80;
            point
        });
        let long = (0..34)
            .filter(|length| *length != 32)
            .map(|length| Vec::from_iter(1..=length));
        let points = low.iter().chain(&with_bit).map(|point| point.to_vec());
        for point in points.chain(long) {
            let refused = exchange(SECRET).complete(&point).err();
            let wanted = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
            assert_eq!(refused, Some(wanted), "{point:?}");
        }
    }
}
