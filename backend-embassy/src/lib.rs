//! Tacket on a microcontroller: sockets on embassy-net that keep the contract, without a heap.
//!
//! A [`PoolStorage`] and a [`PoolState`] in `static`s are all the memory there is: buffers, and what is known of the sockets. [`Net::new`]
//! makes the sockets on a stack, once, and they are never dropped: connecting, accepting, and closes that are still being
//! acknowledged draw from the same pool, and a pool that is empty is [`NetError::PoolExhausted`], not a panic.
//! [`Net`] is then a [`Network`](tacket::Network) like that of the desktop, so protocols connect and serve with the same source.
//!
//! Two tasks have to run: that of the stack, and [`Net::run`]. A third party's protocol over these streams needs nothing else.
//!
//! What the sockets of embassy-net 0.9 do otherwise than the contract demands is repaired here; `tests/contract/embassy/deviations.rs`
//! in the repository has a test for each of these.
//!
//! Protocols that a firmware does not use must not cost it flash. So `dns`, `proto-ipv6` and `udp` are features here, by the names that
//! embassy-net has for them; without the first or the last, [`Net`] lacks [`Resolve`](tacket::Resolve) or [`Bind`](tacket::Bind), and is no `Network` as a whole. DHCP and the
//! medium are chosen with embassy-net itself.
//!
//! The feature `testing` adds a wire between two stacks in one process, on the host, in virtual time: see `testing::Wire`.
#![no_std]

#[cfg(feature = "testing")]
extern crate alloc;
#[cfg(any(test, doctest, feature = "testing"))]
extern crate std;

mod address;
mod backlog;
mod clock;
mod error;
mod listener;
mod net;
mod options;
mod pool;
#[cfg(feature = "dns")]
mod resolve;
mod slot;
mod storage;
mod tcp;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg_attr(not(feature = "udp"), path = "no_udp.rs")]
mod udp;
mod usage;

pub use clock::EmbassyClock;
pub use error::NetError;
pub use listener::TcpListener;
pub use net::Net;
pub use options::Options;
pub use storage::{PoolState, PoolStorage};
pub use tcp::{TcpReceiving, TcpSending, TcpStream};
#[cfg(feature = "udp")]
pub use udp::{UdpReceiving, UdpSending, UdpSocket};
pub use usage::Usage;
