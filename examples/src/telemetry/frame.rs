//! Frames: pieces of a byte stream, each with its length and its kind.

use core::fmt;

use tacket::ReceiveStream;

/// The longest payload of a frame.
pub const MAX_PAYLOAD: usize = 64;

const HEADER: usize = 3;
pub(super) const MAX_FRAME: usize = HEADER + MAX_PAYLOAD;

/// A frame that was received, without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the payload means.
    pub kind: u8,
    /// At most [`MAX_PAYLOAD`] bytes.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame in `bytes`, and what is behind it. `None`: it is not whole, or too long.
    pub(super) fn first_of(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let ([high, low, kind], rest) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (payload, rest) = rest.split_at_checked(length)?;
        let frame = Self {
            kind: *kind,
            payload,
        };
        (length <= MAX_PAYLOAD).then_some((frame, rest))
    }
}

/// Cuts a byte stream into frames.
///
/// What it has of the next frame stays in it, not in the future that waits for the rest.
///
/// ```
/// use tacket::testing::MemoryPipe;
/// use tacket::{AsyncResource, SendStream};
/// use tacket_examples::telemetry::{Frame, FrameReader};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let pipe = MemoryPipe::new([0; 16]);
/// let (mut tx, mut rx) = pipe.open().expect("its ends are not out");
/// tx.send_all(&[0, 2, 7, 10, 11]).await.expect("room");
/// tx.close().await.expect("closes");
///
/// let mut frames = FrameReader::new();
/// let frame = frames.next_frame(&mut rx).await;
/// assert_eq!(frame, Ok(Some(Frame { kind: 7, payload: &[10, 11] })));
/// assert_eq!(frames.next_frame(&mut rx).await, Ok(None));
/// # }).expect("ready");
/// ```
#[derive(Clone, Debug)]
pub struct FrameReader {
    buffer: [u8; MAX_FRAME],
    filled: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameReader {
    /// Makes a reader that stands between two frames.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            buffer: [0; MAX_FRAME],
            filled: 0,
        }
    }

    /// Receives the next frame; `None` is the end of the stream between two frames.
    ///
    /// # Errors
    ///
    /// A [`FrameError`]. After [`TooLong`](FrameError::TooLong) every further call returns the same.
    ///
    /// # Cancel safety
    ///
    /// Safe. What was received of a frame stays here, and the next call goes on from there.
    pub async fn next_frame<R: ReceiveStream>(
        &mut self,
        rx: &mut R,
    ) -> Result<Option<Frame<'_>>, FrameError<R::Error>> {
        loop {
            let wanted = self.wanted()?;
            if self.filled == wanted {
                break;
            }
            let room = self.buffer.get_mut(self.filled..wanted).unwrap_or_default();
            let received = rx.receive_some(room).await;
            match received.map_err(FrameError::Stream)? {
                0 if self.filled == 0 => return Ok(None),
                0 => return Err(FrameError::Truncated),
                count => self.filled += count,
            }
        }
        let [_, _, kind, payload @ ..] = &self.buffer;
        let length = self.filled - HEADER;
        self.filled = 0;
        Ok(Some(Frame {
            kind: *kind,
            payload: payload.get(..length).unwrap_or_default(),
        }))
    }

    /// How many bytes of the frame must be here before the next decision.
    fn wanted<E>(&self) -> Result<usize, FrameError<E>> {
        let [high, low, ..] = self.buffer;
        let length = u16::from_be_bytes([high, low]);
        match usize::from(length) {
            _ if self.filled < HEADER => Ok(HEADER),
            payload if payload <= MAX_PAYLOAD => Ok(HEADER + payload),
            _ => Err(FrameError::TooLong { length }),
        }
    }
}

/// Why there is no next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError<E> {
    /// The stream failed.
    Stream(E),
    /// The stream ended within a frame.
    Truncated,
    /// The frame is announced with more than [`MAX_PAYLOAD`] bytes of payload.
    TooLong {
        /// The announced length.
        length: u16,
    },
}

impl<E: fmt::Display> fmt::Display for FrameError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Truncated => f.write_str("the stream ended within a frame"),
            Self::TooLong { length } => write!(
                f,
                "a frame of {length} bytes is longer than the {MAX_PAYLOAD} allowed"
            ),
        }
    }
}

impl<E: core::error::Error> core::error::Error for FrameError<E> {}

/// A frame as it is sent.
///
/// ```
/// use tacket_examples::telemetry::Request;
/// assert_eq!(Request::Unsubscribe.encode().as_bytes(), [0, 0, 5]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncodedFrame {
    bytes: [u8; MAX_FRAME],
    length: usize,
}

impl EncodedFrame {
    /// An empty frame of `kind`.
    pub(super) const fn new(kind: u8) -> Self {
        let mut bytes = [0; MAX_FRAME];
        let [_, _, place, ..] = &mut bytes;
        *place = kind;
        Self {
            bytes,
            length: HEADER,
        }
    }

    /// Appends to the payload. No message of this protocol comes near [`MAX_PAYLOAD`]; what went past it would be left out.
    pub(super) fn put(mut self, data: &[u8]) -> Self {
        let end = self.length + data.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(data);
            self.length = end;
        }
        let payload = u16::try_from(self.length - HEADER).unwrap_or(u16::MAX);
        let [high, low, ..] = &mut self.bytes;
        [*high, *low] = payload.to_be_bytes();
        self
    }

    /// The bytes to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            kind: self.bytes[2],
            payload: &self.bytes[HEADER..self.length],
        }
    }
}

impl fmt::Debug for EncodedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EncodedFrame")
            .field(&self.as_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use futures_util::FutureExt as _;
    use tacket::testing::{MemoryError, MemoryPipe};
    use tacket::{AsyncResource as _, SendStream as _};

    use super::*;

    const THREE: [u8; 12] = [0, 2, 1, 20, 21, 0, 0, 2, 0, 1, 3, 30];

    type Frames = Vec<(u8, Vec<u8>)>;

    /// All frames in `bytes`, and what is wrong with the rest.
    fn frames_of(bytes: &[u8]) -> (Frames, Option<FrameError<MemoryError>>) {
        let pipe = MemoryPipe::new([0; 200]);
        let (mut tx, mut rx) = pipe.open().unwrap();
        async {
            tx.send_all(bytes).await.unwrap();
            tx.close().await.unwrap();
            let (mut frames, mut reader) = (Vec::new(), FrameReader::new());
            loop {
                match reader.next_frame(&mut rx).await {
                    Ok(Some(frame)) => frames.push((frame.kind, frame.payload.to_vec())),
                    Ok(None) => return (frames, None),
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        .now_or_never()
        .unwrap()
    }

    #[test]
    fn dropping_next_frame_at_every_byte_loses_nothing() {
        let pipe = MemoryPipe::new([0; 1]);
        let (mut tx, mut rx) = pipe.open().unwrap();
        let (mut reader, mut frames) = (FrameReader::new(), Vec::new());
        for byte in THREE {
            assert_eq!(reader.next_frame(&mut rx).now_or_never(), None);
            tx.send_all(&[byte]).now_or_never().unwrap().unwrap();
            if let Some(frame) = reader.next_frame(&mut rx).now_or_never() {
                let frame = frame.unwrap().unwrap();
                frames.push((frame.kind, frame.payload.to_vec()));
            }
        }
        assert_eq!((frames, None), frames_of(&THREE));
    }

    #[test]
    fn every_truncation_ends_between_frames_or_is_told() {
        let ends = [0, 5, 8, 12];
        for length in 0..=THREE.len() {
            let (frames, error) = frames_of(&THREE[..length]);
            let whole = ends.iter().filter(|&&end| 0 < end && end <= length).count();
            assert_eq!(frames.len(), whole);
            let expected = (!ends.contains(&length)).then_some(FrameError::Truncated);
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn the_longest_frame_is_received_and_one_byte_more_is_not() {
        let mut bytes = [7; MAX_FRAME];
        bytes[..2].copy_from_slice(&[0, 64]);
        assert_eq!(frames_of(&bytes).0, [(7, [7; MAX_PAYLOAD].to_vec())]);
        for length in [[0, 65], [1, 0], [255, 255]] {
            bytes[..2].copy_from_slice(&length);
            let length = u16::from_be_bytes(length);
            let (frames, error) = frames_of(&bytes);
            assert!(frames.is_empty());
            assert_eq!(error, Some(FrameError::TooLong { length }));
        }
    }
}
