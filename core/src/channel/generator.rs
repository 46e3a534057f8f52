//! A channel whose sender runs when somebody receives.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;

use embedded_io_async::ErrorType;

use super::ReceiveChannel;
use crate::AsyncResource;

/// Values that an async block makes on demand: the receiver of a channel, and the block that sends into it.
///
/// The block runs only inside of [`receive`](ReceiveChannel::receive), so not before the first one, and in each as far as the channel has room; through one without
/// room only to the next value, or, if it had to wait for something else on the way there, to the one after. The block owns the sender (`async move`), so that when it is over, so
/// is the channel; as long as somebody else has a sender too, receives wait for that one. Dropped, the generator just never goes on.
///
/// ```
/// use core::pin::pin;
/// use tacket::{Channel, Generator, ReceiveChannel};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let channel = Channel::<u32, 0>::new();
/// let (tx, rx) = channel.open().expect("its handles are not out");
/// let body = pin!(async move {
///     for number in 1..=3 {
///         if tx.send(number * number).await.is_err() {
///             return; // nobody wants more
///         }
///     }
/// });
/// let mut squares = Generator::new(rx, body);
/// assert_eq!(squares.receive().await, Ok(Some(1)));
/// assert_eq!(squares.receive().await, Ok(Some(4)));
/// assert_eq!(squares.receive().await, Ok(Some(9)));
/// assert_eq!(squares.receive().await, Ok(None));
/// # }).expect("ready");
/// ```
#[derive(Debug)]
pub struct Generator<'b, R, F> {
    receiver: R,
    /// Until it is over.
    body: Option<Pin<&'b mut F>>,
}

impl<'b, R, F> Generator<'b, R, F> {
    /// Has `body` run whenever `receiver` waits for what it sends. Nothing runs yet.
    pub const fn new(receiver: R, body: Pin<&'b mut F>) -> Self {
        Self {
            receiver,
            body: Some(body),
        }
    }
}

impl<R: ErrorType, F> ErrorType for Generator<'_, R, F> {
    type Error = R::Error;
}

impl<R: ReceiveChannel, F: Future<Output = ()>> AsyncResource for Generator<'_, R, F> {
    /// Closes the receiver. The block does not go on; whoever has it drops it.
    ///
    /// # Errors
    ///
    /// Those of the receiver.
    ///
    /// # Cancel safety
    ///
    /// Safe, as the receiver's close is.
    async fn close(self) -> Result<(), R::Error> {
        self.receiver.close().await
    }
}

impl<R: ReceiveChannel, F: Future<Output = ()>> ReceiveChannel for Generator<'_, R, F> {
    type Item = R::Item;

    async fn receive(&mut self) -> Result<Option<R::Item>, R::Error> {
        let mut receiving = pin!(self.receiver.receive());
        poll_fn(|cx| {
            // First it makes the value, and waits with it. To a receiver that waits it would give that, and make another.
            if let Some(body) = &mut self.body
                && let Poll::Ready(()) = body.as_mut().poll(cx)
            {
                self.body = None;
            }
            receiving.as_mut().poll(cx)
        })
        .await
    }
}
