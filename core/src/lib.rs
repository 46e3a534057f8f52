//! Async byte streams with one contract, from firmware without a heap to the desktop.
//!
//! A protocol written against [`Stream`] runs unchanged over whatever keeps the contract: sockets of the operating system,
//! sockets of a microcontroller's network stack, TLS around either, two pipes stapled together, or memory in a test.
//! This crate holds the contract and what stands on it alone; it is `no_std`, needs no allocator, and knows no executor and
//! no clock. From the top down:
//!
//! * a **protocol** takes a [`Stream`]: [`SendStream`] and [`ReceiveStream`] at once ([`Split`]), with an end of its own for
//!   the sending direction ([`HalfCloseable`]);
//! * it ends with [`AsyncResource::close`], or, forcefully, with a drop;
//! * a [`StapledStream`] makes a two-way stream of two one-way streams, [`CloseOnEof`] gives an end to a
//!   send half that has only a close, and [`Foreign`] adopts any `embedded-io-async` type;
//! * connections come from a [`Listener`], or from a [`Network`], which is a value too: it connects ([`Connect`]), listens
//!   ([`Listen`]), carries datagrams ([`Bind`], [`Datagram`]), knows names ([`Resolve`]) and the time;
//! * [`open_tcp_stream`] connects to a name, by whichever of its addresses answers first;
//! * [`open_tcp_listeners`] listens on a port of every address, a [`Server`] has several clients of a listener handled at the same time,
//!   [`serve_tcp`] is both in one call, and a [`Channel`] carries values between tasks
//!   ([`SendChannel`], [`ReceiveChannel`]); a [`MessageSender`] and a [`MessageReceiver`] carry messages over a stream;
//! * time comes from a [`Clock`], and [`timeout`] joins it to any future;
//! * every error answers [`Error::fault`], a short list to decide by;
//! * [`testing`] has memory streams, and the contract as functions to check anybody's stream.
//!
//! Every tacket stream is an `embedded-io-async` [`Read`](embedded_io_async::Read) and [`Write`](embedded_io_async::Write)
//! too, so protocol crates of that ecosystem run over it as they are.
//!
//! Dropping a future is an ordinary way to end an operation here. Each operation says what a drop leaves behind under
//! *Cancel safety*, and the check functions of [`testing`] hold every stream to it.
//!
//! Futures of these traits carry no `Send` promise: each backend runs its streams on the thread that made them.
#![no_std]
#![cfg_attr(
    not(all(feature = "alloc", feature = "testing")),
    allow(rustdoc::broken_intra_doc_links, reason = "links into the kit")
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, doctest))]
extern crate std;

mod channel;
mod clock;
mod datagram;
mod eof;
mod error;
mod foreign;
mod framing;
mod listener;
mod listeners;
mod network;
mod racing;
mod resource;
mod serve;
mod staple;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod timeout;
mod wait_queue;
mod waiters;

pub use channel::{
    Channel, ChannelReceiver, ChannelSender, ChannelStatistics, Generator, ReceiveChannel,
    ReceiveError, SendChannel, SendError, TryReceiveError, TrySendError,
};
pub use clock::Clock;
pub use datagram::{Datagram, ReceiveDatagram, SendDatagram};
pub use eof::{CloseOnEof, CloseOnEofError};
pub use error::{Error, Fault};
pub use foreign::{Foreign, ForeignError};
pub use framing::{
    Delimited, Framing, FramingError, LengthPrefixed, MessageReceiver, MessageSender, Oversize,
    Seen,
};
pub use listener::Listener;
pub use listeners::{Listeners, open_tcp_listeners};
pub use network::{Bind, Connect, Listen, LocalAddress, Network, Resolve};
pub use racing::{ConnectOptions, OpenError, open_tcp_stream};
pub use resource::AsyncResource;
pub use serve::{Handler, ServeError, ServeEvent, ServeReport, ServeStatistics, Server, serve_tcp};
pub use staple::{NoHalf, StapledError, StapledStream};
pub use stream::{HalfCloseable, IntoSplit, ReceiveStream, SendStream, Split, Stream};
pub use timeout::{TimedOut, timeout};
