//! The same messages over a channel of datagrams, which may be lost and come in any order.
//!
//! ```text
//! request:   tag (u16), one frame
//! answer:    the tag of its request, one frame; of a list, a frame for each entry and one for its end
//! sample:    the tag of the request that subscribed, one frame; the `complete` after the last of them as well
//! sign:      one byte, 0, of a client that only listens
//! ```
//!
//! A client has one request at a time, and its tag is one more than that of the request before. What is not answered is sent again, the same. A device that
//! gets the latest request again sends its answer again, and does nothing else; older ones it passes over. So a request is carried out once, or not at all.
//! Samples are sent once.
//!
//! A device cannot see whether a client is still there, and a subscription can take weeks. So it leaves one that says nothing, subscribed or not. A client that waits for samples
//! gives a sign of life every ten seconds, which has no answer.
//!
//! A datagram has at most 500 bytes; a device whose list is longer refuses it.

mod client;
mod server;
#[cfg(test)]
mod tests;

use core::time::Duration;

use tacket::{ReceiveChannel, SendChannel};

pub use client::{Client, ClientError};
pub use server::serve;

use super::frame::{EncodedFrame, Frame, MAX_FRAME};
use super::message::Response;

/// How long a datagram is at most.
pub const MAX_DATAGRAM: usize = 500;

/// How often a client that only listens says that it is there.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// By this, which is too short for a tag.
const SIGN: u8 = 0;

/// A channel for datagrams in both directions.
///
/// ```
/// use tacket::Datagram;
/// use tacket_examples::telemetry::datagrams::DatagramChannel;
/// use tacket_tls::DtlsChannel;
///
/// fn is_one<C: DatagramChannel>(_: &C) {}
///
/// fn dtls<D: Datagram<Error: 'static>>(channel: &DtlsChannel<D>) {
///     is_one(channel);
/// }
/// ```
pub trait DatagramChannel:
    for<'m> SendChannel<&'m [u8]> + ReceiveChannel<Item: AsRef<[u8]>>
{
}

impl<C> DatagramChannel for C where
    C: for<'m> SendChannel<&'m [u8]> + ReceiveChannel<Item: AsRef<[u8]>>
{
}

/// Room for a tag and any frame.
const SINGLE: usize = 2 + MAX_FRAME;

/// A datagram to be sent, of at most `N` bytes, which is [`SINGLE`] or more.
struct Tagged<const N: usize> {
    tag: u16,
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Tagged<N> {
    /// With a tag, and nothing else.
    fn new(tag: u16) -> Self {
        let mut bytes = [0; N];
        if let Some(place) = bytes.first_chunk_mut() {
            *place = tag.to_be_bytes();
        }
        Self {
            tag,
            bytes,
            length: 2,
        }
    }

    /// With one frame, for which there always is room.
    fn single(tag: u16, frame: &EncodedFrame) -> Self {
        let mut single = Self::new(tag);
        single.put(frame);
        single
    }

    /// Appends a frame, if there is room for it. Returns whether there was.
    fn put(&mut self, frame: &EncodedFrame) -> bool {
        let frame = frame.as_bytes();
        let end = self.length + frame.len();
        let room = self.bytes.get_mut(self.length..end);
        room.is_some_and(|room| {
            room.copy_from_slice(frame);
            self.length = end;
            true
        })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The tag of a datagram that has come, and what follows it.
fn tag_of(datagram: &[u8]) -> Option<(u16, &[u8])> {
    let (tag, frames) = datagram.split_first_chunk()?;
    Some((u16::from_be_bytes(*tag), frames))
}

/// All responses in `frames`; `None` in the place of what is none, and nothing after it.
fn responses(mut frames: &[u8]) -> impl Iterator<Item = Option<Response>> {
    core::iter::from_fn(move || {
        if frames.is_empty() {
            return None;
        }
        let first = Frame::first_of(frames);
        frames = first.map_or(&[], |(_, rest)| rest);
        Some(first.and_then(|(frame, _)| Response::parse(frame)))
    })
}
