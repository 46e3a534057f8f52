//! Protocols written once, for every kind of stream.
//!
//! They take a [`tacket::Stream`] or a channel of datagrams, and a [`tacket::Clock`] where time matters, and know nothing else: no operating system,
//! no executor, no heap. The same source serves the desktop, firmware and tests.
//!
//! * [`echo`] sends bytes back, and checks a peer that does.
//! * [`telemetry`] asks a device for its readings: framing, requests, replies and a running subscription.
//! * [`http`] fetches a page, or asks a proxy for a tunnel, and [`relay`](relay()) is what the proxy then does.
#![no_std]

#[cfg(test)]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(test)]
mod drive;
pub mod echo;
pub mod http;
mod relay;
pub mod telemetry;

pub use relay::{RelayError, relay};
