//! A stream, and a peer that it cannot trust: each door through which a stranger's bytes come in is one kind of program.
//!
//! The peer is rustls, which plays by the rules; but between it and the protection of its records a [middle](middle::Middle) changes what
//! it says, before and after there are keys: it knows them. So what reaches the stream is protected properly, and is nonsense.

mod algorithms;
mod configuration;
mod edit;
mod message;
mod middle;
mod parties;
mod peer;
mod program;
mod speech;
mod subject;
mod world;

pub use configuration::TlsConfigProgram;
pub use program::{Gauge, TlsPeerProgram, Used};
