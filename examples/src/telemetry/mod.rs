//! A small device that tells its readings and takes settings.
//!
//! From the top down: [`session`] is a whole conversation; a [`Client`] asks, [`serve`] answers for a [`Device`]; they speak
//! [`Request`]s and [`Response`]s, each in one [`Frame`]. Over a network, [`Client::connect`] and [`listen`] find each other. Over a channel of datagrams, say
//! DTLS, the same messages are those of [`datagrams`].
//!
//! ```text
//! frame:     length of the payload (u16), kind (u8), payload: at most 64 bytes; numbers are big-endian
//! name:      length (u8), 1 to 16 visible ASCII characters
//! value:     i32, in thousandths of the unit
//!
//! requests                                     replies
//! 01 list                                      81 entry: name, 0 | name, 1, least value, greatest value
//!                                              82 end of list: count (u8)
//! 02 read: name                                83 value: value
//! 03 set: name, value                          84 done
//! 04 subscribe: name, interval in ms (u16),    85 subscribed
//!               count (u16); neither is 0      86 sample: sequence number from 0 (u16), value
//!                                              87 complete: samples sent (u16)
//! 05 unsubscribe                               88 unsubscribed: samples sent (u16)
//!                                              ff refused: reason (u8)
//! ```
//!
//! Each request gets one reply, a list one entry after another and the end of the list. Samples and the `complete` after the
//! last of them come on their own account, between any two other frames. One subscription runs at a time.
//! `unsubscribe` is always answered, with 0 if no subscription was running any more.
//!
//! An unknown kind of request is refused, and the session goes on. After a frame that is too long, or whose payload is
//! not what its kind demands, nothing further can be trusted: it is refused, and the session ends. Either side ends the
//! session by ending its direction between two frames.

mod client;
pub mod datagrams;
mod desk;
mod device;
mod frame;
mod message;
mod server;
mod service;
mod session;
#[cfg(test)]
mod tests;

pub use client::{Client, ClientError};
pub use desk::Served;
pub use device::{Device, Thermostat};
pub use frame::{EncodedFrame, Frame, FrameError, FrameReader, MAX_PAYLOAD};
pub use message::{Access, Entry, Name, Refusal, Request, Response, Sample};
pub use server::{ServeError, serve};
pub use service::{ServerEvent, listen, serve_clients};
pub use session::{SessionError, Summary, session};
