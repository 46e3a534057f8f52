//! What both ends agreed on in the handshake.

#[cfg(feature = "rustls")]
use alloc::boxed::Box;
#[cfg(feature = "rustls")]
use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "rustls")]
use rustls_pki_types::CertificateDer;

/// The facts of a session, as they stand after the handshake.
///
/// Keying material (RFC 5705) is missing: the interface of rustls 0.23 that this crate stands on does not give it.
///
/// ```
/// # fn show(negotiated: &tacket_tls::Negotiated) {
/// println!("{}, {}", negotiated.version(), negotiated.cipher_suite());
/// if let Some(protocol) = negotiated.alpn_protocol() {
///     println!("speaking {}", String::from_utf8_lossy(protocol));
/// }
/// # }
/// ```
#[cfg(feature = "rustls")]
#[derive(Clone, Debug)]
pub struct Negotiated {
    pub(crate) version: TlsVersion,
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) server_name: Option<Box<str>>,
    pub(crate) alpn_protocol: Option<Vec<u8>>,
    pub(crate) peer_certificates: Vec<CertificateDer<'static>>,
    pub(crate) is_resumed: bool,
}

#[cfg(feature = "rustls")]
impl Negotiated {
    /// The version of the protocol.
    #[must_use]
    pub const fn version(&self) -> TlsVersion {
        self.version
    }

    /// The algorithms that protect the data.
    #[must_use]
    pub const fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// The name that the client asked the server for (SNI, RFC 6066), in small letters. `None`: it asked for none, as for an
    /// IP address.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The protocol agreed by ALPN (RFC 7301). `None`: one side offered none.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.alpn_protocol.as_deref()
    }

    /// The peer's certificate chain, its own certificate first. Empty: it did not authenticate itself.
    #[must_use]
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        &self.peer_certificates
    }

    /// Whether it goes on from an earlier session, so that no certificate had to be sent again.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.is_resumed
    }
}

/// A version of TLS. Later ones are greater. [`Negotiated`] has an example.
#[cfg(feature = "rustls")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

#[cfg(feature = "rustls")]
impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// A cipher suite, by its number in the IANA registry. [`Negotiated`] has an example.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CipherSuite {
    pub(crate) id: u16,
    pub(crate) name: Option<&'static str>,
}

impl CipherSuite {
    /// The number in the [registry](https://www.iana.org/assignments/tls-parameters).
    #[must_use]
    pub const fn id(self) -> u16 {
        self.id
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "cipher suite {:#06x}", self.id),
        }
    }
}

impl fmt::Debug for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
