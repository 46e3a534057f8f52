//! Answers for a device, and keeps a subscription going meanwhile.

use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;

use tacket::{Clock, Stream, TimedOut, timeout};

use super::device::Device;
use super::frame::{FrameError, FrameReader};
use super::message::{Access, Name, Refusal, Request, Response, Sample};

/// How long a peer has to end its direction after its session was ended for a bad frame.
const LINGER: Duration = Duration::from_secs(1);

/// Serves one client until it ends its direction between two frames, then closes.
///
/// While a subscription runs, it waits for the next request until the next sample is due. The wait is dropped then, and
/// no byte of a request that has arrived in part is lost. A request is answered at once, before the next sample.
///
/// It sends one message after the other and waits for each to be taken, so a client that does not receive stops it.
///
/// # Errors
///
/// [`ServeError::Malformed`] and [`ServeError::TooLong`]: the client's framing is wrong. It is told so and has a second to end
/// its direction, for a graceful close. After any other, the stream is dropped at once.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the stream forcefully, and a message may have been sent in part. The device keeps what
/// was set.
///
/// # Examples
///
/// ```
/// use tacket::{Clock, Stream};
/// use tacket_examples::telemetry::{Thermostat, serve};
///
/// async fn thermostat<S: Stream>(stream: S, clock: &impl Clock) {
///     match serve(stream, &mut Thermostat::new(), clock).await {
///         Ok(served) => drop(served.requests),
///         Err(_) => (), // this client is gone, the next may come
///     }
/// }
/// ```
pub async fn serve<S: Stream>(
    mut stream: S,
    device: &mut impl Device,
    clock: &impl Clock,
) -> Result<Served, ServeError<S::Error>> {
    let mut session = Session {
        device,
        subscription: None,
        served: Served::default(),
    };
    let mut frames = FrameReader::new();
    let refusal = loop {
        if let Some(sample) = session.due_sample(clock.now()) {
            reply(&mut stream, sample).await?;
            if let Some(complete) = session.complete_subscription() {
                reply(&mut stream, complete).await?;
            }
        }
        let next = frames.next_frame(&mut stream);
        let next = match session.time_to_next_sample(clock.now()) {
            Some(time) => match timeout(clock, time, next).await {
                Ok(next) => next,
                Err(TimedOut) => continue,
            },
            None => next.await,
        };
        let request = match next {
            Ok(Some(frame)) => Request::parse(frame),
            Ok(None) => {
                stream.close().await.map_err(ServeError::Stream)?;
                return Ok(session.served);
            }
            Err(FrameError::TooLong { .. }) => break Refusal::TooLong,
            Err(FrameError::Truncated) => return Err(ServeError::Truncated),
            Err(FrameError::Stream(error)) => return Err(ServeError::Stream(error)),
        };
        if request == Err(Refusal::Malformed) {
            break Refusal::Malformed;
        }
        session.served.requests += 1;
        session.answer(request, &mut stream, clock.now()).await?;
    };
    let _: Result<Result<(), S::Error>, TimedOut> =
        timeout(clock, LINGER, dismiss(stream, refusal)).await;
    Err(match refusal {
        Refusal::TooLong => ServeError::TooLong,
        _ => ServeError::Malformed,
    })
}

/// Says goodbye to a peer that cannot be understood: closing at once could take the refusal away from it again.
async fn dismiss<S: Stream>(mut stream: S, refusal: Refusal) -> Result<(), S::Error> {
    let frame = Response::Refused(refusal).encode();
    stream.send_all(frame.as_bytes()).await?;
    stream.send_eof().await?;
    let mut rest = [0; 64];
    while stream.receive_some(&mut rest).await? > 0 {}
    stream.close().await
}

async fn reply<S: Stream>(stream: &mut S, response: Response) -> Result<(), ServeError<S::Error>> {
    let frame = response.encode();
    let sent = stream.send_all(frame.as_bytes()).await;
    sent.map_err(ServeError::Stream)
}

/// What a session served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Requests answered, refusals included.
    pub requests: u32,
    /// Samples sent.
    pub samples: u32,
}

/// All of a session but its stream.
struct Session<'d, D> {
    device: &'d mut D,
    subscription: Option<Subscription>,
    served: Served,
}

struct Subscription {
    index: usize,
    interval: Duration,
    due: Duration,
    sent: u16,
    count: u16,
}

impl<D: Device> Session<'_, D> {
    async fn answer<S: Stream>(
        &mut self,
        request: Result<Request, Refusal>,
        stream: &mut S,
        now: Duration,
    ) -> Result<(), ServeError<S::Error>> {
        let response = match request {
            Ok(Request::List) => Ok(self.send_entries(stream).await?),
            Ok(Request::Read(name)) => self.read(name),
            Ok(Request::Set(name, value)) => self.set(name, value),
            Ok(Request::Subscribe {
                name,
                interval,
                count,
            }) => self.subscribe(name, interval, count, now),
            Ok(Request::Unsubscribe) => Ok(self.unsubscribe()),
            Err(refusal) => Err(refusal),
        };
        reply(stream, response.unwrap_or_else(Response::Refused)).await
    }

    async fn send_entries<S: Stream>(
        &self,
        stream: &mut S,
    ) -> Result<Response, ServeError<S::Error>> {
        let mut count = 0;
        while count < u8::MAX
            && let Some(entry) = self.device.entry(count.into())
        {
            reply(stream, Response::Entry(entry)).await?;
            count += 1;
        }
        Ok(Response::EndOfList(count))
    }

    fn find(&self, name: Name) -> Result<(usize, Access), Refusal> {
        (0..)
            .map_while(|index| Some((index, self.device.entry(index)?)))
            .find(|(_, entry)| entry.name == name)
            .map(|(index, entry)| (index, entry.access))
            .ok_or(Refusal::UnknownName)
    }

    fn read(&mut self, name: Name) -> Result<Response, Refusal> {
        let (index, _) = self.find(name)?;
        Ok(Response::Value(self.device.read(index)))
    }

    fn set(&mut self, name: Name, value: i32) -> Result<Response, Refusal> {
        match self.find(name)? {
            (_, Access::ReadOnly) => Err(Refusal::ReadOnly),
            (index, Access::Writable { least, greatest }) => {
                if !(least..=greatest).contains(&value) {
                    return Err(Refusal::OutOfRange);
                }
                self.device.set(index, value);
                Ok(Response::Done)
            }
        }
    }

    fn subscribe(
        &mut self,
        name: Name,
        interval: NonZeroU16,
        count: NonZeroU16,
        now: Duration,
    ) -> Result<Response, Refusal> {
        let (index, _) = self.find(name)?;
        if self.subscription.is_some() {
            return Err(Refusal::Busy);
        }
        let interval = Duration::from_millis(interval.get().into());
        self.subscription = Some(Subscription {
            index,
            interval,
            due: now.saturating_add(interval),
            sent: 0,
            count: count.get(),
        });
        Ok(Response::Subscribed)
    }

    fn unsubscribe(&mut self) -> Response {
        let ended = self.subscription.take();
        Response::Unsubscribed(ended.map_or(0, |ended| ended.sent))
    }

    fn time_to_next_sample(&self, now: Duration) -> Option<Duration> {
        self.subscription
            .as_ref()
            .map(|subscription| subscription.due.saturating_sub(now))
    }

    fn due_sample(&mut self, now: Duration) -> Option<Response> {
        let subscription = self.subscription.as_mut()?;
        if now < subscription.due {
            return None;
        }
        let sequence = subscription.sent;
        subscription.sent += 1;
        self.served.samples += 1;
        // One that is late by more than an interval is not caught up with: requests get their turn.
        let next = subscription.due.saturating_add(subscription.interval);
        subscription.due = if next > now {
            next
        } else {
            now.saturating_add(subscription.interval)
        };
        let value = self.device.read(subscription.index);
        Some(Response::Sample(Sample { sequence, value }))
    }

    fn complete_subscription(&mut self) -> Option<Response> {
        let done = self
            .subscription
            .take_if(|subscription| subscription.sent == subscription.count)?;
        Some(Response::Complete(done.sent))
    }
}

/// Why a session ended before its client ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeError<E> {
    /// The stream failed.
    Stream(E),
    /// The stream ended within a request.
    Truncated,
    /// A request was too long.
    TooLong,
    /// The payload of a request was not what its kind demands.
    Malformed,
}

impl<E: fmt::Display> fmt::Display for ServeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Truncated => f.write_str("the client left within a request"),
            Self::TooLong => f.write_str("the client sent a request that is too long"),
            Self::Malformed => f.write_str("the client sent a malformed request"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for ServeError<E> {}
