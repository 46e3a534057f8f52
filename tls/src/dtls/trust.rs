//! Whom to trust.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use digest::Digest as _;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use sha2_0_10::Sha256;
use webpki::{EndEntityCert, KeyUsage};

use super::error::DtlsProblem;
use crate::algorithms;
use crate::error::ConfigError;
use crate::fingerprint::Fingerprint;

/// Whom one end of DTLS trusts. No value of it trusts everybody.
///
/// A peer shows its own certificate and no other, so those between it and a root have to be [given](Self::with_intermediates).
///
/// ```
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{DtlsTrust, Fingerprint};
///
/// let trust = DtlsTrust::in_certificates([Fingerprint::new([7; 32])])?;
/// # let _ = trust;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DtlsTrust(Kind);

#[derive(Clone)]
enum Kind {
    Roots {
        anchors: Vec<TrustAnchor<'static>>,
        intermediates: Vec<CertificateDer<'static>>,
    },
    Certificates(Vec<Fingerprint>),
}

impl DtlsTrust {
    /// In those whose certificate one of these authorities has issued.
    ///
    /// Checked are signatures, validity by the system's clock, names of servers, name constraints, who may issue, and what for. Not checked is whether a
    /// certificate was revoked. Authorities sign with P-256 and SHA-256; with the feature `p384`, also with P-384 or SHA-384. A peer's own
    /// key may be of either curve.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: there is none. [`ConfigError::Certificate`]: one is damaged.
    pub fn in_roots<'c>(
        roots: impl IntoIterator<Item = CertificateDer<'c>>,
    ) -> Result<Self, ConfigError> {
        let anchor = |root: CertificateDer<'c>| {
            let anchor = webpki::anchor_from_trusted_cert(&root);
            anchor
                .map(|anchor| anchor.to_owned())
                .map_err(|error| ConfigError::Certificate(error.to_string()))
        };
        let anchors: Vec<_> = roots.into_iter().map(anchor).collect::<Result<_, _>>()?;
        match anchors.is_empty() {
            true => Err(ConfigError::NoRoots),
            false => Ok(Self(Kind::Roots {
                anchors,
                intermediates: Vec::new(),
            })),
        }
    }

    /// In those who have one of these certificates, whoever signed it, whatever name it is for, and whenever it expires.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`]: there is none.
    pub fn in_certificates(
        fingerprints: impl IntoIterator<Item = Fingerprint>,
    ) -> Result<Self, ConfigError> {
        let fingerprints: Vec<_> = fingerprints.into_iter().collect();
        match fingerprints.is_empty() {
            true => Err(ConfigError::NoRoots),
            false => Ok(Self(Kind::Certificates(fingerprints))),
        }
    }

    /// The same, and these authorities may stand between a root and a peer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PinsOnly`]: this trust is in pinned certificates, and who signed them plays no part.
    pub fn with_intermediates(
        mut self,
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, ConfigError> {
        match &mut self.0 {
            Kind::Roots { intermediates, .. } => intermediates.extend(certificates),
            Kind::Certificates(_) => return Err(ConfigError::PinsOnly),
        }
        Ok(self)
    }

    /// Whether this certificate is that of the server `name`, or of any client if there is none.
    pub(super) fn check(
        &self,
        certificate: &[u8],
        name: Option<&ServerName<'_>>,
    ) -> Result<(), DtlsProblem> {
        match &self.0 {
            Kind::Roots {
                anchors,
                intermediates,
            } => check_path(anchors, intermediates, certificate, name)
                .map_err(|error| DtlsProblem::Untrusted(error.to_string())),
            Kind::Certificates(pinned) => {
                let shown = Fingerprint::new(Sha256::digest(certificate).into());
                match pinned.contains(&shown) {
                    true => Ok(()),
                    false => Err(DtlsProblem::Untrusted(String::from(
                        "it is none of those that are pinned",
                    ))),
                }
            }
        }
    }
}

fn check_path(
    anchors: &[TrustAnchor<'_>],
    intermediates: &[CertificateDer<'_>],
    certificate: &[u8],
    name: Option<&ServerName<'_>>,
) -> Result<(), webpki::Error> {
    let certificate = CertificateDer::from(certificate);
    let certificate = EndEntityCert::try_from(&certificate)?;
    let usage = match name {
        Some(_) => KeyUsage::server_auth(),
        None => KeyUsage::client_auth(),
    };
    let (all, now) = (algorithms::ALL, UnixTime::now());
    certificate.verify_for_usage(all, anchors, intermediates, now, usage, None, None)?;
    name.map_or(Ok(()), |name| {
        certificate.verify_is_valid_for_subject_name(name)
    })
}

impl fmt::Debug for DtlsTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Roots { anchors, .. } => write!(f, "DtlsTrust in {} roots", anchors.len()),
            Kind::Certificates(pinned) => f.debug_list().entries(pinned).finish(),
        }
    }
}
