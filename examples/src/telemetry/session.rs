//! A whole conversation with a device that is a thermostat.

use core::fmt;
use core::num::NonZeroU16;
use core::pin::pin;
use core::time::Duration;

use tacket::{Clock, Stream, TimedOut, timeout};

use super::client::{Client, ClientError};
use super::device::Thermostat;
use super::message::{Name, Refusal};

/// How long the conversation may take.
const LIMIT: Duration = Duration::from_secs(10);

const WARM: i32 = 21_500;
const TOO_HOT: i32 = 30_001;
const NO_READING: Name = Name::literal("pressure");

/// Talks to a [`Thermostat`], checks each of its answers, and closes.
///
/// It lists, reads, sets and reads back, provokes three refusals, takes a subscription to its end with another request
/// in the midst of it, breaks off a second one, and ends.
///
/// # Errors
///
/// A [`SessionError`]. The stream is dropped then.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the stream forcefully.
///
/// # Examples
///
/// ```
/// use tacket::{Clock, Stream};
/// use tacket_examples::telemetry::session;
///
/// async fn works<S: Stream>(stream: S, clock: &impl Clock) -> bool {
///     session(stream, clock).await.is_ok()
/// }
/// ```
pub fn session<S: Stream>(
    stream: S,
    clock: &impl Clock,
) -> impl Future<Output = Result<Summary, SessionError<S::Error>>> {
    // In an `async fn`, the stream would lie in the future once more.
    let mut client = Client::new(stream);
    async move {
        let conversation = pin!(async move {
            let summary = converse(&mut client).await?;
            client.close().await?;
            Ok(summary)
        });
        match timeout(clock, LIMIT, conversation).await {
            Ok(result) => result,
            Err(TimedOut) => Err(SessionError::TimedOut),
        }
    }
}

async fn converse<S: Stream>(client: &mut Client<S>) -> Result<Summary, SessionError<S::Error>> {
    let mut listed = [None; Thermostat::ENTRIES.len()];
    let count = client
        .list(|entry| {
            listed.rotate_left(1);
            listed.last_mut().map(|place| place.replace(entry));
        })
        .await?;
    let complete = usize::from(count) == listed.len();
    demand(
        complete && listed == Thermostat::ENTRIES.map(Some),
        "the list",
    )?;

    client.read(Thermostat::TEMPERATURE).await?;
    client.set(Thermostat::SETPOINT, WARM).await?;
    let value = client.read(Thermostat::SETPOINT).await?;
    demand(value == WARM, "reading back what was set")?;

    let too_hot = client.set(Thermostat::SETPOINT, TOO_HOT).await;
    demand_refusal(too_hot, Refusal::OutOfRange, "setting out of range")?;
    let read_only = client.set(Thermostat::TEMPERATURE, WARM).await;
    demand_refusal(read_only, Refusal::ReadOnly, "setting what is read-only")?;
    let unknown = client.read(NO_READING).await;
    demand_refusal(unknown, Refusal::UnknownName, "reading an unknown name")?;

    let mut samples = 0;
    subscribe(client, NonZeroU16::MIN, 3).await?;
    let value = client.read(Thermostat::SETPOINT).await?;
    demand(value == WARM, "reading during a subscription")?;
    let mut before = None;
    while let Some(sample) = client.next_sample().await? {
        let fresh = before.replace(sample.value) != Some(sample.value);
        demand(fresh && u32::from(sample.sequence) == samples, "a sample")?;
        samples += 1;
    }
    demand(samples == 3, "the end of the subscription")?;

    subscribe(client, NonZeroU16::MAX, 100).await?;
    let sent = client.unsubscribe().await?;
    demand(sent == 0, "unsubscribing")?;

    Ok(Summary {
        requests: client.requests(),
        samples,
    })
}

async fn subscribe<S: Stream>(
    client: &mut Client<S>,
    interval: NonZeroU16,
    count: u16,
) -> Result<(), ClientError<S::Error>> {
    let count = NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN);
    client
        .subscribe(Thermostat::TEMPERATURE, interval, count)
        .await
}

fn demand<E>(fulfilled: bool, step: &'static str) -> Result<(), SessionError<E>> {
    if fulfilled {
        Ok(())
    } else {
        Err(SessionError::Unexpected { step })
    }
}

fn demand_refusal<T, E>(
    answer: Result<T, ClientError<E>>,
    refusal: Refusal,
    step: &'static str,
) -> Result<(), SessionError<E>> {
    match answer {
        Err(ClientError::Refused(reason)) => demand(reason == refusal, step),
        Err(error) => Err(SessionError::Client(error)),
        Ok(_) => Err(SessionError::Unexpected { step }),
    }
}

/// What was said in a [`session`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Requests made, those refused included.
    pub requests: u32,
    /// Samples received.
    pub samples: u32,
}

/// Why a [`session`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError<E> {
    /// A request had no answer, or a refusal where none is due.
    Client(ClientError<E>),
    /// The device answered, but not with what a thermostat has to say.
    Unexpected {
        /// At which step of the conversation.
        step: &'static str,
    },
    /// The conversation took more than 10 seconds.
    TimedOut,
}

impl<E> From<ClientError<E>> for SessionError<E> {
    fn from(error: ClientError<E>) -> Self {
        Self::Client(error)
    }
}

impl<E: fmt::Display> fmt::Display for SessionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Unexpected { step } => write!(f, "not the answer due at {step}"),
            Self::TimedOut => f.write_str("the device took too long to answer"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for SessionError<E> {}
