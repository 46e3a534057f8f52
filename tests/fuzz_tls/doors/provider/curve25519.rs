//! X25519 as RFC 7748, 5, has it, over integers that know nothing of this curve.

use p256::elliptic_curve::bigint::modular::constant_mod::{Residue, ResidueParams};
use p256::elliptic_curve::bigint::{
    ArrayEncoding as _, Encoding as _, NonZero, U256, impl_modulus,
};

impl_modulus!(
    Prime,
    U256,
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
);

type Element = Residue<Prime, { U256::LIMBS }>;

/// The point of the other party, or `u` of the base: 9.
pub(super) const BASE: [u8; 32] = {
    let mut base = [0; 32];
    base[0] = 9;
    base
};

fn element(mut bytes: [u8; 32]) -> Element {
    bytes[31] &= 0x7f;
    let number = U256::from_le_bytes(bytes);
    let prime = NonZero::from_uint(Prime::MODULUS);
    Element::new(&(number % prime))
}

/// What `secret` makes of the point `u`.
pub(super) fn x25519(mut secret: [u8; 32], u: [u8; 32]) -> [u8; 32] {
    secret[0] &= 0xf8;
    secret[31] = secret[31] & 0x7f | 0x40;
    let factor = Element::new(&U256::from_u32(121_665));
    let (x1, one) = (element(u), Element::ONE);
    let (mut x2, mut z2, mut x3, mut z3) = (one, Element::ZERO, x1, one);
    for bit in (0..255).rev() {
        let is_set = secret
            .get(bit / 8)
            .is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
        if is_set {
            ((x2, z2), (x3, z3)) = ((x3, z3), (x2, z2));
        }
        let (a, b) = (x2.add(&z2), x2.sub(&z2));
        let (c, d) = (x3.add(&z3), x3.sub(&z3));
        let (aa, bb) = (a.square(), b.square());
        let e = aa.sub(&bb);
        let (da, cb) = (d.mul(&a), c.mul(&b));
        x3 = da.add(&cb).square();
        z3 = x1.mul(&da.sub(&cb).square());
        x2 = aa.mul(&bb);
        z2 = e.mul(&aa.add(&factor.mul(&e)));
        if is_set {
            ((x2, z2), (x3, z3)) = ((x3, z3), (x2, z2));
        }
    }
    // The inverse of zero is zero.
    let exponent = Prime::MODULUS.wrapping_sub(&U256::from_u32(2));
    let shared = x2.mul(&z2.pow(&exponent));
    shared.retrieve().to_le_byte_array().into()
}
