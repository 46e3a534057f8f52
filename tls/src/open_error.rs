//! Why there is no TLS over TCP.

use core::fmt;

use embedded_io_async::ErrorKind;
use tacket::{Error, Fault};

use crate::error::ConfigError;

/// Why there is no TLS over TCP, where the error of that is `E`.
///
/// ```
/// # fn show(error: tacket_tls::OpenTlsError<tacket::TimedOut>) {
/// use tacket_tls::OpenTlsError;
///
/// match error {
///     OpenTlsError::Config(error) => println!("this could never work: {error}"),
///     OpenTlsError::Transport(error) => println!("it did not work now: {error}"),
///     other => println!("{other}"),
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OpenTlsError<E> {
    /// The host's name or the configuration cannot be used.
    Config(ConfigError),
    /// TCP failed.
    Transport(E),
}

impl<E> From<ConfigError> for OpenTlsError<E> {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl<E: fmt::Display> fmt::Display for OpenTlsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for OpenTlsError<E> {
    /// The cause of the configuration's error. TCP's error is in the variant's field: it need not be `'static`.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => error.source(),
            Self::Transport(_) => None,
        }
    }
}

impl<E: Error> embedded_io_async::Error for OpenTlsError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(error) => error.kind(),
            Self::Transport(error) => error.kind(),
        }
    }
}

impl<E: Error> Error for OpenTlsError<E> {
    fn fault(&self) -> Fault {
        match self {
            Self::Config(error) => error.fault(),
            Self::Transport(error) => error.fault(),
        }
    }
}
