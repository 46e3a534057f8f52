//! What a server may say first.

use super::reason::GuardError;

const SERVER_HELLO: u8 = 2;

/// Instead of random bytes, in what is no hello (RFC 8446, 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

const TLS13: [u8; 2] = [3, 4];
const SECP256R1: [u8; 2] = [0, 23];

/// An uncompressed point of P-256.
const POINT: usize = 65;

/// What the client has offered, as far as it had a choice. It has no session to resume, and one share of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) suite: u16,
    pub(super) has_psk: bool,
}

/// Whether `message` is a hello, whole and alone, that takes up the offer.
pub(super) fn check_server_hello(message: &[u8], offer: Offer) -> Result<(), GuardError> {
    let mut rest = message;
    let [typ] = take(&mut rest)?;
    if typ != SERVER_HELLO {
        return Err(GuardError::UnexpectedMessage);
    }
    let [high, middle, low] = take(&mut rest)?;
    let length = u32::from_be_bytes([0, high, middle, low]);
    match usize::try_from(length).map(|length| length.cmp(&rest.len())) {
        Ok(core::cmp::Ordering::Equal) => {}
        Ok(core::cmp::Ordering::Less) => return Err(GuardError::UnexpectedMessage),
        _ => return Err(GuardError::Parted),
    }
    let version = take(&mut rest)?;
    let random = take::<32>(&mut rest)?;
    let [session_id] = take(&mut rest)?;
    let suite = u16::from_be_bytes(take(&mut rest)?);
    let [compression] = take(&mut rest)?;
    if version != [3, 3] || session_id != 0 || compression != 0 {
        return Err(GuardError::IllegalHello);
    }
    if random == RETRY_RANDOM {
        return Err(GuardError::HelloRetry);
    }
    if suite != offer.suite {
        return Err(GuardError::IllegalHello);
    }
    let chosen = check_extensions(rest)?;
    if chosen.version && chosen.share && chosen.psk == offer.has_psk {
        Ok(())
    } else {
        // Without certificates on one side and without the key on the other, they could not agree.
        Err(GuardError::IllegalHello)
    }
}

#[derive(Default)]
struct Chosen {
    version: bool,
    share: bool,
    psk: bool,
}

fn check_extensions(mut rest: &[u8]) -> Result<Chosen, GuardError> {
    let mut chosen = Chosen::default();
    let length = usize::from(u16::from_be_bytes(take(&mut rest)?));
    if length != rest.len() {
        return Err(GuardError::Malformed);
    }
    while !rest.is_empty() {
        let typ = u16::from_be_bytes(take(&mut rest)?);
        let length = usize::from(u16::from_be_bytes(take(&mut rest)?));
        let (data, others) = rest.split_at_checked(length).ok_or(GuardError::Malformed)?;
        rest = others;
        let (seen, is_right) = match typ {
            SUPPORTED_VERSIONS => (&mut chosen.version, data == TLS13),
            KEY_SHARE => (&mut chosen.share, is_share(data)),
            // The first of one identity.
            PRE_SHARED_KEY => (&mut chosen.psk, data == [0, 0]),
            _ => return Err(GuardError::IllegalHello),
        };
        if *seen || !is_right {
            return Err(GuardError::IllegalHello);
        }
        *seen = true;
    }
    Ok(chosen)
}

fn is_share(mut data: &[u8]) -> bool {
    take(&mut data) == Ok(SECP256R1)
        && take(&mut data) == Ok([0, POINT as u8])
        && take(&mut data) == Ok([4])
        && data.len() == POINT - 1
}

/// The next bytes of `rest`.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], GuardError> {
    let (&first, others) = rest.split_first_chunk().ok_or(GuardError::Malformed)?;
    *rest = others;
    Ok(first)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    pub(crate) const OFFER: Offer = Offer {
        suite: 0x1301,
        has_psk: false,
    };

    const VERSION: &[u8] = &[0, 43, 0, 2, 3, 4];

    fn share() -> Vec<u8> {
        [&[0, 51, 0, 69, 0, 23, 0, 65, 4][..], &[7; 64]].concat()
    }

    /// With these extensions, or with the right ones.
    pub(crate) fn hello(extensions: &[&[u8]]) -> Vec<u8> {
        let share = share();
        let right = [VERSION, &share];
        let extensions = if extensions.is_empty() {
            right.concat()
        } else {
            extensions.concat()
        };
        let length = u16::try_from(extensions.len()).expect("short");
        let body = [
            &[3, 3][..],
            &[9; 32],
            &[0, 0x13, 0x01, 0],
            &length.to_be_bytes(),
            &extensions,
        ]
        .concat();
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        [&[SERVER_HELLO], &length[1..], &body].concat()
    }

    #[test]
    fn a_hello_that_takes_up_the_offer_passes() {
        assert_eq!(check_server_hello(&hello(&[]), OFFER), Ok(()));
        let share = share();
        let turned = hello(&[&share, VERSION]);
        assert_eq!(check_server_hello(&turned, OFFER), Ok(()));
        let psk = hello(&[&share, VERSION, &[0, 41, 0, 2, 0, 0]]);
        let offer = Offer {
            has_psk: true,
            ..OFFER
        };
        assert_eq!(check_server_hello(&psk, offer), Ok(()));
    }

    #[test]
    fn one_that_goes_on_elsewhere_or_is_not_alone_does_not() {
        let whole = hello(&[]);
        for length in 4..whole.len() {
            let part = check_server_hello(&whole[..length], OFFER);
            assert_eq!(part, Err(GuardError::Parted), "{length}");
        }
        for length in 0..4 {
            let part = check_server_hello(&whole[..length], OFFER);
            assert_eq!(part, Err(GuardError::Malformed), "{length}");
        }
        let followed = [&whole[..], &[8, 0, 0, 2, 0, 0]].concat();
        let followed = check_server_hello(&followed, OFFER);
        assert_eq!(followed, Err(GuardError::UnexpectedMessage));
    }

    #[test]
    fn each_choice_must_have_been_offered() {
        let good = hello(&[]);
        // The version of the message, the length of the session's name, the suite, the compression.
        for (place, byte) in [(4, 2), (5, 1), (38, 1), (39, 0), (40, 2), (41, 1)] {
            let mut bad = good.clone();
            bad[place] = byte;
            let refused = check_server_hello(&bad, OFFER).expect_err("not offered");
            assert!(
                matches!(refused, GuardError::IllegalHello | GuardError::Malformed),
                "{place}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_request_for_another_hello_is_named() {
        let mut retry = hello(&[VERSION, &[0, 51, 0, 2, 0, 29]]);
        retry[6..38].copy_from_slice(&RETRY_RANDOM);
        let refused = check_server_hello(&retry, OFFER);
        assert_eq!(refused, Err(GuardError::HelloRetry));
    }

    #[test]
    fn extensions_that_are_missing_doubled_unknown_or_wrong_are_refused() {
        let share = share();
        let cookie: &[u8] = &[0, 44, 0, 1, 0];
        let psk: &[u8] = &[0, 41, 0, 2, 0, 0];
        let (mut other_group, mut short, mut packed) =
            (share.clone(), share.clone(), share.clone());
        other_group[5] = 29;
        short.pop();
        short[3] = 68;
        packed[8] = 2;
        for extensions in [
            &[VERSION][..],
            &[&share],
            &[VERSION, VERSION, &share],
            &[VERSION, &share, &share],
            &[VERSION, &share, cookie],
            &[VERSION, &share, psk],
            &[&[0, 43, 0, 2, 3, 3], &share],
            &[&[0, 43, 0, 3, 3, 4, 0], &share],
            &[VERSION, &other_group],
            &[VERSION, &short],
            &[VERSION, &packed],
        ] {
            let refused = check_server_hello(&hello(extensions), OFFER);
            assert_eq!(refused, Err(GuardError::IllegalHello), "{extensions:?}");
        }
        let offer = Offer {
            has_psk: true,
            ..OFFER
        };
        let other_key: &[u8] = &[0, 41, 0, 2, 0, 1];
        for extensions in [&[VERSION, &share[..]][..], &[VERSION, &share, other_key]] {
            let refused = check_server_hello(&hello(extensions), offer);
            assert_eq!(refused, Err(GuardError::IllegalHello), "{extensions:?}");
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_a_panic() {
        let good = hello(&[]);
        for place in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[place] ^= 1 << bit;
                let _ = check_server_hello(&bad, OFFER);
            }
            let mut cut = good[..place].to_vec();
            if let [_, _, _, length, ..] = &mut cut[..] {
                *length = u8::try_from(place.saturating_sub(4)).expect("short");
            }
            let refused = check_server_hello(&cut, OFFER);
            assert!(refused.is_err(), "cut at {place}");
        }
        assert!(check_server_hello(&vec![2; 300], OFFER).is_err());
    }
}
