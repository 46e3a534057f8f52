//! What can go wrong with TLS.

#[cfg(feature = "rustls")]
use alloc::string::String;
use core::fmt;

use embedded_io_async::ErrorKind;
use tacket::{Error, Fault};

#[cfg(feature = "embedded-tls")]
use crate::guard::GuardError;

/// The error of a [`TlsStream`](crate::TlsStream), over a transport whose own error is `E`.
///
/// The first failure carries its cause. What failed for good stays failed, and later calls say so without the transport's
/// error, which is given away once for each direction.
///
/// It is not equal to itself where rustls' error is not: an error of another crate in it, as of a verifier of your own.
///
/// ```
/// use tacket::{Error, Fault};
/// use tacket_tls::TlsError;
///
/// /// Whether another attempt at another time may end otherwise.
/// fn is_worth_another_try<E: Error>(error: &TlsError<E>) -> bool {
///     match error {
///         TlsError::Engine(_) => false, // one side refused the other
///         other => matches!(other.fault(), Fault::Broken | Fault::Truncated | Fault::TimedOut),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TlsError<E> {
    /// The transport failed.
    Transport(E),
    /// The transport failed earlier, or ended without the peer's authenticated end while something had to be sent.
    Broken,
    /// TLS failed: this side refused a certificate, a message or a record of the peer, or the peer refused one of ours.
    Engine(EngineError),
    /// The transport ended without the peer's authenticated end. What came before it may not be all.
    Truncated,
    /// The end was sent earlier.
    Closed,
    /// A receive was given an empty buffer.
    EmptyBuffer,
    /// TLS 1.2 was agreed on, or the engine is one, which cannot do that.
    Unsupported,
    /// A half was used before the handshake, with an engine that cannot perform it there.
    NeedHandshake,
    /// The peer's end was waited for, but there is data before it that was not received yet.
    UnreadData,
}

impl<E: fmt::Display> fmt::Display for TlsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => write!(f, "below TLS: {error}"),
            Self::Broken => f.write_str("the transport below TLS has failed or ended"),
            Self::Engine(error) => error.fmt(f),
            Self::Truncated => {
                f.write_str("unexpected end: the transport ended without the peer's close_notify")
            }
            Self::Closed => f.write_str("the end of the stream was sent earlier"),
            Self::EmptyBuffer => f.write_str("cannot receive into an empty buffer"),
            Self::Unsupported => f.write_str("not possible with this version or engine of TLS"),
            Self::NeedHandshake => f.write_str("the handshake goes before the split"),
            Self::UnreadData => {
                f.write_str("the peer sent data before its end that was not received yet")
            }
        }
    }
}

impl<E: core::error::Error> core::error::Error for TlsError<E> {
    /// The engine's error. The transport's is in the variant's field: it need not be `'static`.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Engine(error) => Some(error),
            _ => None,
        }
    }
}

impl<E: Error> embedded_io_async::Error for TlsError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Transport(error) => error.kind(),
            Self::Engine(_) => ErrorKind::InvalidData,
            other => other.fault().kind(),
        }
    }
}

impl<E: Error> Error for TlsError<E> {
    fn fault(&self) -> Fault {
        match self {
            Self::Transport(error) => error.fault(),
            Self::Broken | Self::Engine(_) => Fault::Broken,
            Self::Truncated => Fault::Truncated,
            Self::Closed => Fault::Closed,
            Self::Unsupported => Fault::Unsupported,
            Self::NeedHandshake => Fault::NeedHandshake,
            Self::EmptyBuffer | Self::UnreadData => Fault::InvalidInput,
        }
    }
}

/// What the TLS implementation objected to.
///
/// ```
/// # #[cfg(feature = "rustls")] {
/// use tacket_tls::{EngineError, rustls};
///
/// fn is_about_a_certificate(error: &EngineError) -> bool {
///     matches!(error, EngineError::Rustls(rustls::Error::InvalidCertificate(_)))
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EngineError {
    /// In the words of rustls.
    #[cfg(feature = "rustls")]
    Rustls(rustls::Error),
    /// In those of the guard.
    #[cfg(feature = "embedded-tls")]
    Guard(GuardError),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "rustls")]
            Self::Rustls(error) => write!(f, "TLS: {error}"),
            #[cfg(feature = "embedded-tls")]
            Self::Guard(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl core::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            #[cfg(all(feature = "rustls", feature = "std"))]
            Self::Rustls(error) => Some(error),
            // Without `std`, that of rustls is no such error.
            #[cfg(all(feature = "rustls", not(feature = "std")))]
            Self::Rustls(_) => None,
            #[cfg(feature = "embedded-tls")]
            Self::Guard(error) => Some(error),
        }
    }
}

#[cfg(feature = "rustls")]
impl From<rustls::Error> for EngineError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error)
    }
}

/// Why no [`TlsStream`](crate::TlsStream) or configuration could be made. Nothing was sent.
///
/// ```
/// # #[cfg(feature = "ring")]
/// # fn main() -> Result<(), tacket_tls::ConfigError> {
/// use tacket_tls::{ClientConfig, ConfigError, TlsStream};
///
/// # let made = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
/// # let root = made.cert.der().clone();
/// let config = ClientConfig::with_roots([root])?;
/// let transport = (); // any stream
/// let refused = TlsStream::client(transport, &config, "not a name").err();
/// assert_eq!(refused, Some(ConfigError::InvalidName));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ring"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The server's name is neither a DNS name nor an IP address.
    InvalidName,
    /// The name of a protocol is empty or longer than 255 bytes, or all of them together are longer than 16 KiB.
    InvalidProtocol,
    /// Without a trusted root or fingerprint, nobody could ever be trusted.
    NoRoots,
    /// A server that has no certificate cannot prove who it is, or one was announced and is not there.
    NoCertificate,
    /// There is no private key where one should be.
    NoKey,
    /// The private key is damaged, or of a kind that is not known.
    #[cfg(feature = "dtls")]
    InvalidKey,
    /// The private key is that of another certificate.
    KeyMismatch,
    /// The certificate is not for this name.
    #[cfg(feature = "rustls")]
    NameMismatch(String),
    /// A fingerprint is not 32 bytes in hexadecimal digits.
    InvalidFingerprint,
    /// A file cannot be read: which, and why.
    #[cfg(feature = "rustls")]
    File(String),
    /// A certificate is damaged, or of a kind that is not known: how.
    #[cfg(feature = "dtls")]
    Certificate(String),
    /// Without a pre-shared key, nobody could ever be served.
    #[cfg(feature = "dtls")]
    NoPsk,
    /// A pre-shared key has no bytes, or its identity more than 65,535.
    #[cfg(feature = "dtls")]
    InvalidPsk,
    /// A pre-shared key excludes certificates and DTLS 1.3.
    #[cfg(feature = "dtls")]
    PskOnly,
    /// Where certificates are pinned, no authorities play a part.
    #[cfg(feature = "dtls")]
    PinsOnly,
    /// A text in PEM is damaged: how.
    #[cfg(feature = "rustls")]
    Pem(String),
    /// The operating system's trust cannot be used: why.
    #[cfg(feature = "rustls")]
    PlatformRoots(String),
    /// Early data can be replayed by anyone; a configuration that accepts it is not taken.
    EarlyData,
    /// The source of random bytes has none, or repeats itself.
    NoEntropy,
    /// The engine does not take these certificates, this key or this combination of settings.
    Engine(EngineError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName => {
                f.write_str("the server's name is neither a DNS name nor an IP address")
            }
            Self::InvalidProtocol => {
                f.write_str("a protocol's name is not 1 to 255 bytes long, or they are too many")
            }
            Self::NoRoots => f.write_str("no trusted root or fingerprint was given"),
            Self::NoCertificate => f.write_str("no certificate was given"),
            Self::NoKey => {
                f.write_str("no private key was found (one with a password cannot be read)")
            }
            #[cfg(feature = "dtls")]
            Self::InvalidKey => {
                f.write_str("the private key is damaged, or not one of P-256 or P-384")
            }
            Self::KeyMismatch => f.write_str("the private key does not belong to the certificate"),
            #[cfg(feature = "rustls")]
            Self::NameMismatch(name) => write!(f, "the certificate is not for {name}"),
            Self::InvalidFingerprint => f.write_str("a fingerprint has 64 hexadecimal digits"),
            #[cfg(feature = "rustls")]
            Self::File(problem) => write!(f, "cannot read {problem}"),
            #[cfg(feature = "dtls")]
            Self::Certificate(problem) => write!(f, "not a proper certificate: {problem}"),
            #[cfg(feature = "dtls")]
            Self::NoPsk => f.write_str("no pre-shared key was given"),
            #[cfg(feature = "dtls")]
            Self::InvalidPsk => {
                f.write_str("a pre-shared key has no bytes, or too long an identity")
            }
            #[cfg(feature = "dtls")]
            Self::PskOnly => f.write_str("a pre-shared key excludes certificates and DTLS 1.3"),
            #[cfg(feature = "dtls")]
            Self::PinsOnly => {
                f.write_str("where certificates are pinned, no authorities play a part")
            }
            #[cfg(feature = "rustls")]
            Self::Pem(problem) => write!(f, "not proper PEM: {problem}"),
            #[cfg(feature = "rustls")]
            Self::PlatformRoots(problem) => write!(f, "the platform's roots: {problem}"),
            Self::NoEntropy => f.write_str("there are no random bytes"),
            Self::EarlyData => f.write_str("TLS early data is not supported"),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Engine(error) => Some(error),
            _ => None,
        }
    }
}

impl embedded_io_async::Error for ConfigError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for ConfigError {
    fn fault(&self) -> Fault {
        match self {
            Self::EarlyData => Fault::Unsupported,
            Self::NoEntropy => Fault::Other,
            _ => Fault::InvalidInput,
        }
    }
}

#[cfg(feature = "rustls")]
impl From<rustls::Error> for ConfigError {
    fn from(error: rustls::Error) -> Self {
        Self::Engine(error.into())
    }
}

/// The answer to a question about the session, before the handshake is done. `do_handshake` is the way to do that before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is no more to say")]
pub struct NeedHandshake;

impl fmt::Display for NeedHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault().fmt(f)
    }
}

impl core::error::Error for NeedHandshake {}

impl embedded_io_async::Error for NeedHandshake {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for NeedHandshake {
    fn fault(&self) -> Fault {
        Fault::NeedHandshake
    }
}
