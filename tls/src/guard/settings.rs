//! What a client without a heap is told.

use core::fmt;
use core::marker::PhantomData;

use embedded_tls::{MaxFragmentLength, TlsConfig};
use p256::ecdsa::SigningKey;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rustls_pki_types::{CertificateDer, ServerName};

use super::answers::Offered;
use super::suite::{GuardAes128, GuardAes256};
use super::trust::GuardTrust;
use super::validity::Validity;
use super::verify::server_name;
use crate::config::check_protocols;
use crate::error::ConfigError;

/// Whom a client without a heap wants to speak with, and how. It is borrowed by each stream.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tacket_tls::{Fingerprint, GuardTrust, GuardedClientConfig, MaxFragment, Validity};
///
/// static KEYS: [Fingerprint; 1] = [Fingerprint::new([7; 32])];
/// let trust = GuardTrust::in_keys(&KEYS)?;
/// let config = GuardedClientConfig::new(trust, "server.example", Validity::Unchecked)?
///     .with_alpn(&[b"mqtt"])?
///     .with_max_fragment(MaxFragment::Of1024);
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GuardedClientConfig<'c, C = GuardAes128> {
    pub(super) trust: GuardTrust<'c>,
    pub(super) name: ServerName<'c>,
    pub(super) validity: Validity<'c>,
    pub(super) alpn: &'c [&'c [u8]],
    max_fragment: Option<MaxFragment>,
    pub(super) certificate: Option<ClientCertificate<'c>>,
    suite: PhantomData<C>,
}

impl<'c> GuardedClientConfig<'c> {
    /// Trusts `trust` to be `name`: text or a [`ServerName`]. A DNS name is sent to the server.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidName`]: it is neither a DNS name of up to 253 bytes nor an IP address.
    pub fn new(
        trust: GuardTrust<'c>,
        name: impl TryInto<ServerName<'c>>,
        validity: Validity<'c>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            trust,
            name: name.try_into().map_err(|_| ConfigError::InvalidName)?,
            validity,
            alpn: &[],
            max_fragment: None,
            certificate: None,
            suite: PhantomData,
        })
    }

    /// Offers AES-256 instead of AES-128.
    #[must_use]
    pub fn with_aes256(self) -> GuardedClientConfig<'c, GuardAes256> {
        GuardedClientConfig {
            trust: self.trust,
            name: self.name,
            validity: self.validity,
            alpn: self.alpn,
            max_fragment: self.max_fragment,
            certificate: self.certificate,
            suite: PhantomData,
        }
    }
}

impl<'c, C> GuardedClientConfig<'c, C> {
    /// Offers these protocols by ALPN (RFC 7301), the preferred one first. Which one the server took, if any, cannot be known, but one
    /// that was not offered is refused: who offers one protocol speaks that, or whatever a server without ALPN speaks.
    ///
    /// The record with the server's answer needs room for the offer too, with 1 byte a protocol and 2 more, beyond the 5 of a header.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidProtocol`]: a name is not 1 to 255 bytes long.
    pub fn with_alpn(mut self, protocols: &'c [&'c [u8]]) -> Result<Self, ConfigError> {
        check_protocols(protocols)?;
        self.alpn = protocols;
        Ok(self)
    }

    /// Sends no records with more data than that, and asks the server to do the same (RFC 6066, 4). Not every server does, and whether
    /// this one has agreed is not known afterwards: a longer record is taken if there is room for it.
    #[must_use]
    pub const fn with_max_fragment(mut self, max_fragment: MaxFragment) -> Self {
        self.max_fragment = Some(max_fragment);
        self
    }

    /// Proves with this certificate who the client is, if the server asks for it.
    #[must_use]
    pub fn with_certificate(mut self, certificate: ClientCertificate<'c>) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// How much data a record may have.
    pub(super) const fn most_data(&self) -> usize {
        match self.max_fragment {
            None => 1 << 14,
            Some(max_fragment) => max_fragment.bytes(),
        }
    }

    /// What the server may answer.
    pub(super) fn offered(&self) -> Offered {
        Offered {
            has_psk: self.trust.pre_shared_key().is_some(),
            has_name: server_name(&self.name).is_some(),
            max_fragment: self.max_fragment.map_or(0, MaxFragment::number),
        }
    }

    /// The same in the words of `embedded-tls`.
    pub(super) fn settings<'s>(&'s self, name: Option<&'s str>) -> TlsConfig<'s> {
        let mut settings = TlsConfig::new();
        if let Some(name) = name {
            settings = settings.with_server_name(name);
        }
        if !self.alpn.is_empty() {
            settings = settings.with_alpn(self.alpn);
        }
        if let Some(max_fragment) = self.max_fragment {
            settings = settings.with_max_fragment_length(max_fragment.into());
        }
        if let Some(psk) = self.trust.pre_shared_key() {
            settings = settings.with_psk(psk.key(), &[psk.identity()]);
        }
        settings
    }
}

/// How much data a record may have (RFC 6066, 4).
///
/// ```
/// assert_eq!(tacket_tls::MaxFragment::Of2048.bytes(), 2048);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the RFC has no others")]
pub enum MaxFragment {
    /// 512 bytes.
    Of512,
    /// 1024 bytes.
    Of1024,
    /// 2048 bytes.
    Of2048,
    /// 4096 bytes.
    Of4096,
}

impl MaxFragment {
    /// So many bytes. The record is up to 22 bytes longer, and may be padded.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Of512 => 512,
            Self::Of1024 => 1024,
            Self::Of2048 => 2048,
            Self::Of4096 => 4096,
        }
    }

    /// The number that it has in a hello.
    const fn number(self) -> u8 {
        match self {
            Self::Of512 => 1,
            Self::Of1024 => 2,
            Self::Of2048 => 3,
            Self::Of4096 => 4,
        }
    }
}

impl From<MaxFragment> for MaxFragmentLength {
    fn from(max_fragment: MaxFragment) -> Self {
        match max_fragment {
            MaxFragment::Of512 => Self::Bits9,
            MaxFragment::Of1024 => Self::Bits10,
            MaxFragment::Of2048 => Self::Bits11,
            MaxFragment::Of4096 => Self::Bits12,
        }
    }
}

/// What proves to a server who its client is: a certificate, alone, and its key, of P-256.
///
/// ```no_run
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::ClientCertificate;
///
/// # const CERTIFICATE: &[u8] = &[]; // include_bytes!("client.der")
/// # const KEY: &[u8] = &[]; // include_bytes!("client.key.der")
/// let certificate = ClientCertificate::new(CERTIFICATE, KEY)?;
/// # let _ = certificate;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientCertificate<'c> {
    pub(super) der: &'c [u8],
    pub(super) key: SigningKey,
}

impl<'c> ClientCertificate<'c> {
    /// Takes a certificate in DER, and its key as `openssl ec -outform DER` writes it (SEC1, RFC 5915).
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoKey`]: it is no key of P-256. [`ConfigError::NoCertificate`]: it is no certificate.
    /// [`ConfigError::KeyMismatch`]: they do not belong together.
    pub fn new(certificate: &'c [u8], key: &[u8]) -> Result<Self, ConfigError> {
        let key = p256::SecretKey::from_sec1_der(key).map_err(|_| ConfigError::NoKey)?;
        let der = CertificateDer::from_slice(certificate);
        let parsed =
            webpki::anchor_from_trusted_cert(&der).map_err(|_| ConfigError::NoCertificate)?;
        let point = key.public_key().to_encoded_point(false);
        if !parsed.subject_public_key_info.ends_with(point.as_bytes()) {
            return Err(ConfigError::KeyMismatch);
        }
        Ok(Self {
            der: certificate,
            key: key.into(),
        })
    }
}

impl fmt::Debug for ClientCertificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}
