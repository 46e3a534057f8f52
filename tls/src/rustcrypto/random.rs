//! Secrets, made of the random bytes of the board.

use p256::elliptic_curve::zeroize::Zeroizing;
use rustls::crypto::{GetRandomFailed, SecureRandom};

/// How long a secret is, of every algorithm here.
const SIZE: usize = 32;

/// A secret of random bytes.
///
/// It is made of twice as many. A source that is read faster than it brings new bytes brings the same ones again, and those that
/// were the random of a hello are known to everybody: with other ones mixed in, they can be of no harm.
///
/// # Errors
///
/// There are none, or they repeat.
pub(super) fn draw_secret(
    random: &dyn SecureRandom,
) -> Result<Zeroizing<[u8; SIZE]>, GetRandomFailed> {
    let mut secret = Zeroizing::new([0; SIZE]);
    let mut others = Zeroizing::new([0; SIZE]);
    random.fill(&mut *secret)?;
    random.fill(&mut *others)?;
    for (byte, other) in secret.iter_mut().zip(others.iter()) {
        *byte ^= other;
    }
    // Two that are equal leave nothing but zeros, two that are constant one word again and again. All are looked at, so that the time it
    // takes does not tell where they differ.
    let before = secret.iter();
    let after = secret.iter().skip(4);
    let difference = before
        .zip(after)
        .fold(0, |all, (one, other)| all | (one ^ other));
    if difference == 0 {
        return Err(GetRandomFailed);
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{NoEntropy, Scripted};
    use super::*;

    #[test]
    fn a_secret_is_made_of_two_draws() {
        let (one, other) = ([0x5a; 32], counted());
        let drawn = draw_secret(Scripted::new(&[&one, &other])).expect("they differ");
        assert_eq!(*drawn, other.map(|byte| byte ^ 0x5a));
    }

    #[test]
    fn without_random_bytes_or_with_such_that_repeat_there_is_no_secret() {
        draw_secret(&NoEntropy).expect_err("there are none");
        let (one, mixed) = ([3; 32], counted());
        draw_secret(Scripted::new(&[&mixed])).expect_err("there are none for the second draw");
        for [first, second] in [[&one, &one], [&mixed, &mixed], [&[0; 32], &one]] {
            draw_secret(Scripted::new(&[first, second])).expect_err("they repeat");
        }
    }

    fn counted() -> [u8; 32] {
        core::array::from_fn(|index| u8::try_from(index).expect("short"))
    }
}
