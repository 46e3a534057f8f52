//! Two streams made one, as in the midst of a tunnel.

use core::fmt;

use futures_util::future::try_join;
use tacket::{HalfCloseable, ReceiveStream, Stream};

/// Passes on what arrives at either stream to the other, until both have ended; then closes both.
///
/// Both directions run at once, and each ends on its own: the end of one stream becomes the end of what is sent to the other.
/// What goes from `left` to `right` passes through the buffer `there`, the rest through `back`.
///
/// # Errors
///
/// A [`RelayError`] that says which stream failed. Both are dropped then, so that nobody takes a part for the whole. An empty
/// buffer is a stream's [`InvalidInput`](tacket::Fault::InvalidInput).
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes both streams forcefully.
///
/// # Examples
///
/// ```
/// use futures_util::future::join3;
/// use tacket::testing::MemoryPair;
/// use tacket_examples::{echo, relay};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let (near, far) = (MemoryPair::new([0; 8], [0; 8]), MemoryPair::new([0; 8], [0; 8]));
/// let (client, left) = near.open().expect("a new pair");
/// let (right, server) = far.open().expect("a new pair");
/// let (mut there, mut back) = ([0; 8], [0; 8]);
/// let (mut sending, mut receiving, mut echoing) = ([0; 8], [0; 8], [0; 8]);
/// let (checked, echoed, relayed) = join3(
///     echo::exchange(client, 50, 7, &mut sending, &mut receiving, |_| ()),
///     echo::serve(server, &mut echoing),
///     relay(left, right, &mut there, &mut back),
/// )
/// .await;
/// assert_eq!((checked, echoed, relayed), (Ok(()), Ok(50), Ok(())));
/// # });
/// ```
pub async fn relay<L: Stream, R: Stream>(
    mut left: L,
    mut right: R,
    there: &mut [u8],
    back: &mut [u8],
) -> Result<(), RelayError<L::Error, R::Error>> {
    let (left_tx, left_rx) = left.split();
    let (right_tx, right_rx) = right.split();
    try_join(
        copy(
            left_rx,
            RelayError::Left,
            right_tx,
            RelayError::Right,
            there,
        ),
        copy(right_rx, RelayError::Right, left_tx, RelayError::Left, back),
    )
    .await?;
    left.close().await.map_err(RelayError::Left)?;
    right.close().await.map_err(RelayError::Right)
}

async fn copy<F: ReceiveStream, T: HalfCloseable, E>(
    mut from: F,
    receiving: impl Fn(F::Error) -> E,
    mut to: T,
    sending: impl Fn(T::Error) -> E,
    buffer: &mut [u8],
) -> Result<(), E> {
    loop {
        let count = from.receive_some(buffer).await.map_err(&receiving)?;
        if count == 0 {
            return to.send_eof().await.map_err(sending);
        }
        let data = buffer.get(..count).unwrap_or_default();
        to.send_all(data).await.map_err(&sending)?;
    }
}

/// Why a [`relay`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two sides")]
pub enum RelayError<L, R> {
    /// The left stream failed.
    Left(L),
    /// The right stream failed.
    Right(R),
}

impl<L: fmt::Display, R: fmt::Display> fmt::Display for RelayError<L, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(error) => error.fmt(f),
            Self::Right(error) => error.fmt(f),
        }
    }
}

impl<L: core::error::Error, R: core::error::Error> core::error::Error for RelayError<L, R> {}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use futures_util::future::join3;
    use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
    use tacket::{AsyncResource as _, SendStream as _};

    use super::*;
    use crate::drive::{VirtualClock, drive};

    type End<'p> = MemoryStream<'p, Vec<u8>>;
    type Outcome = Result<(), RelayError<MemoryError, MemoryError>>;

    fn relay_between<A, B>(
        left: impl AsyncFnOnce(End<'_>) -> A,
        right: impl AsyncFnOnce(End<'_>) -> B,
    ) -> (A, B, Outcome) {
        let near = MemoryPair::new(vec![0; 3], vec![0; 3]);
        let far = MemoryPair::new(vec![0; 3], vec![0; 3]);
        let ((client, near), (far, server)) = (near.open().unwrap(), far.open().unwrap());
        let (mut there, mut back) = ([0; 2], [0; 2]);
        let relaying = relay(near, far, &mut there, &mut back);
        let all = join3(left(client), right(server), relaying);
        drive(&VirtualClock::default(), all)
    }

    /// Receives to the end.
    async fn drain(
        mut rx: impl ReceiveStream<Error = MemoryError>,
    ) -> Result<Vec<u8>, MemoryError> {
        let (mut all, mut buf) = (Vec::new(), [0; 2]);
        loop {
            match rx.receive_some(&mut buf).await? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buf[..count]),
            }
        }
    }

    #[test]
    fn one_direction_can_end_long_before_the_other() {
        let (answer, question, relayed) = relay_between(
            async |mut client| {
                client.send_all(b"how are you?").await?;
                client.send_eof().await?;
                let answer = drain(&mut client).await;
                client.close().await?;
                answer
            },
            async |mut server| {
                let question = drain(&mut server).await;
                server.send_all(b"well, thank you").await?;
                server.close().await?;
                question
            },
        );
        assert_eq!(answer.unwrap(), b"well, thank you");
        assert_eq!(question.unwrap(), b"how are you?");
        assert_eq!(relayed, Ok(()));
    }

    #[test]
    fn a_stream_without_a_proper_end_gives_the_other_none_either() {
        let ((), heard, relayed) = relay_between(
            async |mut client| {
                client.send_all(b"the half of").await.unwrap();
                client.close_forcefully();
            },
            async |server| drain(server).await,
        );
        assert_eq!(heard, Err(MemoryError::Broken));
        assert_eq!(relayed, Err(RelayError::Left(MemoryError::Broken)));
        let (heard, (), relayed) = relay_between(
            async |client| drain(client).await,
            async |server| drop(server),
        );
        assert_eq!(heard, Err(MemoryError::Broken));
        assert_eq!(relayed, Err(RelayError::Right(MemoryError::Broken)));
    }
}
