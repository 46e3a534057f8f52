//! What is made of several algorithms at once, as it was published: the key schedule, and signatures.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::ff::PrimeField as _;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{ProjectivePoint, Scalar, U256};
use rustls::SignatureScheme;
use rustls::crypto::KeyProvider as _;
use rustls::crypto::hmac::Hmac as _;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, HkdfUsingHmac, OkmBlock};
use rustls_pki_types::PrivateSec1KeyDer;

use super::hmac::HmacSha256;
use super::signing::Keys;
use super::suites;
use super::vectors::{Scripted, hex};

/// RFC 8446, 7.1.
fn expand(from: &dyn HkdfExpander, label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let length_and_label = [
        u8::try_from(length).expect("short"),
        6 + length_of(label.as_bytes()),
    ];
    let mut expanded = vec![0; length];
    let info: [&[u8]; 5] = [
        &[0, length_and_label[0], length_and_label[1]],
        b"tls13 ",
        label.as_bytes(),
        &[length_of(context)],
        context,
    ];
    from.expand_slice(&info, &mut expanded).expect("short");
    expanded
}

fn length_of(bytes: &[u8]) -> u8 {
    bytes.len().try_into().expect("short")
}

/// RFC 8448, 3: secrets by their labels, and the keys that are made of them.
#[test]
fn the_key_schedule_is_that_of_the_traces() {
    let hellos = "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8";
    let to_server_finished = "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13";
    let to_client_finished = "209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d";
    let hashed_nothing = hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let shared = hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
    for suite in [
        suites::TLS13_AES_128_GCM_SHA256,
        suites::TLS13_CHACHA20_POLY1305_SHA256,
    ] {
        let hkdf: &dyn Hkdf = suite.tls13().expect("1.3").hkdf_provider;
        let check = |from: &dyn HkdfExpander, secrets: &[(&str, &str, &str)]| {
            for (label, context, secret) in secrets {
                assert_eq!(
                    expand(from, label, &hex(context), 32),
                    hex(secret),
                    "{label}"
                );
            }
        };
        let early = hkdf.extract_from_zero_ikm(None);
        let derived = expand(&*early, "derived", &hashed_nothing, 32);
        assert_eq!(
            derived,
            hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba")
        );
        let handshake = hkdf.extract_from_secret(Some(&derived), &shared);
        check(
            &*handshake,
            &[
                (
                    "c hs traffic",
                    hellos,
                    "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
                ),
                (
                    "s hs traffic",
                    hellos,
                    "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
                ),
            ],
        );
        let derived = expand(&*handshake, "derived", &hashed_nothing, 32);
        assert_eq!(
            derived,
            hex("43de77e0c77713859a944db9db2590b53190a65b3ee2e4f12dd7a0bb7ce254b4")
        );
        let master = hkdf.extract_from_zero_ikm(Some(&derived));
        check(
            &*master,
            &[
                (
                    "c ap traffic",
                    to_server_finished,
                    "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                ),
                (
                    "s ap traffic",
                    to_server_finished,
                    "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                ),
                (
                    "exp master",
                    to_server_finished,
                    "fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50",
                ),
                (
                    "res master",
                    to_client_finished,
                    "7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c",
                ),
            ],
        );
        for (secret, key, iv) in [
            (
                "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
                "dbfaa693d1762c5b666af5d950258d01",
                "5bd3c71b836e0b76bb73265f",
            ),
            (
                "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
                "3fce516009c21727d0f2e4e86ee403bc",
                "5d313eb2671276ee13000b30",
            ),
            (
                "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                "17422dda596ed5d9acd890e3c63f5051",
                "5b78923dee08579033e523d9",
            ),
            (
                "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                "9f02283b6c9c07efc26bb9f2ac92e356",
                "cf782b88dd83549aadf1e984",
            ),
        ] {
            let secret = hkdf.expander_for_okm(&OkmBlock::new(&hex(secret)));
            assert_eq!(expand(&*secret, "key", &[], 16), hex(key));
            assert_eq!(expand(&*secret, "iv", &[], 12), hex(iv));
        }
        // The client's last message.
        let secret = hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21");
        let secret = hkdf.expander_for_okm(&OkmBlock::new(&secret));
        let key = OkmBlock::new(&expand(&*secret, "finished", &[], 32));
        let proof = hkdf.hmac_sign(&key, &hex(to_server_finished));
        assert_eq!(
            proof.as_ref(),
            hex("a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61")
        );
    }
}

/// RFC 5869, 2.3.
#[test]
fn no_more_is_derived_of_a_key_than_the_standard_allows() {
    let expander: Box<dyn HkdfExpander> =
        HkdfUsingHmac(&HmacSha256).extract_from_secret(None, b"secret");
    let most = 255 * expander.hash_len();
    assert_eq!(expander.hash_len(), 32);
    let mut derived = vec![0; most + 1];
    expander
        .expand_slice(&[], &mut derived[..most])
        .expect("as much as there is");
    assert_ne!(derived[most - 32..most], [0; 32]);
    expander
        .expand_slice(&[], &mut derived)
        .expect_err("more than there is");
}

/// RFC 6979, A.2.5: a private key, two texts, and the numbers of their signatures.
const SECRET: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const KNOWN: [(&[u8], &str, &str); 2] = [
    (
        b"sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        b"test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
];

/// A signature by the steps of RFC 6979, 3.2, with these additional bytes (3.6), and of SEC 1, 4.1.3: r and s.
fn sign_by_steps(secret: &[u8], text: &[u8], additional: &[u8]) -> [Vec<u8>; 2] {
    let mac = |key: &[u8], parts: &[&[u8]]| {
        let tag = HmacSha256.with_key(key).sign(parts);
        tag.as_ref().to_vec()
    };
    let hash = <Scalar as Reduce<U256>>::reduce_bytes(
        &<sha2_0_10::Sha256 as digest::Digest>::digest(text),
    );
    let hashed = hash.to_repr();
    let (mut key, mut value) = (vec![0; 32], vec![1; 32]);
    for step in [0, 1] {
        key = mac(&key, &[&value, &[step], secret, &hashed, additional]);
        value = mac(&key, &[&value]);
    }
    value = mac(&key, &[&value]);
    let scalar = |bytes: &[u8]| {
        let bytes: [u8; 32] = bytes.try_into().expect("32 bytes");
        Scalar::from_repr(bytes.into()).expect("below the order")
    };
    let number = scalar(&value);
    let point = (ProjectivePoint::GENERATOR * number).to_affine();
    let r = <Scalar as Reduce<U256>>::reduce_bytes(&point.x());
    let inverse = number.invert().expect("it is not zero");
    let s = inverse * (hash + r * scalar(secret));
    [r.to_repr().to_vec(), s.to_repr().to_vec()]
}

/// The steps are those of the standard, and so is what the algorithm does without random bytes.
#[test]
fn signatures_without_random_bytes_are_those_of_the_standard() {
    let secret = hex(SECRET);
    for (text, r, s) in KNOWN {
        let numbers = [hex(r), hex(s)];
        assert_eq!(sign_by_steps(&secret, text, &[]), numbers);
        let signed: Signature = SigningKey::from_slice(&secret).expect("a key").sign(text);
        assert_eq!(signed.to_bytes().to_vec(), numbers.concat());
    }
}

/// There are no published signatures with random bytes, but there are the steps.
#[test]
fn the_number_of_a_signature_is_made_of_the_key_the_text_and_the_random_bytes() {
    let secret = hex(SECRET);
    // SEC 1, C.4.
    let der = [&[0x30, 0x25, 2, 1, 1, 4, 32], &secret[..]].concat();
    let drawn: Vec<u8> = (100..132).collect();
    for (text, ..) in KNOWN {
        let random = Scripted::one_secret(&drawn);
        let der = PrivateSec1KeyDer::from(der.clone());
        let key = Keys { random }.load_private_key(der.into()).expect("a key");
        let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let signed = signer.expect("it is offered").sign(text).expect("signs");
        let signed = Signature::from_der(&signed).expect("a signature");
        assert_eq!(
            signed.to_bytes().to_vec(),
            sign_by_steps(&secret, text, &drawn).concat()
        );
    }
}
