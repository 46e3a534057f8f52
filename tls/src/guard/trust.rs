//! Whom a client without a heap trusts.

use core::fmt;

use rustls_pki_types::{CertificateDer, Der, TrustAnchor};

use super::error::TrustError;
use super::extension::is_authority;
use crate::fingerprint::Fingerprint;

/// Whom a client trusts. There is nobody who trusts everybody.
///
/// ```
/// # fn main() -> Result<(), tacket_tls::TrustError> {
/// use tacket_tls::{Fingerprint, GuardTrust};
///
/// static KEYS: [Fingerprint; 1] = [Fingerprint::new([7; 32])];
/// let trust = GuardTrust::in_keys(&KEYS)?;
/// # let _ = trust;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GuardTrust<'a>(pub(super) Kind<'a>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    Roots(&'a [TrustAnchor<'a>]),
    Certificates(&'a [Fingerprint]),
    Keys(&'a [Fingerprint]),
    PreSharedKey(PreSharedKey<'a>),
}

impl<'a> GuardTrust<'a> {
    /// In those whose certificate leads to one of these authorities: [`Anchors`], or those of a crate such as `webpki-roots`.
    ///
    /// Checked are signatures, validity, names, name constraints, who may issue and how deep, key usages and extended key usages.
    /// Of an authority in this list itself only its name, its key and its name constraints count. Not checked is whether a
    /// certificate was revoked. A server may send up to four certificates.
    ///
    /// All of that is done in one poll, which yields to nobody: a signature of P-256 takes a Cortex-M3 roughly 8 million instructions, an
    /// eighth of a second at 64 MHz. An honest server needs one for each certificate below the authority, and one for its own proof. One that is
    /// not can send certificates that lead many ways: it is [`VerifyError::TooComplex`](crate::VerifyError::TooComplex) after 100 signatures, or after 400
    /// with [`Validity::Unchecked`](crate::Validity::Unchecked), which tries up to four moments. A watchdog has to allow for that, or the handshake belongs
    /// in an executor of lower priority. Pins and pre-shared keys need one signature at most.
    ///
    /// # Errors
    ///
    /// [`TrustError::Nobody`]: there is none.
    pub const fn in_roots(roots: &'a [TrustAnchor<'a>]) -> Result<Self, TrustError> {
        match roots {
            [] => Err(TrustError::Nobody),
            _ => Ok(Self(Kind::Roots(roots))),
        }
    }

    /// In those who have one of these certificates, whoever signed it, whatever name it is for, and whenever it expires.
    ///
    /// # Errors
    ///
    /// [`TrustError::Nobody`]: there is none.
    pub const fn in_certificates(fingerprints: &'a [Fingerprint]) -> Result<Self, TrustError> {
        match fingerprints {
            [] => Err(TrustError::Nobody),
            _ => Ok(Self(Kind::Certificates(fingerprints))),
        }
    }

    /// In those who have one of these keys, whatever their certificate says.
    ///
    /// # Errors
    ///
    /// [`TrustError::Nobody`]: there is none.
    pub const fn in_keys(fingerprints: &'a [Fingerprint]) -> Result<Self, TrustError> {
        match fingerprints {
            [] => Err(TrustError::Nobody),
            _ => Ok(Self(Kind::Keys(fingerprints))),
        }
    }

    /// In whoever knows this key, and nobody else: there are no certificates then.
    #[must_use]
    pub const fn in_pre_shared_key(key: PreSharedKey<'a>) -> Self {
        Self(Kind::PreSharedKey(key))
    }

    /// The key that both sides know, if it is all there is.
    #[must_use]
    pub const fn pre_shared_key(&self) -> Option<PreSharedKey<'a>> {
        match self.0 {
            Kind::PreSharedKey(key) => Some(key),
            _ => None,
        }
    }
}

/// The authorities of a few certificates, without a copy of them.
///
/// ```no_run
/// use tacket_tls::pki_types::CertificateDer;
/// use tacket_tls::{Anchors, GuardTrust, TrustError};
///
/// # const OURS: &[u8] = &[]; // include_bytes!("ours.der")
/// # const THEIRS: &[u8] = &[]; // include_bytes!("theirs.der")
/// static ROOTS: [CertificateDer<'static>; 2] =
///     [CertificateDer::from_slice(OURS), CertificateDer::from_slice(THEIRS)];
///
/// # fn main() -> Result<(), TrustError> {
/// let anchors = Anchors::from_certificates(&ROOTS)?;
/// let trust = GuardTrust::in_roots(anchors.as_slice())?;
/// # let _ = trust;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Anchors<'a, const N: usize>([TrustAnchor<'a>; N]);

impl<'a, const N: usize> Anchors<'a, N> {
    /// Takes these certificates, in DER. Whether they are valid now is not asked: whom to trust is your choice.
    ///
    /// # Errors
    ///
    /// [`TrustError::Malformed`]: one of them is no certificate. [`TrustError::NotACa`]: one of them
    /// does not say that it is of an authority (RFC 5280, 4.2.1.9).
    pub fn from_certificates(
        certificates: &'a [CertificateDer<'a>; N],
    ) -> Result<Self, TrustError> {
        let mut anchors = [const {
            TrustAnchor {
                subject: Der::from_slice(&[]),
                subject_public_key_info: Der::from_slice(&[]),
                name_constraints: None,
            }
        }; N];
        for (anchor, certificate) in anchors.iter_mut().zip(certificates) {
            *anchor =
                webpki::anchor_from_trusted_cert(certificate).map_err(|_| TrustError::Malformed)?;
            if !is_authority(certificate).map_err(|_| TrustError::Malformed)? {
                return Err(TrustError::NotACa);
            }
        }
        Ok(Self(anchors))
    }

    /// All of them.
    #[must_use]
    pub const fn as_slice(&self) -> &[TrustAnchor<'a>] {
        &self.0
    }
}

/// A key that both sides know (RFC 8446, 2.2), and the name they have for it.
///
/// It need not be text. It should be random, for each pair of devices another one: whoever knows it can be either side.
///
/// ```
/// # fn main() -> Result<(), tacket_tls::TrustError> {
/// use tacket_tls::{GuardTrust, PreSharedKey};
///
/// # const KEY: [u8; 32] = [7; 32];
/// let key = PreSharedKey::new(b"sensor 17", &KEY)?;
/// let trust = GuardTrust::in_pre_shared_key(key);
/// # let _ = trust;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct PreSharedKey<'a> {
    identity: &'a [u8],
    key: &'a [u8],
}

impl<'a> PreSharedKey<'a> {
    /// Takes this key.
    ///
    /// # Errors
    ///
    /// [`TrustError::WeakKey`]: it is shorter than 16 bytes, or all zeros, as it is where there is none.
    /// [`TrustError::InvalidIdentity`]: the name is empty, or longer than 255 bytes.
    pub const fn new(identity: &'a [u8], key: &'a [u8]) -> Result<Self, TrustError> {
        if identity.is_empty() || identity.len() > 255 {
            return Err(TrustError::InvalidIdentity);
        }
        let mut rest = key;
        let mut is_zero = true;
        while let [byte, others @ ..] = rest {
            is_zero &= *byte == 0;
            rest = others;
        }
        if key.len() < 16 || is_zero {
            return Err(TrustError::WeakKey);
        }
        Ok(Self { identity, key })
    }

    /// The name of the key.
    #[must_use]
    pub const fn identity(&self) -> &'a [u8] {
        self.identity
    }

    /// The key itself.
    #[must_use]
    pub const fn key(&self) -> &'a [u8] {
        self.key
    }
}

impl fmt::Debug for PreSharedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreSharedKey")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
