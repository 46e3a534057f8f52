//! Answers for a device.

use core::time::Duration;

use tacket::{Clock, TimedOut, timeout};

use super::super::desk::{Desk, Served};
use super::super::device::Device;
use super::super::frame::Frame;
use super::super::message::{Refusal, Request, Response};
use super::{DatagramChannel, MAX_DATAGRAM, SINGLE, Tagged, tag_of};

/// Serves one client until it closes its channel, or has said nothing for as long as `silence`; then closes.
///
/// A subscription is no reason to wait for longer: nobody may be listening any more. Clients that do say so every
/// [`SIGN_OF_LIFE`](super::SIGN_OF_LIFE), which may get lost; so `silence` is several times that.
///
/// What is not a request is refused, if it has a tag, and the session goes on. It waits for the channel to take each datagram.
///
/// # Errors
///
/// Those of the channel.
///
/// # Cancel safety
///
/// Not safe. Dropped, it drops the channel. The device keeps what was set.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use tacket::Clock;
/// use tacket_examples::telemetry::datagrams::{DatagramChannel, serve};
/// use tacket_examples::telemetry::Thermostat;
///
/// async fn thermostat<C: DatagramChannel>(channel: C, clock: &impl Clock) {
///     match serve(channel, &mut Thermostat::new(), clock, Duration::from_secs(60)).await {
///         Ok(served) => drop(served.requests),
///         Err(_) => (), // this client is gone, the next may come
///     }
/// }
/// ```
pub async fn serve<C: DatagramChannel>(
    mut channel: C,
    device: &mut impl Device,
    clock: &impl Clock,
    silence: Duration,
) -> Result<Served, C::Error> {
    let mut desk = Desk::new(device);
    let mut latest: Option<Tagged<MAX_DATAGRAM>> = None;
    // The tag of the request that began the one that runs.
    let mut subscription = 0;
    let mut until = clock.now().saturating_add(silence);
    loop {
        let now = clock.now();
        if let Some(sample) = desk.due_sample(now) {
            send(&mut channel, subscription, sample).await?;
            if let Some(complete) = desk.complete_subscription() {
                send(&mut channel, subscription, complete).await?;
            }
        }
        let left = until.saturating_sub(now);
        let wait = desk
            .time_to_next_sample(now)
            .map_or(left, |time| time.min(left));
        let received = match timeout(clock, wait, channel.receive()).await {
            Ok(received) => received?,
            Err(TimedOut) if clock.now() < until => continue,
            Err(TimedOut) => None,
        };
        let Some(datagram) = received else {
            channel.close().await?;
            return Ok(desk.served);
        };
        until = clock.now().saturating_add(silence);
        let Some((tag, frame)) = tag_of(datagram.as_ref()) else {
            continue;
        };
        let answer = match latest.take() {
            // It has not heard the answer.
            Some(answer) if tag == answer.tag => answer,
            // It has gone on since.
            Some(answer) if answer.tag.wrapping_sub(tag) < u16::MAX / 2 => {
                latest = Some(answer);
                continue;
            }
            _ => {
                let request = request_in(frame);
                let response = desk.answer(request, clock.now());
                if response == Response::Subscribed {
                    subscription = tag;
                }
                answer(&desk, tag, request, response)
            }
        };
        channel.send(answer.as_bytes()).await?;
        latest = Some(answer);
    }
}

/// The request that a datagram consists of.
fn request_in(frames: &[u8]) -> Result<Request, Refusal> {
    match Frame::first_of(frames) {
        Some((frame, [])) => Request::parse(frame),
        _ => Err(Refusal::Malformed),
    }
}

/// The datagram with the response to a request; before that to one for the list, its entries.
fn answer(
    desk: &Desk<'_, impl Device>,
    tag: u16,
    request: Result<Request, Refusal>,
    response: Response,
) -> Tagged<MAX_DATAGRAM> {
    let (mut answer, mut fits) = (Tagged::new(tag), true);
    if request == Ok(Request::List) {
        for entry in desk.entries() {
            fits &= answer.put(&Response::Entry(entry).encode());
        }
    }
    fits &= answer.put(&response.encode());
    match fits {
        true => answer,
        false => Tagged::single(tag, &Response::Refused(Refusal::TooLong).encode()),
    }
}

async fn send<C: DatagramChannel>(
    channel: &mut C,
    tag: u16,
    response: Response,
) -> Result<(), C::Error> {
    let datagram = Tagged::<SINGLE>::single(tag, &response.encode());
    channel.send(datagram.as_bytes()).await
}
