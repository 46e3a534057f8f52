//! Certificates of every kind, and what a verifier says of them.

use core::time::Duration;

use embedded_tls::alert::AlertLevel;
use embedded_tls::{
    Aes128GcmSha256, CertificateEntryRef, CertificateRef, CertificateVerifyRef, Sha256,
    SignatureScheme, TlsError, TlsVerifier,
};
use sha2::Digest as _;
use tacket_tests::NAME;
pub(super) use tacket_tests::{Owner, authority_params as authority, server_params as server};
use tacket_tls::pki_types::{ServerName, UnixTime};
use tacket_tls::{
    Anchors, CertificateClock, GuardTrust, GuardVerifier, PeerIdentity, Validity, VerifyError,
};

/// A moment.
pub(super) struct Moment(pub(super) Option<u64>);

impl CertificateClock for Moment {
    fn now(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0?)))
    }
}

/// The beginning of 2026.
pub(super) const NOW: Validity<'static> = Validity::Now(&Moment(Some(1_767_225_600)));

/// What a server signs after an empty transcript.
pub(super) fn message() -> Vec<u8> {
    let mut message = vec![b' '; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&sha2::Sha256::digest(b""));
    message
}

/// Shows certificates to the verifier, after an empty transcript.
pub(super) fn present(
    verifier: &mut GuardVerifier<'_>,
    certificates: &[&[u8]],
) -> Result<(), TlsError> {
    let mut message = CertificateRef::with_context(&[]);
    for der in certificates {
        message.add(CertificateEntryRef::X509(der))?;
    }
    let transcript = Sha256::default();
    TlsVerifier::<Aes128GcmSha256>::verify_certificate(verifier, &transcript, message)
}

/// Shows a signature to it.
pub(super) fn prove(
    verifier: &mut GuardVerifier<'_>,
    signature_scheme: SignatureScheme,
    signature: &[u8],
) -> Result<(), TlsError> {
    let message = CertificateVerifyRef {
        signature_scheme,
        signature,
    };
    TlsVerifier::<Aes128GcmSha256>::verify_signature(verifier, message)
}

/// The error of the verifier is what it answers from now on, and tells the server.
#[track_caller]
pub(super) fn assert_refused(
    verifier: &mut GuardVerifier<'_>,
    outcome: Result<(), TlsError>,
    expected: VerifyError,
) {
    let alert_of = |outcome| match outcome {
        Err(TlsError::AbortHandshake(AlertLevel::Fatal, alert)) => alert as u8,
        other => panic!("no alert: {other:?}"),
    };
    assert_eq!(verifier.refusal(), Some(expected));
    assert_eq!(verifier.verdict(), Err(expected));
    let alert = expected.alert() as u8;
    assert_eq!(alert_of(outcome), alert);
    let again = prove(verifier, SignatureScheme::EcdsaSecp256r1Sha256, &[]);
    assert_eq!(alert_of(again), alert);
    assert_eq!(alert_of(present(verifier, &[])), alert);
    assert_eq!(verifier.verdict(), Err(expected));
}

/// What a verifier says of a server with this chain that has the key of its first certificate.
pub(super) fn verify(
    trust: GuardTrust<'_>,
    name: &str,
    validity: Validity<'_>,
    chain: &[&Owner],
) -> Result<PeerIdentity, VerifyError> {
    let name = ServerName::try_from(name).expect("a name");
    let mut verifier = GuardVerifier::new(trust, &name, validity);
    let certificates: Vec<&[u8]> = chain.iter().map(|owner| owner.der.as_ref()).collect();
    let presented = present(&mut verifier, &certificates);
    if let Some(error) = verifier.refusal() {
        assert_refused(&mut verifier, presented, error);
    } else {
        presented.expect("not refused");
        assert_eq!(verifier.verdict(), Err(VerifyError::NoSignature));
        let signature = chain[0].sign(&message());
        let scheme = scheme_of(chain[0]);
        prove(&mut verifier, scheme, &signature).expect("its signature");
    }
    verifier.verdict()
}

pub(super) fn scheme_of(owner: &Owner) -> SignatureScheme {
    match format!("{:?}", owner.key.algorithm()).as_str() {
        "PKCS_ECDSA_P384_SHA384" => SignatureScheme::EcdsaSecp384r1Sha384,
        "PKCS_ED25519" => SignatureScheme::Ed25519,
        _ => SignatureScheme::EcdsaSecp256r1Sha256,
    }
}

/// The same for one that trusts these roots, for the usual name.
pub(super) fn verify_in<const N: usize>(
    roots: [&Owner; N],
    validity: Validity<'_>,
    chain: &[&Owner],
) -> Result<PeerIdentity, VerifyError> {
    let roots = roots.map(|root| root.der.clone());
    let anchors = Anchors::from_certificates(&roots).expect("authorities");
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("some");
    verify(trust, NAME, validity, chain)
}
