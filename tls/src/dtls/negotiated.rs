//! What both ends agreed on in the handshake.

use alloc::sync::Arc;
use core::fmt;

use rustls_pki_types::CertificateDer;

/// The facts of an association, as they stand after the handshake: whom it is with, above all.
///
/// ```
/// use tacket::Datagram;
/// use tacket_tls::{DtlsChannel, DtlsError};
///
/// /// Tells each sensor the name by which the server knows it.
/// async fn greet<D: Datagram<Error: 'static>>(
///     channel: DtlsChannel<D>,
/// ) -> Result<(), DtlsError<D::Error>> {
///     channel.do_handshake().await?;
///     let negotiated = channel.negotiated().ok();
///     match negotiated.as_ref().and_then(|facts| facts.psk_identity()) {
///         Some(name) => channel.send(name).await,
///         None => channel.send(b"whoever you are").await,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DtlsNegotiated {
    pub(super) version: DtlsVersion,
    pub(super) peer_certificate: Option<Arc<CertificateDer<'static>>>,
    pub(super) psk_identity: Option<Arc<[u8]>>,
}

impl DtlsNegotiated {
    /// The version of the protocol.
    #[must_use]
    pub const fn version(&self) -> DtlsVersion {
        self.version
    }

    /// The peer's own certificate, which is trusted. `None`: it showed none, as a client of a server that does not ask for one.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.peer_certificate.as_deref()
    }

    /// The identity of the pre-shared key that both ends have proven to know: it tells a server which client this is. `None`: they have used certificates.
    #[must_use]
    pub fn psk_identity(&self) -> Option<&[u8]> {
        self.psk_identity.as_deref()
    }
}

/// A version of DTLS. Later ones are greater.
///
/// ```
/// use tacket_tls::DtlsVersion;
///
/// assert!(DtlsVersion::Dtls12 < DtlsVersion::Dtls13);
/// assert_eq!(DtlsVersion::Dtls12.to_string(), "DTLS 1.2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DtlsVersion {
    /// RFC 6347.
    Dtls12,
    /// RFC 9147.
    Dtls13,
}

impl fmt::Display for DtlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dtls12 => "DTLS 1.2",
            Self::Dtls13 => "DTLS 1.3",
        })
    }
}
