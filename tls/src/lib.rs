//! TLS around any Tacket stream.
//!
//! A [`TlsStream`] takes a stream and is one: what runs over a socket runs over TLS over that socket, over TLS in TLS, or over TLS
//! on the pipes of a child process, unchanged. Its handshake, sends and receives survive being dropped at any await.
//!
//! From the top down: a [`TlsStream`] moves bytes between its transport and an [`Engine`], which only computes. The engine is
//! [rustls]; a [`ClientConfig`] says whom a client trusts and a [`ServerConfig`] how a server proves who it is. rustls'
//! own configurations make one of these too, so what it can do can be had here. Where there is no heap, the engine is a
//! [`GuardedEngine`], for clients. Code that takes a [`TlsConnector`] makes clients with either. No setting here turns verification off.
//!
//! Over datagrams, a [`DtlsEndpoint`] is a client and a server at once, and each peer a [`DtlsChannel`] of messages.
//!
//! The crate is `no_std`. Features, of which [a table](#what-tls-can-do-here) says what they can do:
//!
//! * `ring`: the provider of algorithms for desktops, and what stands on one: [`ClientConfig::builder`],
//!   [`ServerConfig::builder`]. Brings `rustls` and `std`.
//! * `aws-lc-rs`: the same with AWS-LC, which has a key exchange that quantum computers do not break. With both, `ring` is
//!   used unless [`Provider::aws_lc_rs`] is asked for.
//! * `platform-roots`: [`Trust::in_platform`], which trusts whom the operating system trusts.
//! * `rustls`: the engine without a provider; yours comes in a configuration of rustls.
//! * `rustcrypto`: a provider for boards that have an allocator, [`RustCrypto`]: TLS 1.3, without the standard library.
//! * `std`: the system's clock, which says whether a certificate has expired.
//! * `embedded-tls`: the engine for microcontrollers without a heap, behind a guard: clients of TLS 1.3 that
//!   [`TlsStream::guarded_client`] makes. It knows P-256 with SHA-256.
//! * `dtls`: [`DtlsEndpoint`], one socket for datagrams and a channel for each peer. Brings `rustls` and `std`.
//! * `p384`, `ed25519`: certificates with these keys, or with SHA-384, too. Both bring `embedded-tls`.
//!
//! A desktop takes `ring`, a board with an allocator `rustcrypto`, and one without `embedded-tls`. Without an engine the crate is empty.
//!
#![doc = include_str!("../CAPABILITIES.md")]
#![no_std]
#![cfg_attr(
    not(all(
        feature = "aws-lc-rs",
        feature = "dtls",
        feature = "embedded-tls",
        feature = "platform-roots",
        feature = "ring",
        feature = "rustcrypto"
    )),
    allow(rustdoc::broken_intra_doc_links, reason = "links into features")
)]
#![cfg(any(feature = "embedded-tls", feature = "rustls"))]

#[cfg(any(test, feature = "rustls"))]
extern crate alloc;
#[cfg(any(test, doctest, feature = "std"))]
extern crate std;

#[cfg(feature = "rustls")]
mod adaptive;
#[cfg(any(feature = "dtls", feature = "embedded-tls", feature = "rustcrypto"))]
mod algorithms;
#[cfg(feature = "rustls")]
mod asked_name;
mod buffer;
#[cfg(test)]
#[expect(clippy::large_futures, reason = "tests run on a desktop")]
mod capabilities;
mod config;
mod connector;
mod default_engine;
#[cfg(feature = "dtls")]
mod dtls;
mod engine;
mod error;
#[cfg(any(
    feature = "aws-lc-rs",
    feature = "dtls",
    feature = "embedded-tls",
    feature = "ring"
))]
mod fingerprint;
#[cfg(feature = "embedded-tls")]
mod guard;
#[cfg(feature = "rustls")]
mod listener;
mod lock;
mod memory;
mod negotiated;
mod open;
mod open_error;
mod pump;
mod reading;
#[cfg(feature = "rustls")]
mod records;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;
#[cfg(feature = "rustls")]
mod rustls_engine;
#[cfg(feature = "rustls")]
mod serve;
mod session;
#[cfg(feature = "rustls")]
mod split;
mod staged;
mod stream;

#[cfg(feature = "rustls")]
pub use config::{ClientConfig, ServerConfig};
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub use config::{ClientConfigBuilder, Identity, Provider, ServerConfigBuilder, Trust};
pub use connector::TlsConnector;
pub use default_engine::DefaultEngine;
#[cfg(feature = "dtls")]
pub use dtls::{
    DtlsChannel, DtlsChannelStatistics, DtlsClientConfig, DtlsConnectError, DtlsEndpoint,
    DtlsError, DtlsIdentity, DtlsNegotiated, DtlsProblem, DtlsPsk, DtlsServeStatistics,
    DtlsServerConfig, DtlsStatistics, DtlsTrust, DtlsVersion,
};
#[cfg(feature = "embedded-tls")]
pub use embedded_tls::CryptoRngCore;
pub use engine::Engine;
pub use error::{ConfigError, EngineError, NeedHandshake, TlsError};
#[cfg(any(
    feature = "aws-lc-rs",
    feature = "dtls",
    feature = "embedded-tls",
    feature = "ring"
))]
pub use fingerprint::Fingerprint;
#[cfg(feature = "embedded-tls")]
pub use guard::{
    Anchors, CertificateClock, ClientCertificate, GuardAes128, GuardAes256, GuardError,
    GuardNegotiated, GuardSuite, GuardTrust, GuardVerifier, GuardedClientConfig, GuardedConnector,
    GuardedEngine, GuardedReceiving, GuardedSending, MaxFragment, PeerIdentity, PreSharedKey,
    TlsStorage, TrustError, Validity, VerifyError,
};
#[cfg(feature = "rustls")]
pub use listener::TlsListener;
pub use negotiated::CipherSuite;
#[cfg(feature = "rustls")]
pub use negotiated::{Negotiated, TlsVersion};
#[cfg(feature = "rustls")]
pub use open::open_tls_over_tcp_listeners;
pub use open::open_tls_over_tcp_stream;
pub use open_error::OpenTlsError;
#[cfg(feature = "rustcrypto")]
pub use rustcrypto::RustCrypto;
#[cfg(feature = "rustls")]
pub use rustls;
#[cfg(feature = "rustls")]
pub use rustls_engine::RustlsEngine;
pub use rustls_pki_types as pki_types;
#[cfg(feature = "rustls")]
pub use serve::{WithHandshake, WithHandshakeError, serve_tls_over_tcp};
#[cfg(feature = "rustls")]
pub use split::{OwnedTlsReceiving, OwnedTlsSending, TlsReceiving, TlsSending};
pub use stream::TlsStream;
#[cfg(feature = "rustls")]
pub use stream::Unwrapped;
