//! The streams against foreign peers: programs that share no code with Tacket, at the other end of a real connection.
//!
//! Most peers are Python scripts in `peers/`. Each checks its own end too and reports what it found in a last line. The others
//! are programs that many people trust: `openssl`, nginx and curl.

#![expect(
    clippy::large_futures,
    reason = "the futures of TLS are large, and here is room on the stack"
)]

mod data;
mod dtls;
mod folder;
mod https;
mod https_get;
mod nginx;
mod openssl;
mod openssl_guarded;
mod peer;
mod process;
#[cfg(target_os = "linux")]
mod racing;
#[cfg(target_os = "linux")]
mod racing_listeners;
mod serving;
#[cfg(target_os = "linux")]
mod system;
mod tcp_client;
mod tcp_halves;
mod tcp_server;
mod tls;
mod tls_client;
mod tls_server;
