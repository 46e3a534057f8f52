//! Certificates and signatures that are damaged: refused, and never a panic.

use embedded_tls::SignatureScheme;
use tacket_tests::NAME;
use tacket_tls::pki_types::{CertificateDer, ServerName};
use tacket_tls::{Anchors, Fingerprint, GuardTrust, GuardVerifier, Validity, VerifyError};

use super::certificates::{NOW, Owner, authority, message, present, prove, server};

const ECDSA: SignatureScheme = SignatureScheme::EcdsaSecp256r1Sha256;

/// What a client that trusts `root`, with and without a clock, says of this chain: the same.
fn present_to(root: &Owner, chain: &[&[u8]]) -> Result<(), VerifyError> {
    let roots = [root.der.clone()];
    let anchors = Anchors::from_certificates(&roots).expect("an authority");
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
    let name = ServerName::try_from(NAME).expect("a name");
    let mut verifier = GuardVerifier::new(trust, &name, NOW);
    let outcome = present(&mut verifier, chain);
    assert_eq!(outcome.is_ok(), verifier.refusal().is_none());
    verifier.refusal().map_or(Ok(()), Err)
}

/// Each way to end it early, to change a bit of a byte, and to replace it.
fn damaged(der: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cuts = (0..der.len()).map(|length| der[..length].to_vec());
    let flips = (0..der.len()).flat_map(|at| {
        [1 << (at % 8), 0xff].map(|change| {
            let mut der = der.to_vec();
            der[at] ^= change;
            der
        })
    });
    let longer = [[der, &[0]].concat(), [der, der].concat()];
    cuts.chain(flips).chain(longer)
}

#[test]
fn no_damaged_certificate_is_trusted() {
    let root = Owner::root("root");
    let middle = root.issue(authority("middle"));
    let owner = middle.issue(server(&[NAME]));
    present_to(&root, &[&owner.der, &middle.der]).expect("trusted");
    for der in damaged(&owner.der) {
        let outcome = present_to(&root, &[&der, &middle.der]);
        assert!(outcome.is_err(), "{der:02x?}");
    }
    for der in damaged(&middle.der) {
        let outcome = present_to(&root, &[&owner.der, &der]);
        assert!(outcome.is_err(), "{der:02x?}");
    }
}

#[test]
fn a_damaged_certificate_of_no_use_does_no_harm() {
    let root = Owner::root("root");
    let middle = root.issue(authority("middle"));
    let owner = middle.issue(server(&[NAME]));
    let cut = &middle.der[..middle.der.len() / 2];
    present_to(&root, &[&owner.der, cut, &middle.der]).expect("trusted");
    present_to(&root, &[&owner.der, &middle.der, &[]]).expect("trusted");
}

#[test]
fn no_damaged_certificate_without_a_clock_or_with_a_pin_causes_a_panic() {
    let root = Owner::root("root");
    let owner = root.issue(server(&[NAME]));
    let roots = [root.der.clone()];
    let anchors = Anchors::from_certificates(&roots).expect("an authority");
    let keys = [Fingerprint::of_key(&owner.der).expect("a key")];
    let certificates = [Fingerprint::of_certificate(&owner.der).expect("a hash")];
    let name = ServerName::try_from(NAME).expect("a name");
    for der in damaged(&owner.der) {
        let in_roots = GuardTrust::in_roots(anchors.as_slice()).expect("one");
        let mut verifier = GuardVerifier::new(in_roots, &name, Validity::Unchecked);
        present(&mut verifier, &[&der]).expect_err("damaged");
        let in_certificates = GuardTrust::in_certificates(&certificates).expect("one");
        let mut verifier = GuardVerifier::new(in_certificates, &name, Validity::Unchecked);
        present(&mut verifier, &[&der]).expect_err("damaged");
        // A key is trusted whatever is around it, but then it is this key.
        let in_keys = GuardTrust::in_keys(&keys).expect("one");
        let mut verifier = GuardVerifier::new(in_keys, &name, Validity::Unchecked);
        if present(&mut verifier, &[&der]).is_ok() {
            let signature = owner.sign(&message());
            prove(&mut verifier, ECDSA, &signature).expect("its key");
        }
        // As a root it is somebody, or nobody.
        let _ = Anchors::from_certificates(&[CertificateDer::from_slice(&der)]);
    }
}

#[test]
fn a_damaged_root_is_nobody_or_somebody_else() {
    let root = Owner::root("root");
    let owner = root.issue(server(&[NAME]));
    let name = ServerName::try_from(NAME).expect("a name");
    let (mut nobody, mut trusted) = (0, 0);
    for der in damaged(&root.der) {
        let roots = [CertificateDer::from_slice(&der)];
        let Ok(anchors) = Anchors::from_certificates(&roots) else {
            nobody += 1;
            continue;
        };
        let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
        let mut verifier = GuardVerifier::new(trust, &name, NOW);
        trusted += usize::from(present(&mut verifier, &[&owner.der]).is_ok());
    }
    // A root need not be signed: only its name, its key and its constraints count.
    assert!(nobody > root.der.len() && trusted > 0, "{nobody} {trusted}");
}

#[test]
fn no_damaged_signature_of_the_handshake_is_accepted() {
    let owner = Owner::root("root");
    let keys = [Fingerprint::of_key(&owner.der).expect("a key")];
    let trust = GuardTrust::in_keys(&keys).expect("one");
    let name = ServerName::try_from(NAME).expect("a name");
    let signature = owner.sign(&message());
    for damaged in damaged(&signature) {
        let mut verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
        present(&mut verifier, &[&owner.der]).expect("pinned");
        prove(&mut verifier, ECDSA, &damaged).expect_err("damaged");
        assert_eq!(verifier.verdict(), Err(VerifyError::BadProof));
    }
}

#[test]
fn keys_and_algorithms_that_are_not_built_in_are_refused_as_such() {
    fn replace(der: &[u8], from: &[u8], to: &[u8]) -> (Vec<u8>, usize) {
        let mut der = der.to_vec();
        let mut count = 0;
        for at in 0..=der.len() - from.len() {
            if der[at..].starts_with(from) {
                der[at..at + to.len()].copy_from_slice(to);
                count += 1;
            }
        }
        (der, count)
    }
    let owner = Owner::root("root");
    let name = ServerName::try_from(NAME).expect("a name");
    // The curve prime239v3 instead of prime256v1.
    let p256 = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
    let (of_another_curve, count) = replace(&owner.der, p256, b"\x2a\x86\x48\xce\x3d\x03\x01\x06");
    assert_eq!(count, 1);
    let hash = ring::digest::digest(&ring::digest::SHA256, &of_another_curve);
    let pins = [Fingerprint::new(
        hash.as_ref().try_into().expect("32 bytes"),
    )];
    let trust = GuardTrust::in_certificates(&pins).expect("one");
    let mut verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
    present(&mut verifier, &[&of_another_curve]).expect_err("an unknown key");
    assert_eq!(verifier.refusal(), Some(VerifyError::UnsupportedKey));

    // With SHA-512 instead of SHA-256.
    let certified = owner.issue(server(&[NAME]));
    let sha256 = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
    let sha512 = b"\x2a\x86\x48\xce\x3d\x04\x03\x04";
    let (of_another_hash, count) = replace(&certified.der, sha256, sha512);
    assert_eq!(count, 2);
    let outcome = present_to(&owner, &[&of_another_hash]);
    assert_eq!(outcome, Err(VerifyError::UnsupportedAlgorithm));
    // In one of the two places only.
    let at = certified.der.len() - 80;
    let (tail, count) = replace(&certified.der[at - 12..], sha256, sha512);
    assert_eq!(count, 1);
    let contradictory = [&certified.der[..at - 12], &tail].concat();
    let outcome = present_to(&owner, &[&contradictory]);
    assert_eq!(outcome, Err(VerifyError::Malformed));
}
