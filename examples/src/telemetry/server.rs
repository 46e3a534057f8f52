//! Answers for a device, and keeps a subscription going meanwhile.

use core::fmt;
use core::time::Duration;

use tacket::{Clock, Stream, TimedOut, timeout};

use super::desk::{Desk, Served};
use super::device::Device;
use super::frame::{FrameError, FrameReader};
use super::message::{Refusal, Request, Response};

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
    let mut desk = Desk::new(device);
    let mut frames = FrameReader::new();
    let refusal = loop {
        if let Some(sample) = desk.due_sample(clock.now()) {
            reply(&mut stream, sample).await?;
            if let Some(complete) = desk.complete_subscription() {
                reply(&mut stream, complete).await?;
            }
        }
        let next = frames.next_frame(&mut stream);
        let next = match desk.time_to_next_sample(clock.now()) {
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
                return Ok(desk.served);
            }
            Err(FrameError::TooLong { .. }) => break Refusal::TooLong,
            Err(FrameError::Truncated) => return Err(ServeError::Truncated),
            Err(FrameError::Stream(error)) => return Err(ServeError::Stream(error)),
        };
        if request == Err(Refusal::Malformed) {
            break Refusal::Malformed;
        }
        answer(&mut desk, request, &mut stream, clock.now()).await?;
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

/// Answers a request, by one response or by many.
async fn answer<S: Stream>(
    desk: &mut Desk<'_, impl Device>,
    request: Result<Request, Refusal>,
    stream: &mut S,
    now: Duration,
) -> Result<(), ServeError<S::Error>> {
    if request == Ok(Request::List) {
        for entry in desk.entries() {
            reply(stream, Response::Entry(entry)).await?;
        }
    }
    reply(stream, desk.answer(request, now)).await
}

async fn reply<S: Stream>(stream: &mut S, response: Response) -> Result<(), ServeError<S::Error>> {
    let frame = response.encode();
    let sent = stream.send_all(frame.as_bytes()).await;
    sent.map_err(ServeError::Stream)
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
