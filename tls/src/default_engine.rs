//! Which engine a stream has that names none.

#[cfg(not(feature = "rustls"))]
use crate::guard::GuardedEngine;
#[cfg(feature = "rustls")]
use crate::rustls_engine::RustlsEngine;

/// The engine of a [`TlsStream`](crate::TlsStream) that names none: rustls where it is there, else the guarded one.
///
/// A library that does not decide which features are on names its engine, or takes a [`TlsConnector`](crate::TlsConnector).
#[cfg(feature = "rustls")]
pub type DefaultEngine = RustlsEngine;

/// The engine of a [`TlsStream`](crate::TlsStream) that names none: rustls where it is there, else the guarded one.
///
/// A library that does not decide which features are on names its engine, or takes a [`TlsConnector`](crate::TlsConnector).
#[cfg(not(feature = "rustls"))]
pub type DefaultEngine = GuardedEngine<'static>;
