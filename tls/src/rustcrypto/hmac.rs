//! HMAC with SHA-256, which rustls makes HKDF of.

use alloc::boxed::Box;

use hmac::Mac as _;
use rustls::crypto::hmac::{Hmac, Key, Tag};
use sha2_0_10::Sha256;

use super::hash;

/// HMAC (RFC 2104) with SHA-256.
pub(super) struct HmacSha256;

impl Hmac for HmacSha256 {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        Box::new(Keyed::new(key))
    }

    fn hash_output_len(&self) -> usize {
        hash::SIZE
    }
}

/// One that a key was put into.
struct Keyed(hmac::Hmac<Sha256>);

impl Keyed {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn new(key: &[u8]) -> Self {
        Self(hmac::Hmac::new_from_slice(key).expect("of any length"))
    }
}

impl Key for Keyed {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(first);
        for part in middle {
            mac.update(part);
        }
        mac.update(last);
        Tag::new(&mac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        hash::SIZE
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use rustls::crypto::tls13::{Hkdf as _, HkdfUsingHmac};

    use super::super::vectors::hex;
    use super::*;

    /// RFC 4231, 4.2 to 4.7: a key, data and the tag, of which 4.6 has the beginning.
    fn known() -> [(Vec<u8>, Vec<u8>, &'static str); 7] {
        [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                (1..=0x19).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                vec![0x0c; 20],
                b"Test With Truncation".to_vec(),
                "a3b6167473100ee06e0c796c2955552b",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than \
                  block-size data. The key needs to be hashed before being used by the HMAC \
                  algorithm."
                    .to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ]
    }

    #[test]
    fn tags_are_those_of_the_standard_however_the_data_is_cut() {
        assert_eq!(HmacSha256.hash_output_len(), hash::SIZE);
        for (key, data, tag) in known() {
            let (key, tag) = (HmacSha256.with_key(&key), hex(tag));
            assert_eq!(key.tag_len(), hash::SIZE);
            assert_eq!(key.sign(&[&data]).as_ref()[..tag.len()], tag);
            let (first, others) = data.split_at(data.len() / 3);
            let (middle, last) = others.split_at(others.len() / 2);
            let (one, other) = middle.split_at(1);
            let parted = key.sign_concat(first, &[one, other], last);
            assert_eq!(parted.as_ref().len(), hash::SIZE);
            assert_eq!(parted.as_ref()[..tag.len()], tag);
        }
    }

    /// RFC 5869, A.1 to A.3.
    #[test]
    fn keys_are_derived_as_in_the_standard() {
        let hkdf = HkdfUsingHmac(&HmacSha256);
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let salt: Vec<u8> = (0..=0x0c).collect();
        let mut derived = [0; 42];
        let expander = hkdf.extract_from_secret(Some(&salt), &[0x0b; 22]);
        expander
            .expand_slice(&[&info], &mut derived)
            .expect("short");
        assert_eq!(
            derived[..],
            hex(
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
            )
        );

        let (secret, salt): (Vec<u8>, Vec<u8>) = ((0..0x50).collect(), (0x60..0xb0).collect());
        let info: Vec<u8> = (0xb0..=0xff).collect();
        let mut derived = [0; 82];
        let expander = hkdf.extract_from_secret(Some(&salt), &secret);
        expander
            .expand_slice(&[&info], &mut derived)
            .expect("short");
        assert_eq!(
            derived[..],
            hex(
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                 da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
            )
        );

        let mut derived = [0; 42];
        let expander = hkdf.extract_from_secret(None, &[0x0b; 22]);
        expander.expand_slice(&[], &mut derived).expect("short");
        assert_eq!(
            derived[..],
            hex(
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
            )
        );
    }
}
