//! What a device answers, and when its samples are due, whatever carries the messages.

use core::num::NonZeroU16;
use core::time::Duration;

use super::device::Device;
use super::message::{Access, Entry, Name, Refusal, Request, Response, Sample};

/// What a session served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Requests answered, refusals included.
    pub requests: u32,
    /// Samples sent.
    pub samples: u32,
}

/// One client's session, without what carries it.
pub(super) struct Desk<'d, D> {
    device: &'d mut D,
    subscription: Option<Subscription>,
    pub(super) served: Served,
}

struct Subscription {
    index: usize,
    interval: Duration,
    due: Duration,
    sent: u16,
    count: u16,
}

impl<'d, D: Device> Desk<'d, D> {
    pub(super) fn new(device: &'d mut D) -> Self {
        Self {
            device,
            subscription: None,
            served: Served::default(),
        }
    }

    /// The answer to a request; to one for the list, the end of it, before which the [entries](Self::entries) go.
    pub(super) fn answer(&mut self, request: Result<Request, Refusal>, now: Duration) -> Response {
        self.served.requests += 1;
        let response = match request {
            Ok(Request::List) => Ok(self.end_of_list()),
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
        response.unwrap_or_else(Response::Refused)
    }

    /// As many as a list can have.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        (0..u8::MAX).map_while(|index| self.device.entry(index.into()))
    }

    fn end_of_list(&self) -> Response {
        let count = self.entries().count();
        Response::EndOfList(u8::try_from(count).unwrap_or(u8::MAX))
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

    pub(super) fn time_to_next_sample(&self, now: Duration) -> Option<Duration> {
        self.subscription
            .as_ref()
            .map(|subscription| subscription.due.saturating_sub(now))
    }

    pub(super) fn due_sample(&mut self, now: Duration) -> Option<Response> {
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

    pub(super) fn complete_subscription(&mut self) -> Option<Response> {
        let done = self
            .subscription
            .take_if(|subscription| subscription.sent == subscription.count)?;
        Some(Response::Complete(done.sent))
    }
}
