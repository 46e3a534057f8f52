//! A client and a device, over a line on which datagrams are lost, come twice, or come late.

mod drops;
mod subscriptions;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn};
use core::num::NonZeroU16;
use core::task::Poll;
use core::time::Duration;

use embedded_io_async::ErrorType;
use futures_util::future::join;
use tacket::testing::MemoryError;
use tacket::{
    AsyncResource, Channel, ChannelReceiver, ChannelSender, Clock as _, ReceiveChannel,
    SendChannel, timeout,
};

use super::super::message::{Access, Entry, Name, Refusal, Request};
use super::super::{Device, Served, Thermostat};
use super::*;
use crate::drive::{VirtualClock, drive};

const SILENCE: Duration = Duration::from_secs(60);

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Lost,
    Doubled,
    /// It comes behind the next one.
    Late,
    /// The line does not take it.
    Untaken,
}

/// Lets others have their turn.
async fn turn() {
    let mut had = false;
    poll_fn(|cx| match core::mem::replace(&mut had, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// One end of a line. What it sends meets its fate by its number. A send takes three polls; the second sends.
struct End<'c> {
    tx: ChannelSender<'c, Vec<u8>, 64>,
    rx: ChannelReceiver<'c, Vec<u8>, 64>,
    fates: Vec<(usize, Fate)>,
    sent: &'c Cell<usize>,
    late: Option<Vec<u8>>,
}

impl ErrorType for End<'_> {
    type Error = MemoryError;
}

impl AsyncResource for End<'_> {
    async fn close(self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl SendChannel<&[u8]> for End<'_> {
    async fn send(&mut self, datagram: &[u8]) -> Result<(), MemoryError> {
        assert!(datagram.len() <= MAX_DATAGRAM);
        turn().await;
        let number = self.sent.replace(self.sent.get() + 1);
        let fate = self.fates.iter().find(|(of, _)| *of == number);
        let held = self.late.take();
        match fate.map(|(_, fate)| fate) {
            Some(Fate::Lost) => {}
            Some(Fate::Late) => self.late = Some(datagram.to_vec()),
            Some(Fate::Untaken) => pending().await,
            Some(Fate::Doubled) => [datagram; 2].iter().for_each(|datagram| self.put(datagram)),
            None => self.put(datagram),
        }
        held.iter().for_each(|held| self.put(held));
        turn().await;
        Ok(())
    }
}

impl End<'_> {
    /// Nobody may be there any more, and then it is lost.
    fn put(&self, datagram: &[u8]) {
        let _ = self.tx.try_send(datagram.to_vec());
    }
}

impl ReceiveChannel for End<'_> {
    type Item = Vec<u8>;

    async fn receive(&mut self) -> Result<Option<Vec<u8>>, MemoryError> {
        Ok(self.rx.receive().await.expect("one waits"))
    }
}

/// A thermostat that remembers what it was set to.
#[derive(Default)]
struct Noted {
    thermostat: Thermostat,
    settings: Vec<i32>,
}

impl Device for Noted {
    fn entry(&self, index: usize) -> Option<Entry> {
        self.thermostat.entry(index)
    }

    fn read(&mut self, index: usize) -> i32 {
        self.thermostat.read(index)
    }

    fn set(&mut self, index: usize, value: i32) {
        self.settings.push(value);
        self.thermostat.set(index, value);
    }
}

/// How a session went.
struct Session<T, D = Result<Served, MemoryError>> {
    client: T,
    served: D,
    /// How many datagrams each end sent.
    sent: [usize; 2],
}

/// Runs `client` beside `device`, whose ends send what meets these fates.
fn with_device<T>(
    device: &mut impl Device,
    fates: [&[(usize, Fate)]; 2],
    client: impl AsyncFnOnce(End<'_>, &VirtualClock) -> T,
) -> Session<T> {
    let serving = async |end: End<'_>, clock: &VirtualClock| {
        Box::pin(serve(end, device, clock, SILENCE)).await
    };
    on_a_line(fates, client, serving)
}

/// Runs `client` and `device` at the ends of a line.
fn on_a_line<T, D>(
    fates: [&[(usize, Fate)]; 2],
    client: impl AsyncFnOnce(End<'_>, &VirtualClock) -> T,
    device: impl AsyncFnOnce(End<'_>, &VirtualClock) -> D,
) -> Session<T, D> {
    let clock = VirtualClock::default();
    let (there, back) = (Channel::new(), Channel::new());
    let (to_device, from_client) = there.open().expect("new");
    let (to_client, from_device) = back.open().expect("new");
    let sent = [const { Cell::new(0) }; 2];
    let end = |tx, rx, side: usize| End {
        tx,
        rx,
        fates: fates[side].to_vec(),
        sent: &sent[side],
        late: None,
    };
    let (near, far) = (
        end(to_device, from_device, 0),
        end(to_client, from_client, 1),
    );
    let both = join(client(near, &clock), device(far, &clock));
    let (client, served) = drive(&clock, Box::pin(both));
    Session {
        client,
        served,
        sent: sent.map(|sent| sent.get()),
    }
}

/// A whole conversation, each of whose answers is right. Returns the samples that arrived.
async fn converse(end: End<'_>, clock: &VirtualClock) -> Vec<u16> {
    let mut client = Client::new(end, clock);
    let mut listed = Vec::new();
    let count = client
        .list(|entry| listed.push(entry))
        .await
        .expect("a list");
    assert_eq!(
        (usize::from(count), &listed[..]),
        (2, &Thermostat::ENTRIES[..])
    );
    for value in [21_000, 22_000] {
        client.set(Thermostat::SETPOINT, value).await.expect("set");
        assert_eq!(client.read(Thermostat::SETPOINT).await, Ok(value));
    }
    let refused = client.set(Thermostat::SETPOINT, 99_000).await;
    assert_eq!(refused, Err(ClientError::Refused(Refusal::OutOfRange)));
    let (interval, count) = (number(100), number(5));
    let subscribed = client.subscribe(Thermostat::TEMPERATURE, interval, count);
    subscribed.await.expect("subscribed");
    assert_eq!(client.read(Thermostat::SETPOINT).await, Ok(22_000));
    let mut samples = Vec::new();
    while let Some(sample) = client.next_sample().await.expect("samples") {
        samples.push(sample.sequence);
    }
    assert!(
        samples.is_sorted_by(|before, after| before < after),
        "{samples:?}"
    );
    assert_eq!(client.unsubscribe().await, Ok(0));
    assert_eq!(client.requests(), 9);
    client.close().await.expect("closes");
    samples
}

fn number(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("not 0")
}

#[test]
fn a_conversation_has_an_answer_for_each_request() {
    let mut device = Noted::default();
    let session = with_device(&mut device, [&[], &[]], converse);
    assert_eq!(session.client, [0, 1, 2, 3, 4]);
    let served = session.served.expect("served");
    assert_eq!((served.requests, served.samples), (9, 5));
    assert_eq!(device.settings, [21_000, 22_000]);
    assert_eq!(session.sent, [9, 9 + 5 + 1]);
}

#[test]
fn whatever_is_lost_comes_twice_or_late_each_request_is_carried_out_once() {
    for fate in [Fate::Lost, Fate::Doubled, Fate::Late] {
        for side in 0..2 {
            for number in 0..16 {
                let fates = [(number, fate), (number + 2, fate)];
                let mut both = [&[][..]; 2];
                both[side] = &fates;
                let mut device = Noted::default();
                let session = with_device(&mut device, both, converse);
                let served = session.served.expect("served");
                assert_eq!(served.requests, 9, "{side} {fates:?}");
                assert_eq!(device.settings, [21_000, 22_000], "{side} {fates:?}");
                assert!(
                    session.client.len() >= 3,
                    "{side} {fates:?} {:?}",
                    session.client
                );
            }
        }
    }
}

#[test]
fn a_request_that_is_never_answered_is_given_up_after_ten_seconds() {
    let lost: Vec<_> = (0..8).map(|number| (number, Fate::Lost)).collect();
    let session = with_device(&mut Noted::default(), [&lost, &[]], async |end, clock| {
        let mut client = Client::new(end, clock);
        let read = client.read(Thermostat::SETPOINT).await;
        assert_eq!(read, Err(ClientError::NoAnswer));
        let after = clock.now();
        assert_eq!(client.read(Thermostat::SETPOINT).await, Ok(20_000));
        after
    });
    assert_eq!(
        session.client,
        Duration::from_millis(250 + 500 + 1000 + 5 * 2000)
    );
}

#[test]
fn a_request_that_the_line_does_not_take_is_given_up_after_ten_seconds() {
    let untaken: Vec<_> = (0..8).map(|number| (number, Fate::Untaken)).collect();
    let session = with_device(
        &mut Noted::default(),
        [&untaken, &[]],
        async |end, clock| {
            let mut client = Client::new(end, clock);
            let read = client.read(Thermostat::SETPOINT).await;
            assert_eq!(read, Err(ClientError::NoAnswer));
            let after = clock.now();
            assert_eq!(client.read(Thermostat::SETPOINT).await, Ok(20_000));
            after
        },
    );
    assert_eq!(
        session.client,
        Duration::from_millis(250 + 500 + 1000 + 5 * 2000)
    );
}

#[test]
fn a_device_that_closes_in_the_middle_of_a_request_has_ended_the_session() {
    let client = async |end: End<'_>, clock: &VirtualClock| {
        let mut client = Client::new(end, clock);
        let ended = Err(ClientError::Ended);
        assert_eq!(client.set(Thermostat::SETPOINT, 21_000).await, ended);
        assert_eq!(clock.now(), Duration::ZERO);
        assert_eq!(client.set(Thermostat::SETPOINT, 21_000).await, ended);
        assert_eq!(client.close().await, Ok(()));
    };
    let device = async |mut end: End<'_>, _: &VirtualClock| {
        let request = end.receive().await.expect("receives");
        end.close().await.expect("closes");
        request
    };
    let session = on_a_line([&[], &[]], client, device);
    assert_eq!(session.served.expect("a request")[..2], [0, 1]);
}

#[test]
fn a_late_answer_to_a_request_that_was_dropped_is_none_to_the_next() {
    let late = [(0, Fate::Late)];
    let session = with_device(&mut Noted::default(), [&[], &late], async |end, clock| {
        let mut client = Client::new(end, clock);
        let limit = Duration::from_millis(10);
        let reading = client.read(Thermostat::TEMPERATURE);
        let given_up = Box::pin(timeout(clock, limit, reading)).await;
        given_up.expect_err("no answer");
        client.read(Thermostat::SETPOINT).await
    });
    assert_eq!(session.client, Ok(20_000));
}

#[test]
fn a_subscription_whose_samples_are_lost_is_ended() {
    let all: Vec<_> = (1..=6).map(|number| (number, Fate::Lost)).collect();
    let session = with_device(&mut Noted::default(), [&[], &all], async |end, clock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(100), number(5));
        subscribed.await.expect("subscribed");
        (client.next_sample().await, clock.now())
    });
    assert_eq!(
        session.client,
        (Ok(None), Duration::from_millis(3 * 100 + 2000))
    );
}

#[test]
fn a_client_that_says_nothing_is_left() {
    let session = with_device(&mut Noted::default(), [&[], &[]], async |end, clock| {
        let silent = async { clock.sleep_until(SILENCE * 2).await };
        silent.await;
        drop(end);
        clock.now()
    });
    assert_eq!(session.served, Ok(Served::default()));
}

#[test]
fn what_is_no_request_is_refused_and_the_session_goes_on() {
    let session = with_device(&mut Noted::default(), [&[], &[]], async |mut end, _| {
        let list = Request::List.encode();
        let twice = [&[0, 2], list.as_bytes(), list.as_bytes()].concat();
        let bad: [&[u8]; 6] = [
            b"",
            b"1",
            &[0, 1],
            &twice,
            &[0, 3, 0, 65, 1],
            &[0, 4, 0, 0, 99],
        ];
        for datagram in bad {
            end.send(datagram).await.expect("sends");
        }
        let mut refusals = Vec::new();
        for _refusal in 0..4 {
            refusals.push(end.receive().await.expect("receives").expect("a refusal"));
        }
        let read = Request::Read(Thermostat::SETPOINT).encode();
        let read = [&[0, 5], read.as_bytes()].concat();
        end.send(&read).await.expect("sends");
        let answer = end.receive().await.expect("receives").expect("an answer");
        assert_eq!(answer[..5], [0, 5, 0, 4, 0x83]);
        refusals
    });
    let refusal = |tag, reason| vec![0, tag, 0, 1, 0xff, reason];
    let expected = [refusal(1, 6), refusal(2, 6), refusal(3, 6), refusal(4, 5)];
    assert_eq!(session.client, expected);
    assert_eq!(session.served.expect("served").requests, 5);
}

#[test]
fn a_request_that_is_older_than_the_latest_is_passed_over() {
    let mut device = Noted::default();
    let session = with_device(&mut device, [&[], &[]], async |mut end, _| {
        for (tag, value) in [(5, 21_000), (4, 22_000), (0xffff, 23_000), (6, 24_000)] {
            let set = Request::Set(Thermostat::SETPOINT, value).encode();
            let datagram = Tagged::<SINGLE>::single(tag, &set);
            end.send(datagram.as_bytes()).await.expect("sends");
        }
        for tag in [5, 6] {
            let answer = end.receive().await.expect("receives");
            assert_eq!(answer, Some(vec![0, tag, 0, 0, 0x84]));
        }
    });
    assert_eq!(session.served.expect("served").requests, 2);
    assert_eq!(device.settings, [21_000, 24_000]);
}

#[test]
fn a_tag_that_has_wrapped_is_newer() {
    let mut device = Noted::default();
    let session = with_device(&mut device, [&[], &[]], async |mut end, _| {
        for (tag, value) in [(0xffff, 21_000), (0, 22_000), (0xffff, 23_000), (1, 24_000)] {
            let set = Request::Set(Thermostat::SETPOINT, value).encode();
            let datagram = Tagged::<SINGLE>::single(tag, &set);
            end.send(datagram.as_bytes()).await.expect("sends");
        }
        for tag in [[0xff, 0xff], [0, 0], [0, 1]] {
            let answer = end.receive().await.expect("receives");
            assert_eq!(answer, Some([&tag[..], &[0, 0, 0x84]].concat()));
        }
    });
    assert_eq!(session.served.expect("served").requests, 3);
    assert_eq!(device.settings, [21_000, 22_000, 24_000]);
}

#[test]
fn a_session_has_more_requests_than_there_are_tags() {
    let mut device = Noted::default();
    let values = || (0..0x1_0010).map(|number| 20_000 + number % 1000);
    let session = with_device(&mut device, [&[], &[]], async |end, clock| {
        let mut client = Client::new(end, clock);
        for value in values() {
            client.set(Thermostat::SETPOINT, value).await.expect("set");
        }
        client.requests()
    });
    assert_eq!(session.client, 0x1_0010);
    assert!(device.settings.into_iter().eq(values()));
}

#[test]
fn a_device_that_answers_something_else_breaks_the_protocol() {
    let answers: [&[u8]; 6] = [
        &[0, 1],
        &[0, 1, 0, 0, 0x84],
        &[0, 1, 0, 4, 0x83, 0, 0, 0, 1, 9],
        &[0, 1, 0, 4, 0x83, 0, 0, 0],
        &[0, 1, 0, 1, 0x82, 0],
        &[0, 1, 0, 0, 0x77],
    ];
    for answer in answers {
        let read = async |end: End<'_>, clock: &VirtualClock| {
            Client::new(end, clock).read(Thermostat::SETPOINT).await
        };
        let session = on_a_line([&[], &[]], read, async |mut end, _| end.send(answer).await);
        assert_eq!(session.client, Err(ClientError::Violation), "{answer:?}");
    }
}

#[test]
fn a_list_is_all_of_an_answer() {
    let answers: [&[u8]; 5] = [
        &[0, 1, 0, 1, 0x82, 1],
        &[0, 1, 0, 1, 0x82, 0, 0, 1, 0x82, 0],
        &[0, 1, 0, 1, 0x82, 0, 9],
        &[0, 1, 0, 1, 0xff, 7, 0, 1, 0xff, 7],
        &[0, 1, 0, 3, 0x81, 1, b'a', 0, 0, 1, 0xff, 7],
    ];
    for answer in answers {
        let list =
            async |end: End<'_>, clock: &VirtualClock| Client::new(end, clock).list(|_| {}).await;
        let session = on_a_line([&[], &[]], list, async |mut end, _| end.send(answer).await);
        assert_eq!(session.client, Err(ClientError::Violation), "{answer:?}");
    }
}

#[test]
fn a_list_that_does_not_fit_is_refused() {
    struct Many(usize);
    impl Device for Many {
        fn entry(&self, index: usize) -> Option<Entry> {
            let name = Name::new("sixteen_letters_").expect("a name");
            let access = Access::Writable {
                least: 0,
                greatest: 1,
            };
            (index < self.0).then_some(Entry { name, access })
        }
        fn read(&mut self, _: usize) -> i32 {
            0
        }
        fn set(&mut self, _: usize, _: i32) {}
    }
    for (count, expected) in [
        (0, Ok(0)),
        (17, Ok(17)),
        (18, Err(ClientError::Refused(Refusal::TooLong))),
        (300, Err(ClientError::Refused(Refusal::TooLong))),
    ] {
        let listing =
            async |end: End<'_>, clock: &VirtualClock| Client::new(end, clock).list(|_| {}).await;
        let session = with_device(&mut Many(count), [&[], &[]], listing);
        assert_eq!(session.client, expected);
    }
}

#[test]
fn two_sessions_share_a_device() {
    let device = RefCell::new(Noted::default());
    for value in [21_000, 22_000] {
        let setting = async |end: End<'_>, clock: &VirtualClock| {
            let mut client = Client::new(end, clock);
            client.set(Thermostat::SETPOINT, value).await
        };
        let session = with_device(&mut &device, [&[], &[]], setting);
        session.client.expect("set");
    }
    assert_eq!(device.borrow().settings, [21_000, 22_000]);
}
