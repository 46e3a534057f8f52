//! Whom to trust, and what cannot be trusted at all.

use embedded_tls::SignatureScheme;
use rcgen::{BasicConstraints, IsCa};
use tacket::{Error as _, Fault};
use tacket_tests::{Authority, NAME};
use tacket_tls::pki_types::{CertificateDer, ServerName};
use tacket_tls::{
    Anchors, Fingerprint, GuardTrust, GuardVerifier, PeerIdentity, PreSharedKey, TrustError,
    Validity, VerifyError,
};

use super::certificates::{
    Moment, NOW, Owner, assert_refused, authority, message, present, prove, server, verify,
};

#[test]
fn a_pinned_certificate_is_trusted_whatever_it_says_and_no_other_of_its_key() {
    let owner = Owner::self_signed({
        let mut params = server(&["other.example"]);
        Authority::expire(&mut params);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    });
    let renewed = owner.certified_by(&Owner::root("root"), server(&[NAME]));
    let fingerprint = Fingerprint::of_certificate(&owner.der).expect("a hash");
    let pins = [Fingerprint::new([1; 32]), fingerprint];
    let trust = GuardTrust::in_certificates(&pins).expect("two");
    let unset = Moment(None);
    for validity in [NOW, Validity::Unchecked, Validity::Now(&unset)] {
        let outcome = verify(trust, NAME, validity, &[&owner]);
        assert_eq!(outcome, Ok(PeerIdentity::Certificate(fingerprint)));
        let outcome = verify(trust, NAME, validity, &[&owner, &renewed, &owner]);
        assert_eq!(outcome, Ok(PeerIdentity::Certificate(fingerprint)));
        let outcome = verify(trust, NAME, validity, &[&renewed]);
        assert_eq!(outcome, Err(VerifyError::NotPinned));
        // Only the first certificate counts: its key is the one that signs.
        let outcome = verify(trust, NAME, validity, &[&renewed, &owner]);
        assert_eq!(outcome, Err(VerifyError::NotPinned));
    }
}

#[test]
fn a_pinned_key_is_trusted_in_every_certificate_and_no_other_key() {
    let root = Owner::root("root");
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
    ] {
        let owner = root.issue_for(algorithm, server(&["other.example"]));
        let renewed = owner.certified_by(&root, server(&[NAME]));
        let other = root.issue_for(algorithm, server(&[NAME]));
        let pins = [Fingerprint::of_key(&owner.der).expect("a key")];
        let trust = GuardTrust::in_keys(&pins).expect("one");
        for owner in [&owner, &renewed] {
            let fingerprint = Fingerprint::of_certificate(&owner.der).expect("a hash");
            let outcome = verify(trust, NAME, NOW, &[owner]);
            assert_eq!(outcome, Ok(PeerIdentity::Certificate(fingerprint)));
        }
        let outcome = verify(trust, NAME, NOW, &[&other, &owner]);
        assert_eq!(outcome, Err(VerifyError::NotPinned));
        // A pin of a key is none of a certificate.
        let trust = GuardTrust::in_certificates(&pins).expect("one");
        let outcome = verify(trust, NAME, NOW, &[&owner]);
        assert_eq!(outcome, Err(VerifyError::NotPinned));
    }
}

#[test]
fn a_pin_does_not_replace_the_signature() {
    let owner = Owner::root("root");
    let thief = Owner::root("root");
    let pins = [Fingerprint::of_certificate(&owner.der).expect("a hash")];
    let name = ServerName::try_from(NAME).expect("a name");
    let trust = GuardTrust::in_certificates(&pins).expect("one");
    let mut verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
    present(&mut verifier, &[&owner.der]).expect("pinned");
    let stolen = thief.sign(&message());
    let scheme = SignatureScheme::EcdsaSecp256r1Sha256;
    let proved = prove(&mut verifier, scheme, &stolen);
    assert_refused(&mut verifier, proved, VerifyError::BadProof);
}

#[test]
fn with_a_key_that_both_sides_know_no_certificate_is_taken() {
    let owner = Owner::root("root");
    let name = ServerName::try_from(NAME).expect("a name");
    let key = PreSharedKey::new(b"sensor", &[7; 16]).expect("a key");
    let trust = GuardTrust::in_pre_shared_key(key);
    let mut verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
    let offered = verifier.pre_shared_key().expect("a key");
    assert_eq!(
        (offered.identity(), offered.key()),
        (&b"sensor"[..], &[7; 16][..])
    );
    assert_eq!(verifier.verdict(), Ok(PeerIdentity::PreSharedKey));
    let presented = present(&mut verifier, &[&owner.der]);
    assert_refused(&mut verifier, presented, VerifyError::UnexpectedCertificate);

    let mut verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
    let scheme = SignatureScheme::EcdsaSecp256r1Sha256;
    let proved = prove(&mut verifier, scheme, &owner.sign(&message()));
    assert_refused(&mut verifier, proved, VerifyError::UnexpectedSignature);
}

#[test]
fn without_a_key_that_both_sides_know_none_is_offered() {
    let name = ServerName::try_from(NAME).expect("a name");
    let pins = [Fingerprint::new([0; 32])];
    for trust in [
        GuardTrust::in_certificates(&pins).expect("one"),
        GuardTrust::in_keys(&pins).expect("one"),
    ] {
        let verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
        assert!(verifier.pre_shared_key().is_none());
        assert_eq!(verifier.verdict(), Err(VerifyError::NoCertificate));
    }
}

#[test]
fn trust_in_nobody_cannot_be_made() {
    let empty = |made: Result<GuardTrust<'_>, TrustError>| made.map(drop);
    assert_eq!(empty(GuardTrust::in_roots(&[])), Err(TrustError::Nobody));
    assert_eq!(empty(GuardTrust::in_keys(&[])), Err(TrustError::Nobody));
    let outcome = empty(GuardTrust::in_certificates(&[]));
    assert_eq!(outcome, Err(TrustError::Nobody));
    assert_eq!(TrustError::Nobody.fault(), Fault::InvalidInput);
}

#[test]
fn a_key_that_is_no_secret_is_none() {
    let weak = [vec![], vec![7; 15], vec![0; 16], vec![0; 32], vec![0; 48]];
    for key in weak {
        let outcome = PreSharedKey::new(b"sensor", &key).map(drop);
        assert_eq!(outcome, Err(TrustError::WeakKey), "{key:?}");
    }
    let mut key = [0; 16];
    key[15] = 1;
    for identity in [vec![1], vec![1; 255]] {
        PreSharedKey::new(&identity, &key).expect("a key");
    }
    for identity in [vec![], vec![1; 256]] {
        let outcome = PreSharedKey::new(&identity, &key).map(drop);
        assert_eq!(outcome, Err(TrustError::InvalidIdentity));
    }
    let key = PreSharedKey::new(&[1], &[0xab; 16]).expect("a key");
    let shown = format!("{key:?} {:?}", GuardTrust::in_pre_shared_key(key));
    assert!(!shown.contains("171"), "{shown}");
}

#[test]
fn a_root_is_the_certificate_of_an_authority() {
    let root = Owner::root("root");
    let outcome = |der: CertificateDer<'_>| Anchors::from_certificates(&[der]).map(drop);
    assert_eq!(outcome(root.der.clone()), Ok(()));
    let intermediate = root.issue(authority("middle"));
    assert_eq!(outcome(intermediate.der.clone()), Ok(()));
    let owner = root.issue(server(&[NAME]));
    assert_eq!(outcome(owner.der.clone()), Err(TrustError::NotACa));
    let alone = Owner::self_signed(server(&[NAME]));
    assert_eq!(outcome(alone.der.clone()), Err(TrustError::NotACa));
    let mut explicit = server(&[NAME]);
    explicit.is_ca = IsCa::ExplicitNoCa;
    let explicit = Owner::self_signed(explicit);
    assert_eq!(outcome(explicit.der.clone()), Err(TrustError::NotACa));
    let cut = &root.der[..root.der.len() - 1];
    assert_eq!(outcome(cut.into()), Err(TrustError::Malformed));
    assert_eq!(outcome((&[][..]).into()), Err(TrustError::Malformed));
}

#[test]
fn every_authority_that_browsers_trust_is_one() {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    assert!(roots.len() > 100);
    for root in roots {
        let outcome = Anchors::from_certificates(std::array::from_ref(root)).map(drop);
        assert_eq!(outcome, Ok(()), "{root:02x?}");
    }
}

#[test]
fn what_is_said_of_a_server_is_for_people_and_for_programs() {
    assert_eq!(VerifyError::Expired.fault(), Fault::Broken);
    assert_eq!(
        VerifyError::Expired.to_string(),
        "a certificate has expired"
    );
    assert_eq!(
        TrustError::WeakKey.to_string(),
        "a key needs 16 bytes at least, and not all zeros"
    );
}
