//! Who the peer is, of which everything about the guard depends.

use core::mem;

use digest::Digest as _;
use embedded_tls::alert::AlertLevel;
use embedded_tls::{
    CertificateEntryRef, CertificateRef, CertificateVerifyRef, SignatureScheme, TlsCipherSuite,
    TlsError, TlsVerifier,
};
use rustls_pki_types::{CertificateDer, ServerName};

use super::error::VerifyError;
use super::path::{self, MAX_CERTIFICATES};
use super::peer_key::{self, PeerKey};
use super::trust::{GuardTrust, Kind, PreSharedKey};
use super::validity::Validity;
use crate::algorithms;
use crate::fingerprint::Fingerprint;

/// What a server signs (RFC 8446, 4.4.3), without the hash at its end.
const CONTEXT: &[u8] = b"TLS 1.3, server CertificateVerify\0";
const PADDING: [u8; 64] = [b' '; 64];

/// The longest hash of a handshake.
const MAX_HASH: usize = 64;

/// Checks who a server is, for one handshake.
///
/// A stream of [`TlsStream::guarded_client`](crate::TlsStream::guarded_client) has one. By itself it is for those who use `embedded-tls`
/// without this crate's streams: it checks certificates, and not what else the guard does.
///
/// It demands one message with certificates and then one signature, or neither with a [`PreSharedKey`]. Whatever else comes is
/// refused, and what was refused stays so. That a message which never came was missed, only [`verdict`](Self::verdict) can tell:
/// without asking it, nothing is verified.
///
/// ```
/// # fn main() -> Result<(), tacket_tls::TrustError> {
/// use tacket_tls::pki_types::ServerName;
/// use tacket_tls::{Fingerprint, GuardTrust, GuardVerifier, Validity, VerifyError};
///
/// static KEYS: [Fingerprint; 1] = [Fingerprint::new([7; 32])];
/// let name = ServerName::try_from("server.example").unwrap();
/// let verifier = GuardVerifier::new(GuardTrust::in_keys(&KEYS)?, &name, Validity::Unchecked);
/// assert_eq!(verifier.verdict(), Err(VerifyError::NoCertificate));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GuardVerifier<'a> {
    trust: GuardTrust<'a>,
    name: &'a ServerName<'a>,
    validity: Validity<'a>,
    progress: Progress,
}

/// Who a server is.
///
/// ```
/// # fn look_at(identity: tacket_tls::PeerIdentity) {
/// if let tacket_tls::PeerIdentity::Certificate(fingerprint) = identity {
///     println!("{fingerprint}");
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerIdentity {
    /// The owner of this certificate.
    Certificate(Fingerprint),
    /// Somebody who knows the key.
    PreSharedKey,
}

/// How far a server has got.
#[derive(Debug)]
enum Progress {
    Unknown,
    /// Its certificate is trusted; whether it is its own is not known.
    Certified(Certified),
    Verified(Fingerprint),
    Refused(VerifyError),
}

#[derive(Debug)]
struct Certified {
    certificate: Fingerprint,
    key: PeerKey,
    /// The hash of the handshake up to the certificate.
    transcript: [u8; MAX_HASH],
    /// How long that is.
    length: usize,
}

impl<'a> GuardVerifier<'a> {
    /// For a server that is to be `name`.
    #[must_use]
    pub const fn new(
        trust: GuardTrust<'a>,
        name: &'a ServerName<'a>,
        validity: Validity<'a>,
    ) -> Self {
        Self {
            trust,
            name,
            validity,
            progress: Progress::Unknown,
        }
    }

    /// The name to ask the server for (SNI, RFC 6066), without the dot that it may have at its end. `None`: an address is not asked for.
    #[must_use]
    pub fn server_name(&self) -> Option<&'a str> {
        server_name(self.name)
    }

    /// The key to offer, if there are to be no certificates.
    #[must_use]
    pub const fn pre_shared_key(&self) -> Option<PreSharedKey<'a>> {
        self.trust.pre_shared_key()
    }

    /// Who the server is, after a handshake that has succeeded. Before its end this says nothing: that a server knows the
    /// [`PreSharedKey`], only the end of the handshake shows.
    ///
    /// # Errors
    ///
    /// What it was refused for, or [`VerifyError::NoCertificate`] or [`VerifyError::NoSignature`]: something never came.
    pub const fn verdict(&self) -> Result<PeerIdentity, VerifyError> {
        match (&self.progress, self.pre_shared_key()) {
            (Progress::Unknown, Some(_)) => Ok(PeerIdentity::PreSharedKey),
            (Progress::Unknown, None) => Err(VerifyError::NoCertificate),
            (Progress::Certified(_), _) => Err(VerifyError::NoSignature),
            (Progress::Verified(certificate), _) => Ok(PeerIdentity::Certificate(*certificate)),
            (Progress::Refused(error), _) => Err(*error),
        }
    }

    /// What the server was refused for, for telling it from what `embedded-tls` objected to.
    #[must_use]
    pub const fn refusal(&self) -> Option<VerifyError> {
        match self.progress {
            Progress::Refused(error) => Some(error),
            _ => None,
        }
    }

    fn certify(
        &self,
        transcript: &[u8],
        entries: &[CertificateEntryRef<'_>],
    ) -> Result<Certified, VerifyError> {
        let (leaf, _) = entries.split_first().ok_or(VerifyError::NoCertificate)?;
        let leaf = CertificateDer::from_slice(der(leaf)?);
        let certificate = Fingerprint::new(algorithms::sha256(&[&leaf]));
        let parsed = webpki::anchor_from_trusted_cert(&leaf).map_err(|_| VerifyError::Malformed)?;
        let key_info = parsed.subject_public_key_info.as_ref();
        match self.trust.0 {
            Kind::Roots(anchors) => {
                let mut room = [const { CertificateDer::from_slice(&[]) }; MAX_CERTIFICATES];
                let certificates = room
                    .get_mut(..entries.len())
                    .ok_or(VerifyError::ChainTooLong)?;
                for (certificate, entry) in certificates.iter_mut().zip(entries) {
                    *certificate = CertificateDer::from_slice(der(entry)?);
                }
                path::check(anchors, certificates, self.name, self.validity)?;
            }
            Kind::Certificates(pins) if pins.contains(&certificate) => {}
            Kind::Keys(pins)
                if peer_key::fingerprint(key_info).is_some_and(|key| pins.contains(&key)) => {}
            Kind::Certificates(_) | Kind::Keys(_) => return Err(VerifyError::NotPinned),
            Kind::PreSharedKey(_) => return Err(VerifyError::UnexpectedCertificate),
        }
        let key = PeerKey::new(key_info)?;
        let mut hash = [0; MAX_HASH];
        let room = hash.get_mut(..transcript.len());
        let room = room.ok_or(VerifyError::UnsupportedAlgorithm)?;
        room.copy_from_slice(transcript);
        Ok(Certified {
            certificate,
            key,
            transcript: hash,
            length: transcript.len(),
        })
    }

    /// Notes what was found, which is what counts from now on, and what to tell `embedded-tls`.
    fn note(&mut self, found: Result<Progress, VerifyError>) -> Result<(), TlsError> {
        let error = found.as_ref().err().copied();
        self.progress = found.unwrap_or_else(Progress::Refused);
        match error {
            Some(error) => Err(TlsError::AbortHandshake(AlertLevel::Fatal, error.alert())),
            None => Ok(()),
        }
    }
}

/// What to ask a server for that is to be `name`. A dot at its end is not a part of it any more.
pub(super) fn server_name<'n>(name: &'n ServerName<'_>) -> Option<&'n str> {
    match name {
        ServerName::DnsName(name) => Some(name.as_ref()),
        _ => None,
    }
}

/// A certificate that is one: embedded-tls also knows bare keys, which it never asks for.
const fn der<'a>(entry: &CertificateEntryRef<'a>) -> Result<&'a [u8], VerifyError> {
    match *entry {
        CertificateEntryRef::X509(der) => Ok(der),
        CertificateEntryRef::RawPublicKey(_) => Err(VerifyError::UnsupportedKey),
    }
}

impl Certified {
    fn verify(self, scheme: SignatureScheme, signature: &[u8]) -> Result<Fingerprint, VerifyError> {
        let mut message = [0; PADDING.len() + CONTEXT.len() + MAX_HASH];
        let parts = PADDING.iter().chain(CONTEXT);
        let parts = parts.chain(self.transcript.iter().take(self.length));
        let mut length = 0;
        for (to, from) in message.iter_mut().zip(parts) {
            *to = *from;
            length += 1;
        }
        let message = message.get(..length).unwrap_or_default();
        self.key.verify(scheme, message, signature)?;
        Ok(self.certificate)
    }
}

/// It answers each error with the alert that belongs to it, which `embedded-tls` then sends.
impl<C: TlsCipherSuite> TlsVerifier<C> for GuardVerifier<'_> {
    /// The name to verify is known: this one has to be the same.
    fn set_hostname_verification(&mut self, name: &str) -> Result<(), TlsError> {
        let is_ours = |ours: &str| ours.eq_ignore_ascii_case(name);
        if self.server_name().is_some_and(is_ours) {
            Ok(())
        } else {
            self.note(Err(VerifyError::OtherName))
        }
    }

    fn verify_certificate(
        &mut self,
        transcript: &C::Hash,
        certificates: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        let found = match self.progress {
            Progress::Unknown => {
                let transcript = transcript.clone().finalize();
                let certified = self.certify(&transcript, &certificates.entries);
                certified.map(Progress::Certified)
            }
            Progress::Certified(_) | Progress::Verified(_) => {
                Err(VerifyError::UnexpectedCertificate)
            }
            Progress::Refused(error) => Err(error),
        };
        self.note(found)
    }

    fn verify_signature(&mut self, verify: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        let found = match mem::replace(&mut self.progress, Progress::Unknown) {
            Progress::Certified(certified) => certified
                .verify(verify.signature_scheme, verify.signature)
                .map(Progress::Verified),
            Progress::Unknown | Progress::Verified(_) => Err(VerifyError::UnexpectedSignature),
            Progress::Refused(error) => Err(error),
        };
        self.note(found)
    }
}
