//! TLS without a heap: what stands between a peer and `embedded-tls`.

mod certificates;
mod verifier;
mod verifier_damage;
mod verifier_handshake;
mod verifier_names;
mod verifier_paths;
mod verifier_trust;
