//! What has to come from a server, and in which order.

use embedded_tls::{
    Aes128GcmSha256, CertificateEntryRef, CertificateRef, Sha256, SignatureScheme, TlsVerifier,
};
use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use tacket_tests::NAME;
use tacket_tls::pki_types::ServerName;
use tacket_tls::{
    Anchors, Fingerprint, GuardTrust, GuardVerifier, PeerIdentity, Validity, VerifyError,
};

use super::certificates::{
    NOW, Owner, assert_refused, authority, message, present, prove, scheme_of, server, verify_in,
};

const ECDSA: SignatureScheme = SignatureScheme::EcdsaSecp256r1Sha256;

/// Runs `test` on a verifier, and on somebody whom it trusts.
fn with_verifier(test: impl FnOnce(GuardVerifier<'_>, &Owner)) {
    let root = Owner::root("root");
    let owner = root.issue(server(&[NAME]));
    let roots = [root.der.clone()];
    let anchors = Anchors::from_certificates(&roots).expect("an authority");
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
    let name = ServerName::try_from(NAME).expect("a name");
    test(GuardVerifier::new(trust, &name, NOW), &owner);
}

#[test]
fn a_certificate_and_then_its_signature_verify_a_server_and_tell_which_certificate_it_was() {
    with_verifier(|mut verifier, owner| {
        assert_eq!(verifier.verdict(), Err(VerifyError::NoCertificate));
        assert_eq!(verifier.refusal(), None);
        present(&mut verifier, &[&owner.der]).expect("trusted");
        assert_eq!(verifier.verdict(), Err(VerifyError::NoSignature));
        assert_eq!(verifier.refusal(), None);
        prove(&mut verifier, ECDSA, &owner.sign(&message())).expect("its key");
        let fingerprint = Fingerprint::of_certificate(&owner.der).expect("a hash");
        assert_eq!(
            verifier.verdict(),
            Ok(PeerIdentity::Certificate(fingerprint))
        );
    });
}

#[test]
fn a_message_without_certificates_is_refused() {
    with_verifier(|mut verifier, _| {
        let presented = present(&mut verifier, &[]);
        assert_refused(&mut verifier, presented, VerifyError::NoCertificate);
    });
}

#[test]
fn a_signature_before_the_certificate_is_refused_and_so_is_the_certificate_after_it() {
    with_verifier(|mut verifier, owner| {
        let proved = prove(&mut verifier, ECDSA, &owner.sign(&message()));
        assert_refused(&mut verifier, proved, VerifyError::UnexpectedSignature);
        let presented = present(&mut verifier, &[&owner.der]);
        assert_refused(&mut verifier, presented, VerifyError::UnexpectedSignature);
    });
}

#[test]
fn a_second_message_with_certificates_is_refused() {
    with_verifier(|mut verifier, owner| {
        present(&mut verifier, &[&owner.der]).expect("trusted");
        let presented = present(&mut verifier, &[&owner.der]);
        assert_refused(&mut verifier, presented, VerifyError::UnexpectedCertificate);
    });
    with_verifier(|mut verifier, owner| {
        present(&mut verifier, &[&owner.der]).expect("trusted");
        prove(&mut verifier, ECDSA, &owner.sign(&message())).expect("its key");
        let presented = present(&mut verifier, &[&owner.der]);
        assert_refused(&mut verifier, presented, VerifyError::UnexpectedCertificate);
    });
}

#[test]
fn a_second_signature_is_refused() {
    with_verifier(|mut verifier, owner| {
        present(&mut verifier, &[&owner.der]).expect("trusted");
        prove(&mut verifier, ECDSA, &owner.sign(&message())).expect("its key");
        let proved = prove(&mut verifier, ECDSA, &owner.sign(&message()));
        assert_refused(&mut verifier, proved, VerifyError::UnexpectedSignature);
    });
}

#[test]
fn a_signature_of_another_key_or_of_something_else_is_refused() {
    let other = Owner::root("other");
    let mut as_client = message();
    as_client.splice(73..79, *b"client");
    let mut longer = message();
    longer.push(0);
    let mut another_transcript = message();
    *another_transcript.last_mut().expect("a hash") ^= 1;
    let owner = Owner::root("owner");
    let keys = [Fingerprint::of_key(&owner.der).expect("a key")];
    let trust = GuardTrust::in_keys(&keys).expect("one");
    let name = ServerName::try_from(NAME).expect("a name");
    let good = owner.sign(&message());
    let cases = [
        ("of another key", other.sign(&message())),
        ("of a client", owner.sign(&as_client)),
        ("of more", owner.sign(&longer)),
        ("of another handshake", owner.sign(&another_transcript)),
        ("none", Vec::new()),
        ("short", good[..good.len() - 1].to_vec()),
        ("long", [&good[..], &[0]].concat()),
        (
            "zeros",
            vec![0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00],
        ),
        ("not in DER", vec![0; 64]),
    ];
    for (what, signature) in cases {
        let mut verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
        present(&mut verifier, &[&owner.der]).expect(what);
        let proved = prove(&mut verifier, ECDSA, &signature);
        assert_refused(&mut verifier, proved, VerifyError::BadProof);
    }
}

#[test]
fn every_kind_of_key_signs_by_its_own_scheme_and_no_other() {
    let root = Owner::root("root");
    let owners = [
        root.issue(server(&[NAME])),
        root.issue_for(&PKCS_ECDSA_P384_SHA384, server(&[NAME])),
        root.issue_for(&PKCS_ED25519, server(&[NAME])),
    ];
    let schemes = [
        ECDSA,
        SignatureScheme::EcdsaSecp384r1Sha384,
        SignatureScheme::Ed25519,
        SignatureScheme::EcdsaSecp521r1Sha512,
        SignatureScheme::RsaPssRsaeSha256,
        SignatureScheme::RsaPkcs1Sha256,
        SignatureScheme::EcdsaSha1,
        SignatureScheme::Ed448,
        SignatureScheme::MlDsa44,
    ];
    let roots = [root.der.clone()];
    let anchors = Anchors::from_certificates(&roots).expect("an authority");
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
    let name = ServerName::try_from(NAME).expect("a name");
    for (kind, owner) in owners.iter().enumerate() {
        for (number, scheme) in schemes.iter().enumerate() {
            let mut verifier = GuardVerifier::new(trust, &name, NOW);
            present(&mut verifier, &[&owner.der]).expect("trusted");
            let proved = prove(&mut verifier, *scheme, &owner.sign(&message()));
            if kind == number {
                assert_eq!(*scheme, scheme_of(owner));
                proved.expect("its scheme");
                verifier.verdict().expect("verified");
            } else {
                assert_refused(&mut verifier, proved, VerifyError::WrongScheme);
            }
        }
    }
}

#[test]
fn certificates_may_be_signed_by_any_algorithm_that_is_built_in() {
    let root = Owner::root("root");
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let middle = root.issue_for(algorithm, authority("middle"));
        let owner = middle.issue(server(&[NAME]));
        verify_in([&root], NOW, &[&owner, &middle]).expect("trusted");
        // The same, signed by somebody else with such a key.
        let forger = root.issue_for(algorithm, authority("middle"));
        let forged = forger.issue(server(&[NAME]));
        let outcome = verify_in([&root], NOW, &[&forged, &middle]);
        assert_eq!(outcome, Err(VerifyError::BadSignature));
    }
}

#[test]
fn a_bare_key_is_no_certificate() {
    with_verifier(|mut verifier, owner| {
        let mut message = CertificateRef::with_context(&[]);
        let entry = CertificateEntryRef::RawPublicKey(&owner.der);
        message.add(entry).expect("room");
        let presented = TlsVerifier::<Aes128GcmSha256>::verify_certificate(
            &mut verifier,
            &Sha256::default(),
            message,
        );
        assert_refused(&mut verifier, presented, VerifyError::UnsupportedKey);
    });
}
