//! Shares of keys: what a peer sends to agree on a secret.

use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{PublicKey, SecretKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use tacket_tls::rustls::crypto::SupportedKxGroup;
use tacket_tls::rustls::{Error, NamedGroup, PeerMisbehaved};

use super::super::der::DerEdit;
use super::board::{self, Drought};
use super::curve25519::{BASE, x25519};
use super::{edited, edits};
use crate::fuzz_tls::input::Input;

/// Points of low order, of which some are not in their shortest form.
const LOW_ORDER: [&[u8; 32]; 5] = [
    &[0; 32],
    &with_first(1, 0, 0),
    &with_first(0xec, 0xff, 0x7f),
    &with_first(0xed, 0xff, 0x7f),
    &with_first(0xee, 0xff, 0x7f),
];

const fn with_first(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut point = [middle; 32];
    point[0] = first;
    point[31] = last;
    point
}

#[derive(Clone, Debug)]
pub(super) struct Share {
    is_p256: bool,
    own: [u8; 32],
    drought: Drought,
    peer: Peer,
    edits: Vec<DerEdit>,
}

/// Where the share of the other side comes from.
#[derive(Clone, Debug)]
enum Peer {
    /// Ring, which draws its secret.
    Another,
    /// Somebody with this secret.
    Known([u8; 32]),
    /// The same, in a form that TLS does not know: compressed, or both.
    InForm(u8, [u8; 32]),
    LowOrder(u8),
    Bytes(Vec<u8>),
}

fn secret(input: &mut Input<'_>) -> [u8; 32] {
    let (byte, every) = (input.byte(), input.byte());
    let mut secret = [0; 32];
    for (place, of_secret) in (0_u8..).zip(&mut secret) {
        *of_secret = byte.wrapping_add(every.wrapping_mul(place));
    }
    secret
}

impl Share {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        let (how, which) = (input.byte(), input.byte());
        Self {
            is_p256: how & 1 == 1,
            drought: match how >> 1 {
                dry @ 1..8 => Drought::Once(dry - 1),
                dry @ 8..16 => Drought::From(dry - 8),
                _ => Drought::Never,
            },
            own: secret(input),
            peer: match which % 8 {
                0 | 1 => Peer::Another,
                2..5 => Peer::Known(secret(input)),
                5 => Peer::InForm(which >> 3, secret(input)),
                6 => Peer::LowOrder(which >> 3),
                _ => Peer::Bytes(input.counted_bytes()),
            },
            edits: edits(input),
        }
    }

    pub(super) fn run(&self) {
        board::start(self.drought);
        board::give_secret(self.own);
        let name = match self.is_p256 {
            true => NamedGroup::secp256r1,
            false => NamedGroup::X25519,
        };
        let groups = board::provider().kx_groups;
        let group: Option<&&dyn SupportedKxGroup> =
            groups.iter().find(|group| group.name() == name);
        let Some(Ok(exchange)) = group.map(|group| group.start()) else {
            // Nothing else may be missing than random bytes.
            let (words, _) = self.own.as_chunks::<4>();
            let is_constant = words.iter().all(|word| Some(word) == words.first());
            assert!(board::was_dry() || is_constant, "there is no exchange");
            return;
        };
        let own = self.own_key(exchange.pub_key());
        let (peer, others) = self.peer();
        let share = edited(peer.clone(), &self.edits);
        let made = exchange.complete(&share);
        match (&made, self.expected(own, &share)) {
            (Ok(made), Ok(expected)) => {
                if let Some(expected) = expected {
                    assert_eq!(made.secret_bytes(), expected, "another secret");
                }
            }
            (Err(error), Err(())) => {
                let wanted = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
                assert_eq!(*error, wanted);
            }
            (Ok(_), Err(())) => panic!("this is no share: {share:02x?}"),
            (Err(error), Ok(_)) => panic!("{error}: {share:02x?}"),
        }
        if let (Ok(made), Some(others), true) = (made, others, share == peer) {
            assert_eq!(
                made.secret_bytes(),
                others,
                "what they share is not the same"
            );
        }
    }

    /// The secret that was drawn, if it is the one that was given.
    fn own_key(&self, public: &[u8]) -> Option<[u8; 32]> {
        if self.is_p256 {
            let key = SecretKey::from_slice(&self.own).ok()?;
            let point = key.public_key().to_encoded_point(false);
            assert_eq!(public, point.as_bytes(), "another key");
        } else {
            assert_eq!(public, x25519(self.own, BASE), "another key");
        }
        Some(self.own)
    }

    /// The share of the other side, and the secret that it has then. What it has depends on ours, which it does not know unless it was given.
    fn peer(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let of = |secret: &[u8; 32]| match self.is_p256 {
            false => x25519(*secret, BASE).to_vec(),
            true => SecretKey::from_slice(secret).map_or_else(
                |_| Vec::new(),
                |key| key.public_key().to_encoded_point(false).as_bytes().to_vec(),
            ),
        };
        match &self.peer {
            Peer::Another => self.another(&of(&self.own)).unwrap_or_default(),
            Peer::Known(secret) => (of(secret), None),
            Peer::InForm(form, secret) => (in_form(*form, of(secret)), None),
            Peer::LowOrder(which) => {
                let which = usize::from(*which) % LOW_ORDER.len();
                let point = LOW_ORDER.get(which).map(|point| point.to_vec());
                (point.unwrap_or_default(), None)
            }
            Peer::Bytes(bytes) => (bytes.clone(), None),
        }
    }

    /// The share of ring, and the secret that it has when it hears `own`.
    fn another(&self, own: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let algorithm = if self.is_p256 { &ECDH_P256 } else { &X25519 };
        let secret = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).ok()?;
        let public = secret.compute_public_key().ok()?.as_ref().to_vec();
        let own = UnparsedPublicKey::new(algorithm, own);
        let shared = agree_ephemeral(secret, &own, <[u8]>::to_vec).ok();
        Some((public, shared))
    }

    /// What is to come of a share, as far as it is known. `Err`: it is to be refused.
    fn expected(&self, own: Option<[u8; 32]>, share: &[u8]) -> Result<Option<Vec<u8>>, ()> {
        let algorithm = if self.is_p256 { &ECDH_P256 } else { &X25519 };
        let another = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new());
        let theirs = UnparsedPublicKey::new(algorithm, share);
        let is_share = another.is_ok_and(|secret| agree_ephemeral(secret, &theirs, |_| ()).is_ok());
        let shared = if self.is_p256 {
            let point = PublicKey::from_sec1_bytes(share).ok().filter(|_| is_share);
            let key = own.and_then(|own| SecretKey::from_slice(&own).ok());
            point.zip(key).map(|(point, key)| {
                let shared = point.to_projective() * *key.to_nonzero_scalar();
                let shared = shared.to_affine().to_encoded_point(false);
                shared.x().map(|x| x.to_vec()).unwrap_or_default()
            })
        } else {
            let point = <[u8; 32]>::try_from(share).ok();
            let shared = point
                .zip(own)
                .map(|(point, own)| x25519(own, point).to_vec());
            let is_zero = shared.as_ref().is_none_or(|shared| *shared == [0; 32]);
            assert_eq!(is_share, !is_zero, "the others do not agree: {share:02x?}");
            shared
        };
        if is_share { Ok(shared) } else { Err(()) }
    }
}

/// A point of P-256 in another form (SEC 1, 2.3.3; X9.62, 4.3.6).
pub(super) fn in_form(form: u8, point: Vec<u8>) -> Vec<u8> {
    let Some((x, y)) = point.get(1..).and_then(|both| both.split_at_checked(32)) else {
        return point;
    };
    let odd = y.last().map_or(0, |last| last & 1);
    match form % 3 {
        0 => [&[2 + odd], x].concat(),
        1 => [&[6 + odd], x, y].concat(),
        _ => [&[5], x].concat(),
    }
}
