//! Asks a device.

use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;

use tacket::{Clock, TimedOut, timeout};

use super::super::message::{Entry, Name, Refusal, Request, Response, Sample};
use super::{DatagramChannel, SIGN, SIGN_OF_LIFE, SINGLE, Tagged, responses, tag_of};

/// How long an answer is waited for, the first time. Then twice as long each time, up to the longest.
const PATIENCE: Duration = Duration::from_millis(250);
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);
/// How often a request is sent: for ten seconds and more.
const ATTEMPTS: u32 = 8;

/// The client's end of a session.
///
/// Any of its futures can be dropped. The request may have been carried out then or not; an answer that comes late is no answer to the next one.
///
/// ```
/// use tacket::Clock;
/// use tacket_examples::telemetry::Name;
/// use tacket_examples::telemetry::datagrams::{Client, ClientError, DatagramChannel};
///
/// async fn warmer<C, E>(channel: C, clock: &impl Clock, setpoint: Name) -> Result<i32, ClientError<E>>
/// where
///     C: DatagramChannel<Error = E>,
/// {
///     let mut client = Client::new(channel, clock);
///     let value = client.read(setpoint).await? + 500;
///     client.set(setpoint, value).await?;
///     client.close().await?;
///     Ok(value)
/// }
/// ```
#[derive(Debug)]
pub struct Client<'k, C, K> {
    channel: C,
    clock: &'k K,
    /// That of the latest request.
    tag: u16,
    requests: u32,
    /// When the device was last told anything.
    said: Duration,
    subscription: Option<Subscription>,
}

/// The latest that the device has agreed to, until [`next_sample`](Client::next_sample) has said that it is over.
#[derive(Debug)]
struct Subscription {
    tag: u16,
    interval: Duration,
    count: u16,
    /// When the latest sample came, or the answer to the request.
    heard: Duration,
    /// The first sample that is still to come.
    next: u16,
    latest: Option<Sample>,
    /// The device sends no more.
    is_complete: bool,
}

impl<'k, C: DatagramChannel, K: Clock> Client<'k, C, K> {
    /// Starts a session over `channel`, which had none before.
    pub const fn new(channel: C, clock: &'k K) -> Self {
        Self {
            channel,
            clock,
            tag: 0,
            requests: 0,
            said: Duration::ZERO,
            subscription: None,
        }
    }

    /// Calls `each` with every reading of the device, in its order, and returns how many there are.
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn list(&mut self, mut each: impl FnMut(Entry)) -> Result<u8, ClientError<C::Error>> {
        let answer = self.ask(Request::List).await?;
        let mut count = 0_u8;
        let mut responses = responses_in(&answer);
        loop {
            match responses.next().flatten() {
                Some(Response::Entry(entry)) => {
                    count = count.checked_add(1).ok_or(ClientError::Violation)?;
                    each(entry);
                }
                Some(Response::EndOfList(total))
                    if total == count && responses.next().is_none() =>
                {
                    return Ok(count);
                }
                Some(Response::Refused(refusal)) if count == 0 && responses.next().is_none() => {
                    return Err(ClientError::Refused(refusal));
                }
                _ => return Err(ClientError::Violation),
            }
        }
    }

    /// Returns a value, in thousandths of the unit.
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn read(&mut self, name: Name) -> Result<i32, ClientError<C::Error>> {
        match self.ask_for_one(Request::Read(name)).await? {
            Response::Value(value) => Ok(value),
            _ => Err(ClientError::Violation),
        }
    }

    /// Changes a value, in thousandths of the unit.
    ///
    /// # Errors
    ///
    /// A [`ClientError`]. After [`NoAnswer`](ClientError::NoAnswer) the value may have been set or not.
    ///
    /// # Cancel safety
    ///
    /// Safe. The value may have been set or not.
    pub async fn set(&mut self, name: Name, value: i32) -> Result<(), ClientError<C::Error>> {
        match self.ask_for_one(Request::Set(name, value)).await? {
            Response::Done => Ok(()),
            _ => Err(ClientError::Violation),
        }
    }

    /// Asks for `count` samples, one each `interval` milliseconds; [`next_sample`](Self::next_sample) returns those that arrive.
    ///
    /// A sample of an earlier subscription that was not fetched is forgotten, once the device has agreed. If it refuses, an earlier one goes on.
    ///
    /// # Errors
    ///
    /// A [`ClientError`]. After [`NoAnswer`](ClientError::NoAnswer) all is as after a drop.
    ///
    /// # Cancel safety
    ///
    /// Safe. An earlier subscription is as it was. The device may have begun the new one, whose samples are passed over; until that is over, or
    /// [`unsubscribe`](Self::unsubscribe) ends it, others are refused with [`Refusal::Busy`].
    pub async fn subscribe(
        &mut self,
        name: Name,
        interval: NonZeroU16,
        count: NonZeroU16,
    ) -> Result<(), ClientError<C::Error>> {
        let request = Request::Subscribe {
            name,
            interval,
            count,
        };
        match self.ask_for_one(request).await? {
            Response::Subscribed => {
                self.subscription = Some(Subscription {
                    tag: self.tag,
                    interval: Duration::from_millis(interval.get().into()),
                    count: count.get(),
                    heard: self.clock.now(),
                    next: 0,
                    latest: None,
                    is_complete: false,
                });
                Ok(())
            }
            _ => Err(ClientError::Violation),
        }
    }

    /// Returns the next sample of the subscription; `None` once it is over, or if there is none.
    ///
    /// Sequence numbers rise, with a gap for each sample that was lost, or came too late or before the answer to `subscribe`. Of those that come while a request is
    /// answered, the latest is kept. When none has come for three intervals and two seconds, the subscription is ended.
    ///
    /// While it waits it tells the device, every [`SIGN_OF_LIFE`], that somebody is there.
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Safe. No sample that has arrived is lost.
    pub async fn next_sample(&mut self) -> Result<Option<Sample>, ClientError<C::Error>> {
        loop {
            let Some(subscription) = &mut self.subscription else {
                return Ok(None);
            };
            if let Some(sample) = subscription.latest.take() {
                return Ok(Some(sample));
            }
            if subscription.is_over() {
                self.subscription = None;
                return Ok(None);
            }
            let until = subscription.given_up();
            let sign = self.said.saturating_add(SIGN_OF_LIFE);
            let now = self.clock.now();
            if sign <= now {
                self.say(&[SIGN], PATIENCE).await?;
            }
            let wait = until.min(sign).saturating_sub(now);
            match self.receive(wait).await? {
                Some(datagram) => self.note(datagram.as_ref()),
                None if self.clock.now() < until => {}
                None => _ = self.unsubscribe().await?,
            }
        }
    }

    /// Makes sure that no subscription runs, and returns how many samples the one that ran had sent; 0 if none ran.
    ///
    /// The latest sample that has arrived stays there for [`next_sample`](Self::next_sample).
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Safe. The subscription may run on or not.
    pub async fn unsubscribe(&mut self) -> Result<u16, ClientError<C::Error>> {
        match self.ask_for_one(Request::Unsubscribe).await? {
            Response::Unsubscribed(sent) => {
                if let Some(subscription) = &mut self.subscription {
                    subscription.is_complete = true;
                }
                Ok(sent)
            }
            _ => Err(ClientError::Violation),
        }
    }

    /// How many requests were made in this session.
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// Ends the session, and closes the channel.
    ///
    /// # Errors
    ///
    /// Those of the channel.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it has closed the channel, as far as that can be done at once.
    pub async fn close(self) -> Result<(), ClientError<C::Error>> {
        self.channel.close().await.map_err(ClientError::Channel)
    }

    /// Asks for what has one response.
    async fn ask_for_one(&mut self, request: Request) -> Result<Response, ClientError<C::Error>> {
        let answer = self.ask(request).await?;
        let mut responses = responses_in(&answer);
        match (responses.next().flatten(), responses.next()) {
            (Some(Response::Refused(refusal)), None) => Err(ClientError::Refused(refusal)),
            (Some(response), None) => Ok(response),
            _ => Err(ClientError::Violation),
        }
    }

    /// Sends a request until there is an answer. Returns that.
    async fn ask(&mut self, request: Request) -> Result<C::Item, ClientError<C::Error>> {
        self.tag = self.tag.wrapping_add(1);
        self.requests = self.requests.saturating_add(1);
        let question = Tagged::<SINGLE>::single(self.tag, &request.encode());
        let mut patience = PATIENCE;
        for _attempt in 0..ATTEMPTS {
            let until = self.clock.now().saturating_add(patience);
            self.say(question.as_bytes(), patience).await?;
            while let left = until.saturating_sub(self.clock.now())
                && !left.is_zero()
                && let Some(datagram) = self.receive(left).await?
            {
                if self.answers(datagram.as_ref()) {
                    return Ok(datagram);
                }
                self.note(datagram.as_ref());
            }
            patience = (patience * 2).min(LONGEST_PATIENCE);
        }
        Err(ClientError::NoAnswer)
    }

    /// Sends a datagram, if the channel takes it in time.
    async fn say(
        &mut self,
        datagram: &[u8],
        patience: Duration,
    ) -> Result<(), ClientError<C::Error>> {
        match timeout(self.clock, patience, self.channel.send(datagram)).await {
            Ok(sent) => sent.map_err(ClientError::Channel)?,
            Err(TimedOut) => return Ok(()),
        }
        self.said = self.clock.now();
        Ok(())
    }

    /// The next datagram. `None`: it takes too long.
    async fn receive(&mut self, wait: Duration) -> Result<Option<C::Item>, ClientError<C::Error>> {
        match timeout(self.clock, wait, self.channel.receive()).await {
            Ok(Ok(Some(datagram))) => Ok(Some(datagram)),
            Ok(Ok(None)) => Err(ClientError::Ended),
            Ok(Err(error)) => Err(ClientError::Channel(error)),
            Err(TimedOut) => Ok(None),
        }
    }

    /// Whether it is the answer to the latest request. Samples have the same tag, and may overtake it.
    fn answers(&self, datagram: &[u8]) -> bool {
        let Some((tag, frames)) = tag_of(datagram) else {
            return false;
        };
        let first = responses(frames).next().flatten();
        tag == self.tag && !matches!(first, Some(Response::Sample(_) | Response::Complete(_)))
    }

    /// Takes note of what belongs to the subscription. Anything else is late, or nothing that anybody waits for.
    fn note(&mut self, datagram: &[u8]) {
        let Some(subscription) = &mut self.subscription else {
            return;
        };
        let frames = tag_of(datagram).filter(|(tag, _)| *tag == subscription.tag);
        match frames.and_then(|(_, frames)| responses(frames).next().flatten()) {
            Some(Response::Sample(sample)) => subscription.note(sample, self.clock.now()),
            Some(Response::Complete(_)) => subscription.is_complete = true,
            _ => {}
        }
    }
}

impl Subscription {
    const fn is_over(&self) -> bool {
        self.is_complete || self.next == self.count
    }

    /// When nobody waits for a sample any more.
    const fn given_up(&self) -> Duration {
        let patience = self.interval.saturating_mul(3);
        self.heard
            .saturating_add(patience)
            .saturating_add(LONGEST_PATIENCE)
    }

    fn note(&mut self, sample: Sample, now: Duration) {
        if (self.next..self.count).contains(&sample.sequence) {
            self.next = sample.sequence + 1;
            self.latest = Some(sample);
            self.heard = now;
        }
    }
}

/// The responses of an answer.
fn responses_in(answer: &impl AsRef<[u8]>) -> impl Iterator<Item = Option<Response>> {
    let frames = tag_of(answer.as_ref()).map(|(_, frames)| frames);
    responses(frames.unwrap_or_default())
}

/// Why a [`Client`] has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError<E> {
    /// The channel failed.
    Channel(E),
    /// The device did not carry out the request. The session goes on.
    Refused(Refusal),
    /// The device has closed its channel.
    Ended,
    /// The device sent what is no answer to this request.
    Violation,
    /// There was no answer for ten seconds and more. The request may have been carried out or not.
    NoAnswer,
}

impl<E: fmt::Display> fmt::Display for ClientError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(error) => error.fmt(f),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Ended => f.write_str("the device ended the session"),
            Self::Violation => f.write_str("the device breaks the protocol"),
            Self::NoAnswer => f.write_str("the device does not answer"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for ClientError<E> {}
