//! Why a server is not trusted.

use core::fmt;

use embedded_io_async::ErrorKind;
use embedded_tls::alert::AlertDescription;
use tacket::{Error, Fault};
use webpki::Error as Webpki;

/// Why a server has not proved who it is.
///
/// ```
/// use tacket_tls::VerifyError;
///
/// # fn look_at(error: VerifyError) {
/// match error {
///     VerifyError::ClockNotSet => println!("set the clock first"),
///     other => println!("not trusted: {other}"),
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyError {
    /// It has sent no certificate.
    NoCertificate,
    /// It has sent a certificate, and did not prove that it has its key.
    NoSignature,
    /// It sent certificates a second time, or although both sides are to know a key.
    UnexpectedCertificate,
    /// It proved to have a key before it was known which, or a second time.
    UnexpectedSignature,
    /// It has sent more than four certificates.
    ChainTooLong,
    /// A certificate is damaged.
    Malformed,
    /// Its key is of a kind that is not built in: P-256 is, P-384 and Ed25519 are by features, RSA is not.
    UnsupportedKey,
    /// A certificate is signed by an algorithm that is not built in: ECDSA with SHA-256 is, SHA-384 and Ed25519 are by features.
    UnsupportedAlgorithm,
    /// A certificate has a critical extension that nobody here knows.
    UnsupportedExtension,
    /// Its certificate leads to none of the trusted authorities.
    UnknownIssuer,
    /// The signature on a certificate is not that of its issuer.
    BadSignature,
    /// A certificate is not valid any more.
    Expired,
    /// A certificate is not valid yet.
    NotYetValid,
    /// There is no moment at which all certificates are valid.
    NeverValid,
    /// It is not known yet what time it is.
    ClockNotSet,
    /// A certificate was issued by the owner of one that may issue none.
    NotACa,
    /// Its certificate is that of an authority, not of a server.
    CaAsServer,
    /// There are more authorities below one than that may have.
    PathTooLong,
    /// An authority may not issue for this name.
    NameConstraint,
    /// The certificate is for other names.
    NameMismatch,
    /// A certificate is not for what it was used for: to prove a server, to sign, or to issue.
    WrongUsage,
    /// Its certificate, or its key, is none of those that are trusted.
    NotPinned,
    /// It signed the handshake by an algorithm that is not that of its key.
    WrongScheme,
    /// Its signature of the handshake is not of its key.
    BadProof,
    /// There are too many ways to check.
    TooComplex,
    /// It was asked for by a name that is not the one to check.
    OtherName,
}

impl VerifyError {
    /// What to tell the server (RFC 8446, 6.2).
    #[must_use]
    pub const fn alert(self) -> AlertDescription {
        match self {
            Self::NoCertificate
            | Self::NoSignature
            | Self::UnexpectedCertificate
            | Self::UnexpectedSignature => AlertDescription::UnexpectedMessage,
            Self::Malformed
            | Self::BadSignature
            | Self::NeverValid
            | Self::NameMismatch
            | Self::UnsupportedExtension => AlertDescription::BadCertificate,
            Self::UnsupportedKey | Self::UnsupportedAlgorithm | Self::WrongUsage => {
                AlertDescription::UnsupportedCertificate
            }
            Self::Expired | Self::NotYetValid => AlertDescription::CertificateExpired,
            Self::UnknownIssuer => AlertDescription::UnknownCa,
            Self::ChainTooLong
            | Self::NotACa
            | Self::CaAsServer
            | Self::PathTooLong
            | Self::NameConstraint
            | Self::NotPinned
            | Self::TooComplex => AlertDescription::CertificateUnknown,
            Self::WrongScheme => AlertDescription::IllegalParameter,
            Self::BadProof => AlertDescription::DecryptError,
            Self::ClockNotSet | Self::OtherName => AlertDescription::InternalError,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "the server has sent no certificate",
            Self::NoSignature => "the server has not proved to have its key",
            Self::UnexpectedCertificate => "the server sent certificates when it must not",
            Self::UnexpectedSignature => "the server signed when it must not",
            Self::ChainTooLong => "the server sent more than four certificates",
            Self::Malformed => "a certificate is damaged",
            Self::UnsupportedKey => "the server's kind of key is not built in",
            Self::UnsupportedAlgorithm => "a certificate's algorithm is not built in",
            Self::UnsupportedExtension => "a certificate has an unknown critical extension",
            Self::UnknownIssuer => "the certificate leads to no trusted authority",
            Self::BadSignature => "a certificate's signature is wrong",
            Self::Expired => "a certificate has expired",
            Self::NotYetValid => "a certificate is not valid yet",
            Self::NeverValid => "the certificates are never valid together",
            Self::ClockNotSet => "the time is not known yet",
            Self::NotACa => "a certificate was issued by no authority",
            Self::CaAsServer => "the certificate is that of an authority",
            Self::PathTooLong => "there are too many authorities below one",
            Self::NameConstraint => "an authority may not issue for this name",
            Self::NameMismatch => "the certificate is for another name",
            Self::WrongUsage => "a certificate is not for this use",
            Self::NotPinned => "the certificate or key is not one of those trusted",
            Self::WrongScheme => "the server signed by an algorithm of another key",
            Self::BadProof => "the server does not have its certificate's key",
            Self::TooComplex => "the certificates are too many to check",
            Self::OtherName => "the server was asked for by another name",
        })
    }
}

impl core::error::Error for VerifyError {}

impl embedded_io_async::Error for VerifyError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidData
    }
}

impl Error for VerifyError {
    fn fault(&self) -> Fault {
        Fault::Broken
    }
}

impl From<Webpki> for VerifyError {
    fn from(error: Webpki) -> Self {
        match error {
            Webpki::CertExpired { .. } => Self::Expired,
            Webpki::CertNotValidYet { .. } => Self::NotYetValid,
            Webpki::InvalidCertValidity => Self::NeverValid,
            Webpki::CertNotValidForName(_) => Self::NameMismatch,
            Webpki::CaUsedAsEndEntity => Self::CaAsServer,
            Webpki::EndEntityUsedAsCa => Self::NotACa,
            Webpki::PathLenConstraintViolated | Webpki::MaximumPathDepthExceeded => {
                Self::PathTooLong
            }
            Webpki::NameConstraintViolation => Self::NameConstraint,
            Webpki::RequiredEkuNotFoundContext(_) | Webpki::EmptyEkuExtension => Self::WrongUsage,
            Webpki::InvalidSignatureForPublicKey => Self::BadSignature,
            Webpki::UnsupportedSignatureAlgorithmContext(_)
            | Webpki::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                Self::UnsupportedAlgorithm
            }
            Webpki::UnsupportedCriticalExtension => Self::UnsupportedExtension,
            Webpki::UnknownIssuer | Webpki::CertDistrusted => Self::UnknownIssuer,
            Webpki::MaximumSignatureChecksExceeded
            | Webpki::MaximumPathBuildCallsExceeded
            | Webpki::MaximumNameConstraintComparisonsExceeded => Self::TooComplex,
            // What else it knows is about encodings, or about revocation lists, of which it gets none.
            _ => Self::Malformed,
        }
    }
}

/// Why somebody cannot be trusted, before anybody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrustError {
    /// Nobody could ever be trusted: the list is empty.
    Nobody,
    /// It is not a certificate.
    Malformed,
    /// The certificate is not that of an authority. To trust it alone, give its fingerprint.
    NotACa,
    /// A key is shorter than 16 bytes, or all zeros: that is no secret.
    WeakKey,
    /// The name of a key is empty, or longer than 255 bytes.
    InvalidIdentity,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody is trusted: the list is empty",
            Self::Malformed => "not a certificate",
            Self::NotACa => "not the certificate of an authority",
            Self::WeakKey => "a key needs 16 bytes at least, and not all zeros",
            Self::InvalidIdentity => "the name of a key has 1 to 255 bytes",
        })
    }
}

impl core::error::Error for TrustError {}

impl embedded_io_async::Error for TrustError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for TrustError {
    fn fault(&self) -> Fault {
        Fault::InvalidInput
    }
}
