//! The way from a server's certificate to an authority that is trusted.

use core::iter;
use core::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath};

use super::error::VerifyError;
use super::extension::{Usage, allows};
use super::validity::Validity;
use crate::algorithms;

/// How many certificates a server may send: its own, and those of authorities between it and one that is trusted, in any order.
pub(super) const MAX_CERTIFICATES: usize = 4;

/// Checks that the first certificate is for `name`, and that the others lead from it to one of `anchors`.
///
/// `webpki` checks signatures, validity, basic constraints, name constraints and extended key usages, and that no critical extension is
/// unknown; the key usages are checked here. Nobody checks whether a certificate was revoked, and which policies it was issued under.
pub(super) fn check(
    anchors: &[TrustAnchor<'_>],
    certificates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    validity: Validity<'_>,
) -> Result<(), VerifyError> {
    let (leaf, others) = certificates
        .split_first()
        .ok_or(VerifyError::NoCertificate)?;
    let server = EndEntityCert::try_from(leaf)?;
    let path = match validity {
        Validity::Now(clock) => {
            let now = clock.now().ok_or(VerifyError::ClockNotSet)?;
            build(&server, anchors, others, now)?
        }
        Validity::Unchecked => build_at_some_time(&server, anchors, leaf, others)?,
    };
    server.verify_is_valid_for_subject_name(name)?;
    let mut usable = allows(leaf, Usage::DigitalSignature)?;
    for issuer in path.intermediate_certificates() {
        usable &= allows(&issuer.der(), Usage::KeyCertSign)?;
    }
    if usable {
        Ok(())
    } else {
        Err(VerifyError::WrongUsage)
    }
}

fn build<'p>(
    server: &'p EndEntityCert<'p>,
    anchors: &'p [TrustAnchor<'p>],
    others: &'p [CertificateDer<'p>],
    time: UnixTime,
) -> Result<VerifiedPath<'p>, Error> {
    let usage = KeyUsage::server_auth();
    server.verify_for_usage(algorithms::ALL, anchors, others, time, usage, None, None)
}

/// The same at some moment at which all certificates of a path are valid.
///
/// If there is one at all, it is one at which one of them becomes valid. Validity is checked before signatures, and is the reason that
/// `webpki` gives before all others, so a moment that does not fit costs next to nothing.
fn build_at_some_time<'p>(
    server: &'p EndEntityCert<'p>,
    anchors: &'p [TrustAnchor<'p>],
    leaf: &CertificateDer<'_>,
    others: &'p [CertificateDer<'p>],
) -> Result<VerifiedPath<'p>, VerifyError> {
    for certificate in iter::once(leaf).chain(others) {
        let Some(time) = start_of_validity(certificate) else {
            continue;
        };
        match build(server, anchors, others, time) {
            Err(Error::CertNotValidYet { .. } | Error::CertExpired { .. }) => {}
            path => return Ok(path?),
        }
    }
    Err(VerifyError::NeverValid)
}

/// When a certificate becomes valid. `None`: it is none.
fn start_of_validity(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let epoch = UnixTime::since_unix_epoch(Duration::ZERO);
    match build(&certificate, &[], &[], epoch) {
        Err(Error::CertNotValidYet { not_before, .. }) => Some(not_before),
        _ => Some(epoch),
    }
}
