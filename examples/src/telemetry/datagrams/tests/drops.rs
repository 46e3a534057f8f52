//! Every operation of a client, dropped at every poll.

use tacket::testing::DropPoint;

use super::*;

type Device<'c, 'k> = Client<'k, End<'c>, VirtualClock>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    List,
    Read,
    Set,
    Subscribe,
    NextSample,
    Unsubscribe,
}

const ALL: [Operation; 6] = [
    Operation::List,
    Operation::Read,
    Operation::Set,
    Operation::Subscribe,
    Operation::NextSample,
    Operation::Unsubscribe,
];

impl Operation {
    /// Whether a subscription runs before it.
    fn is_of_a_subscription(self) -> bool {
        matches!(self, Self::NextSample | Self::Unsubscribe)
    }

    /// Does it. Returns the number of the sample that it had.
    async fn run(self, client: &mut Device<'_, '_>) -> Option<u16> {
        match self {
            Self::List => assert_eq!(client.list(|_| {}).await, Ok(2)),
            Self::Read => assert_eq!(client.read(Thermostat::SETPOINT).await, Ok(20_000)),
            Self::Set => client.set(Thermostat::SETPOINT, 21_000).await.expect("set"),
            Self::Subscribe => subscribe(client).await,
            Self::NextSample => {
                let sample = client.next_sample().await.expect("a sample");
                return sample.map(|sample| sample.sequence);
            }
            Self::Unsubscribe => assert!(client.unsubscribe().await.expect("ended") < 5),
        }
        None
    }
}

async fn subscribe(client: &mut Device<'_, '_>) {
    let (interval, count) = (number(100), number(5));
    let subscribed = client.subscribe(Thermostat::TEMPERATURE, interval, count);
    subscribed.await.expect("subscribed");
}

async fn samples(client: &mut Device<'_, '_>) -> Vec<u16> {
    let mut samples = Vec::new();
    while let Some(sample) = client.next_sample().await.expect("samples") {
        samples.push(sample.sequence);
    }
    samples
}

/// Drops `operation` at this point, and sees whether all goes on. Returns whether it was dropped.
async fn drop_at(point: DropPoint, operation: Operation, client: &mut Device<'_, '_>) -> bool {
    if operation.is_of_a_subscription() {
        subscribe(client).await;
    }
    let done = Box::pin(point.cut(operation.run(client))).await;
    if operation == Operation::NextSample {
        let mut all: Vec<_> = done.flatten().into_iter().collect();
        all.extend(samples(client).await);
        assert_eq!(all, [0, 1, 2, 3, 4], "{point}");
    }
    client.set(Thermostat::SETPOINT, 22_000).await.expect("set");
    assert_eq!(client.read(Thermostat::SETPOINT).await, Ok(22_000));
    assert_eq!(client.list(|_| {}).await, Ok(2));
    client.unsubscribe().await.expect("whatever ran");
    let rest = samples(client).await;
    assert!(rest.len() <= 1, "{point} {rest:?}");
    subscribe(client).await;
    assert_eq!(samples(client).await, [0, 1, 2, 3, 4], "{point}");
    done.is_none()
}

#[test]
fn a_client_goes_on_after_each_operation_was_dropped_at_each_poll() {
    for operation in ALL {
        let at = usize::from(operation.is_of_a_subscription());
        for fate in [
            None,
            Some(Fate::Lost),
            Some(Fate::Doubled),
            Some(Fate::Late),
        ] {
            for side in 0..2 {
                let fates: Vec<_> = fate.map(|fate| (at, fate)).into_iter().collect();
                let is_missing = matches!(fate, Some(Fate::Lost | Fate::Late)) && side == 1;
                if operation == Operation::NextSample && is_missing {
                    // It is not the drop that loses this sample.
                    continue;
                }
                let mut both = [&[][..]; 2];
                both[side] = &fates;
                let dropped = drop_everywhere(operation, both);
                assert!(dropped >= 4, "{operation:?} {fate:?} {side}: {dropped}");
            }
        }
    }
}

/// Returns at how many points it was dropped until it was done.
fn drop_everywhere(operation: Operation, fates: [&[(usize, Fate)]; 2]) -> usize {
    for polls in 1..50 {
        let points = [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ];
        let dropped = points.map(|point| {
            let mut device = Noted::default();
            let session = with_device(&mut device, fates, async |end, clock| {
                let mut client = Client::new(end, clock);
                let dropped = drop_at(point, operation, &mut client).await;
                client.close().await.expect("closes");
                dropped
            });
            session.served.expect("served");
            match operation {
                // Carried out once or not at all, and not after what was asked later.
                Operation::Set => assert!(
                    [&[21_000, 22_000][..], &[22_000]].contains(&&device.settings[..]),
                    "{point} {:?}",
                    device.settings
                ),
                _ => assert_eq!(device.settings, [22_000], "{point}"),
            }
            session.client
        });
        if dropped == [false; 2] {
            return 2 * (polls - 1);
        }
    }
    panic!("{operation:?} takes for ever");
}

#[test]
fn a_close_that_is_dropped_has_ended_the_session() {
    for point in [
        DropPoint::after_poll(1),
        DropPoint::when_woken_after_poll(1),
    ] {
        let session = with_device(&mut Noted::default(), [&[], &[]], async |end, clock| {
            let client = Client::new(end, clock);
            let _done = point.cut(client.close()).await;
            clock.sleep_until(SILENCE * 2).await;
        });
        assert_eq!(session.served, Ok(Served::default()), "{point}");
    }
}
