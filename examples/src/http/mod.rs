//! HTTP/1.1: fetching a page, and tunnels through a proxy.
//!
//! [`get`] fetches. [`connect`] asks a proxy for a tunnel, and [`ConnectRequest`] is the proxy's side of that.
//!
//! Heads are received byte by byte, so that nothing that follows one is taken from the stream; TLS and memory
//! streams make that cheap. Heads are at most 64 KiB long, and each of their lines must fit into the buffer of the caller.

mod body;
mod connect;
mod error;
mod get;
mod head;
#[cfg(test)]
mod tests;

pub use connect::{ConnectRequest, connect};
pub use error::HttpError;
pub use get::{Response, get};
