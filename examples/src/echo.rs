//! An echo server, and a client that checks every byte it gets back.

use core::fmt;

use futures_util::future::try_join;
use tacket::testing::Pattern;
use tacket::{HalfCloseable, ReceiveStream, Stream};

/// Sends back all that arrives until the peer ends its direction, then closes; returns the number of bytes.
///
/// It receives into `buffer`, then sends that: one direction at a time. So the peer must receive while it sends.
///
/// # Errors
///
/// Those of the stream, which is dropped then. An empty `buffer` is the stream's
/// [`InvalidInput`](tacket::Fault::InvalidInput).
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the stream forcefully, and bytes already received may not have been sent back.
///
/// # Examples
///
/// ```
/// use futures_util::future::join;
/// use tacket::testing::MemoryPair;
/// use tacket_examples::echo;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let pair = MemoryPair::new([0; 64], [0; 64]);
/// let (client, server) = pair.open().expect("its ends are not out");
/// let (mut sending, mut receiving, mut echoing) = ([0; 16], [0; 16], [0; 16]);
/// let (checked, echoed) = join(
///     echo::exchange(client, 50, 7, &mut sending, &mut receiving, |_| ()),
///     echo::serve(server, &mut echoing),
/// )
/// .await;
/// assert_eq!((checked, echoed), (Ok(()), Ok(50)));
/// # });
/// ```
pub async fn serve<S: Stream>(mut stream: S, buffer: &mut [u8]) -> Result<u64, S::Error> {
    let mut echoed = 0;
    loop {
        let count = stream.receive_some(buffer).await?;
        if count == 0 {
            stream.close().await?;
            return Ok(echoed);
        }
        stream
            .send_all(buffer.get(..count).unwrap_or_default())
            .await?;
        echoed += count as u64;
    }
}

/// Sends `total` bytes of the [`Pattern`] of `seed` to an echo server, and checks at the same time that they come back.
///
/// Both directions run at once, each with its own buffer. After the last byte it ends its direction, demands that the
/// peer ends too, neither sooner nor later, and closes. `progress` is called with the number of bytes checked so far.
///
/// # Errors
///
/// An [`ExchangeError`]. The stream is dropped then, with whatever was still to be sent.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the stream forcefully, and the exchange cannot be resumed.
pub async fn exchange<S: Stream>(
    mut stream: S,
    total: u64,
    seed: u64,
    send_buffer: &mut [u8],
    receive_buffer: &mut [u8],
    progress: impl FnMut(u64),
) -> Result<(), ExchangeError<S::Error>> {
    if send_buffer.is_empty() || receive_buffer.is_empty() {
        return Err(ExchangeError::EmptyBuffer);
    }
    let (tx, rx) = stream.split();
    try_join(
        send_pattern(tx, total, seed, send_buffer),
        check_pattern(rx, total, seed, receive_buffer, progress),
    )
    .await?;
    stream.close().await.map_err(ExchangeError::Stream)
}

async fn send_pattern<T: HalfCloseable>(
    mut tx: T,
    total: u64,
    seed: u64,
    buffer: &mut [u8],
) -> Result<(), ExchangeError<T::Error>> {
    let mut pattern = Pattern::new(seed);
    while pattern.position() < total {
        let length = at_most(buffer.len(), total - pattern.position());
        let piece = buffer.get_mut(..length).unwrap_or_default();
        pattern.fill(piece);
        tx.send_all(piece).await.map_err(ExchangeError::Stream)?;
    }
    tx.send_eof().await.map_err(ExchangeError::Stream)
}

async fn check_pattern<R: ReceiveStream>(
    mut rx: R,
    total: u64,
    seed: u64,
    buffer: &mut [u8],
    mut progress: impl FnMut(u64),
) -> Result<(), ExchangeError<R::Error>> {
    let mut pattern = Pattern::new(seed);
    loop {
        let received = rx.receive_some(buffer).await;
        let count = received.map_err(ExchangeError::Stream)?;
        let missing = total - pattern.position();
        if count == 0 {
            return match missing {
                0 => Ok(()),
                _ => Err(ExchangeError::EndedEarly {
                    at: pattern.position(),
                }),
            };
        }
        let expected = buffer.get(..at_most(count, missing)).unwrap_or_default();
        pattern
            .verify(expected)
            .map_err(|at| ExchangeError::Differs { at })?;
        if expected.len() < count {
            return Err(ExchangeError::ExtraData { after: total });
        }
        progress(pattern.position());
    }
}

fn at_most(length: usize, limit: u64) -> usize {
    usize::try_from(limit).map_or(length, |limit| length.min(limit))
}

/// Why an [`exchange`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeError<E> {
    /// The stream failed.
    Stream(E),
    /// A byte came back changed.
    Differs {
        /// Where, counted from the first byte of the exchange.
        at: u64,
    },
    /// The peer ended before all bytes were back.
    EndedEarly {
        /// How many bytes had come back.
        at: u64,
    },
    /// More came back than was sent.
    ExtraData {
        /// How many bytes had been expected.
        after: u64,
    },
    /// A buffer of the caller has no room for a single byte.
    EmptyBuffer,
}

impl<E: fmt::Display> fmt::Display for ExchangeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Differs { at } => write!(f, "byte {at} came back changed"),
            Self::EndedEarly { at } => write!(f, "the peer ended after {at} bytes, too early"),
            Self::ExtraData { after } => write!(f, "the peer sent more than the {after} bytes due"),
            Self::EmptyBuffer => f.write_str("cannot exchange bytes through an empty buffer"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for ExchangeError<E> {}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use futures_util::future::join;
    use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
    use tacket::{AsyncResource as _, SendStream as _};

    use super::*;
    use crate::drive::{VirtualClock, drive};

    type Outcome = Result<(), ExchangeError<MemoryError>>;

    /// Runs the client against `server`, over buffers of `capacity` bytes.
    fn check_against<T>(
        capacity: usize,
        total: u64,
        server: impl AsyncFnOnce(MemoryStream<'_, Vec<u8>>) -> T,
    ) -> (Outcome, T) {
        let pair = MemoryPair::new(vec![0; capacity], vec![0; capacity]);
        let (left, right) = pair.open().unwrap();
        let client = async {
            let (mut sending, mut receiving) = ([0; 32], [0; 24]);
            exchange(left, total, 9, &mut sending, &mut receiving, |_| ()).await
        };
        drive(&VirtualClock::default(), join(client, server(right)))
    }

    #[test]
    fn every_byte_comes_back_through_buffers_of_any_size() {
        for capacity in [1, 2, 3, 31, 32, 33, 1000] {
            for total in [0, 1, 31, 32, 33, 1000] {
                let (checked, echoed) = check_against(capacity, total, async |stream| {
                    serve(stream, &mut [0; 20]).await
                });
                assert_eq!((checked, echoed), (Ok(()), Ok(total)));
            }
        }
    }

    #[test]
    fn progress_counts_up_to_the_total() {
        let pair = MemoryPair::new([0; 8], [0; 8]);
        let (left, right) = pair.open().unwrap();
        let mut seen = vec![0];
        let (mut sending, mut receiving, mut echoing) = ([0; 8], [0; 8], [0; 8]);
        let client = exchange(left, 100, 1, &mut sending, &mut receiving, |count| {
            seen.push(count);
        });
        let both = join(client, serve(right, &mut echoing));
        assert_eq!(
            drive(&VirtualClock::default(), both),
            (Ok(()), Ok(100)),
            "both ends agree"
        );
        assert!(seen.is_sorted_by(|a, b| a < b));
        assert_eq!(seen.last(), Some(&100));
    }

    #[test]
    fn a_changed_byte_is_found_at_its_place_and_the_stream_is_dropped() {
        let (checked, after) = check_against(16, 1000, async |mut stream| {
            let (mut buf, mut echoed) = ([0; 16], 0);
            loop {
                let count = match stream.receive_some(&mut buf).await {
                    Ok(count) if count > 0 => count,
                    end => return end,
                };
                if (echoed..echoed + count).contains(&77) {
                    buf[77 - echoed] ^= 0x80;
                }
                echoed += count;
                stream.send_all(&buf[..count]).await?;
            }
        });
        assert_eq!(checked, Err(ExchangeError::Differs { at: 77 }));
        assert_eq!(after, Err(MemoryError::Broken));
    }

    #[test]
    fn an_early_end_is_told_from_a_full_one() {
        let (checked, ()) = check_against(64, 40, async |mut stream| {
            let mut buf = [0; 40];
            let mut filled = 0;
            while filled < 40 {
                filled += stream.receive_some(&mut buf[filled..]).await.unwrap();
            }
            stream.send_all(&buf[..39]).await.unwrap();
            stream.close().await.unwrap();
        });
        assert_eq!(checked, Err(ExchangeError::EndedEarly { at: 39 }));
    }

    #[test]
    fn a_byte_too_many_is_found() {
        let (checked, ()) = check_against(64, 40, async |mut stream| {
            let mut buf = [0; 41];
            let mut filled = 0;
            while filled < 40 {
                filled += stream.receive_some(&mut buf[filled..]).await.unwrap();
            }
            stream.send_all(&buf).await.unwrap();
            stream.close().await.unwrap();
        });
        assert_eq!(checked, Err(ExchangeError::ExtraData { after: 40 }));
    }

    #[test]
    fn a_peer_that_leaves_without_an_end_is_a_stream_error() {
        let (checked, ()) = check_against(64, 40, async |stream| drop(stream));
        assert_eq!(checked, Err(ExchangeError::Stream(MemoryError::Broken)));
    }

    #[test]
    fn an_empty_buffer_is_refused_at_once() {
        let pair = MemoryPair::new([0; 8], [0; 8]);
        let (left, _right) = pair.open().unwrap();
        let mut receiving = [0; 8];
        let refused = exchange(left, 1, 1, &mut [], &mut receiving, |_| ());
        assert_eq!(
            drive(&VirtualClock::default(), refused),
            Err(ExchangeError::EmptyBuffer)
        );
    }
}
