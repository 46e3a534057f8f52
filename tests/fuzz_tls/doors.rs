//! A stream, and a peer that it cannot trust: each door through which a stranger's bytes come in is one kind of program.
//!
//! The peer is rustls, which plays by the rules; but between it and the protection of its records a [middle](middle::Middle) changes what
//! it says, before and after there are keys: it knows them. So what reaches the stream is protected properly, and is nonsense.
//!
//! A client without a heap has its own algorithms, which cannot be blinded. So its peer can be [in concert](concert) with the middle instead.

mod algorithms;
mod attacked;
mod chain;
mod changes;
mod concert;
mod configuration;
mod der;
mod edit;
mod guard_parties;
mod guard_program;
mod guarded;
mod keys;
mod message;
mod middle;
mod parties;
mod peer;
mod program;
mod provider;
mod speech;
mod subject;
mod verifier_oracle;
mod verifier_program;
mod world;

pub use configuration::TlsConfigProgram;
pub use guard_program::TlsGuardProgram;
pub use program::{Gauge, TlsPeerProgram, Used};
pub use provider::TlsProviderProgram;
pub use verifier_program::TlsVerifierProgram;
