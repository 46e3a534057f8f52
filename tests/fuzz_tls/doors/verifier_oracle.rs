//! What others say of certificates: path building with the algorithms of ring, and a reader of DER that knows nothing of the guard's.

use core::time::Duration;
use std::sync::LazyLock;

use embedded_tls::SignatureScheme as Scheme;
use tacket_tls::pki_types::{
    CertificateDer, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use tacket_tls::rustls::SignatureScheme;
use tacket_tls::rustls::crypto::WebPkiSupportedAlgorithms;
use tacket_tls::rustls::crypto::ring::default_provider;
use webpki::{EndEntityCert, Error, KeyUsage};

use super::der::{Inside, extension, public_key, write};

static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> =
    LazyLock::new(|| default_provider().signature_verification_algorithms);

const KEY_USAGE: u8 = 15;
const BASIC_CONSTRAINTS: u8 = 19;
const BOOLEAN: u8 = 0x01;
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;

/// Moments between those at which what is made here begins or ceases to be valid.
const MOMENTS: [u64; 7] = [
    1_000_000_000,
    1_600_000_000,
    1_790_000_000,
    1_800_000_000,
    1_850_000_000,
    2_000_000_000,
    2_400_000_000,
];

/// Whether somebody is who he says.
pub(super) struct Question<'q> {
    pub(super) anchors: &'q [TrustAnchor<'q>],
    pub(super) chain: &'q [Vec<u8>],
    pub(super) name: &'q ServerName<'q>,
    /// What the clock says. `Err`: whenever they were valid together.
    pub(super) time: Result<Option<u64>, ()>,
}

impl Question<'_> {
    /// Whether the others accept the certificates.
    pub(super) fn is_answered(&self) -> bool {
        self.answer().is_some()
    }

    /// Checks that they do, and that each key on the way is for what it was used for.
    pub(super) fn assert_answered(&self) {
        let answer = self.answer();
        let (leaf, issuers) = answer.unwrap_or_else(|| panic!("nobody else trusts it"));
        assert!(allows(&leaf, DIGITAL_SIGNATURE), "a key that may not sign");
        for issuer in issuers {
            assert!(allows(&issuer, KEY_CERT_SIGN), "a key that may not issue");
        }
    }

    /// The certificates on the way to an anchor: the server's, and the others.
    fn answer(&self) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        let mut times: Vec<_> = match self.time {
            Ok(time) => time.into_iter().collect(),
            Err(()) => MOMENTS.to_vec(),
        };
        if self.time.is_err() {
            times.extend(self.chain.iter().filter_map(|der| start_of_validity(der)));
        }
        times.iter().find_map(|time| self.answer_at(*time))
    }

    fn answer_at(&self, time: u64) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        let (leaf, others) = self.chain.split_first()?;
        let certificate = CertificateDer::from_slice(leaf);
        let server = EndEntityCert::try_from(&certificate).ok()?;
        let others: Vec<_> = others
            .iter()
            .map(|der| CertificateDer::from_slice(der))
            .collect();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(time));
        let usage = KeyUsage::server_auth();
        let path = server
            .verify_for_usage(
                ALGORITHMS.all,
                self.anchors,
                &others,
                time,
                usage,
                None,
                None,
            )
            .ok()?;
        server.verify_is_valid_for_subject_name(self.name).ok()?;
        let issuers = path.intermediate_certificates();
        let issuers = issuers.map(|issuer| issuer.der().to_vec()).collect();
        Some((leaf.clone(), issuers))
    }

    /// Whether the signature is that of the first certificate's key, by the algorithm that belongs to it.
    pub(super) fn is_proved(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        let scheme = match scheme {
            Scheme::EcdsaSecp256r1Sha256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            Scheme::EcdsaSecp384r1Sha384 => SignatureScheme::ECDSA_NISTP384_SHA384,
            Scheme::Ed25519 => SignatureScheme::ED25519,
            _ => return false,
        };
        let mut known = ALGORITHMS.mapping.iter();
        let verify = |algorithm: &dyn SignatureVerificationAlgorithm| {
            let (identifier, key) = public_key(self.chain.first()?)?;
            let is_of_key = identifier == algorithm.public_key_alg_id().as_ref();
            let verified = algorithm.verify_signature(&key, message, signature);
            (is_of_key && verified.is_ok()).then_some(())
        };
        known
            .find(|(known, _)| *known == scheme)
            // The first is the one that TLS 1.3 has for it.
            .and_then(|(_, algorithms)| verify(*algorithms.first()?))
            .is_some()
    }
}

fn start_of_validity(der: &[u8]) -> Option<u64> {
    let certificate = CertificateDer::from_slice(der);
    let server = EndEntityCert::try_from(&certificate).ok()?;
    let epoch = UnixTime::since_unix_epoch(Duration::ZERO);
    let usage = KeyUsage::server_auth();
    match server.verify_for_usage(ALGORITHMS.all, &[], &[], epoch, usage, None, None) {
        Err(Error::CertNotValidYet { not_before, .. }) => Some(not_before.as_secs()),
        _ => Some(0),
    }
}

/// Whether the key of a certificate may be used so. One that says nothing may be used for all.
fn allows(certificate: &[u8], usage: u8) -> bool {
    let Some(usages) = extension(certificate, KEY_USAGE) else {
        return true;
    };
    match usages.first().map(|bits| &bits.inside) {
        // How many bits are unused comes before them.
        Some(Inside::Bytes(bits)) => bits.get(1).is_some_and(|bits| bits & usage != 0),
        _ => false,
    }
}

/// Whether a certificate says that it is of an authority.
pub(super) fn is_authority(certificate: &[u8]) -> bool {
    let Some(constraints) = extension(certificate, BASIC_CONSTRAINTS) else {
        return false;
    };
    // That of a root counts as far as it says what it is.
    let said = match constraints.into_iter().next().map(|list| list.inside) {
        Some(Inside::Nodes(said)) => write(&said),
        Some(Inside::Bytes(said)) => said,
        None => Vec::new(),
    };
    said.starts_with(&[BOOLEAN, 1, 0xff])
}
