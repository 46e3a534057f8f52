//! How long a subscription lasts, and who ends it.

use super::super::super::message::{Response, Sample};
use super::*;

const DAY: Duration = Duration::from_secs(86_400);

/// The number of each sample until there are no more.
async fn all_samples(client: &mut Client<'_, End<'_>, VirtualClock>) -> Vec<u16> {
    let mut samples = Vec::new();
    while let Some(sample) = client.next_sample().await.expect("samples") {
        samples.push(sample.sequence);
    }
    samples
}

/// A device's answer to whatever comes next.
async fn respond(end: &mut End<'_>, responses: &[(Option<u16>, Response)]) {
    let request = end.receive().await.expect("receives").expect("a request");
    let (latest, _) = tag_of(&request).expect("a tag");
    for (tag, response) in responses {
        let tag = tag.unwrap_or(latest);
        let datagram = Tagged::<SINGLE>::single(tag, &response.encode());
        end.send(datagram.as_bytes()).await.expect("sends");
    }
}

const fn sample(sequence: u16) -> Response {
    Response::Sample(Sample { sequence, value: 7 })
}

#[test]
fn a_client_that_only_listens_is_kept() {
    for (interval, count) in [(100, 700), (25_000, 4), (65_000, 3)] {
        let session = with_device(&mut Noted::default(), [&[], &[]], async |end, clock| {
            let mut client = Client::new(end, clock);
            let subscribed =
                client.subscribe(Thermostat::TEMPERATURE, number(interval), number(count));
            subscribed.await.expect("subscribed");
            let samples = all_samples(&mut client).await;
            assert!(clock.now() > SILENCE);
            client.close().await.expect("closes");
            samples
        });
        assert!(session.client.into_iter().eq(0..count), "{interval}");
        assert_eq!(session.served.expect("served").requests, 1);
    }
}

#[test]
fn one_whose_signs_of_life_are_lost_now_and_then_is_kept_too() {
    // All but the subscription and every third sign.
    let lost: Vec<_> = (1..100)
        .filter(|number| number % 3 > 0)
        .map(|number| (number, Fate::Lost))
        .collect();
    let session = with_device(&mut Noted::default(), [&lost, &[]], async |end, clock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(60_000), number(5));
        subscribed.await.expect("subscribed");
        all_samples(&mut client).await
    });
    assert_eq!(session.client, [0, 1, 2, 3, 4]);
}

#[test]
fn one_that_is_gone_is_left_though_it_has_subscribed() {
    let client = async |end: End<'_>, clock: &VirtualClock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(25_000), number(65_535));
        subscribed.await.expect("subscribed");
        // It does not even say that it goes.
        clock.sleep_until(DAY).await;
    };
    let device = async |end: End<'_>, clock: &VirtualClock| {
        let served = Box::pin(serve(end, &mut Thermostat::new(), clock, SILENCE)).await;
        (served.expect("served").samples, clock.now())
    };
    let session = on_a_line([&[], &[]], client, device);
    let (samples, left) = session.served;
    assert!(samples == 2, "{samples}");
    assert_eq!(left, SILENCE);
}

#[test]
fn a_subscription_that_is_refused_leaves_the_one_that_runs() {
    let session = with_device(&mut Noted::default(), [&[], &[]], async |end, clock| {
        let mut client = Client::new(end, clock);
        let reading = Thermostat::TEMPERATURE;
        let subscribed = client.subscribe(reading, number(100), number(5)).await;
        subscribed.expect("subscribed");
        let unknown = Name::new("pressure").expect("a name");
        for (name, refusal) in [(reading, Refusal::Busy), (unknown, Refusal::UnknownName)] {
            let refused = client.subscribe(name, number(100), number(5)).await;
            assert_eq!(refused, Err(ClientError::Refused(refusal)));
        }
        let samples = all_samples(&mut client).await;
        // No time was spent waiting for more.
        assert_eq!(clock.now(), Duration::from_millis(500));
        assert_eq!(client.unsubscribe().await, Ok(0));
        samples
    });
    assert_eq!(session.client, [0, 1, 2, 3, 4]);
}

#[test]
fn a_sample_that_comes_while_the_subscription_is_ended_is_not_lost() {
    let client = async |end: End<'_>, clock: &VirtualClock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(100), number(5));
        subscribed.await.expect("subscribed");
        let samples = all_samples(&mut client).await;
        (samples, client.requests())
    };
    let device = async |mut end: End<'_>, _: &VirtualClock| {
        respond(&mut end, &[(None, Response::Subscribed)]).await;
        let last = [(Some(1), sample(0)), (None, Response::Unsubscribed(1))];
        respond(&mut end, &last).await;
        end.receive().await
    };
    let session = on_a_line([&[], &[]], client, device);
    assert_eq!(session.client, (vec![0], 2));
}

#[test]
fn a_sample_that_had_come_before_unsubscribe_is_not_lost() {
    let session = with_device(&mut Noted::default(), [&[], &[]], async |end, clock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(100), number(5));
        subscribed.await.expect("subscribed");
        clock.sleep_until(Duration::from_millis(250)).await;
        assert_eq!(client.unsubscribe().await, Ok(2));
        all_samples(&mut client).await
    });
    // The latest was kept.
    assert_eq!(session.client, [1]);
}

#[test]
fn nothing_comes_after_the_end_of_a_subscription() {
    let client = async |end: End<'_>, clock: &VirtualClock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(100), number(5));
        subscribed.await.expect("subscribed");
        assert_eq!(client.next_sample().await, Ok(None));
        assert_eq!(client.read(Thermostat::SETPOINT).await, Ok(9));
        client.next_sample().await
    };
    let device = async |mut end: End<'_>, _: &VirtualClock| {
        let first = [
            (None, Response::Subscribed),
            (None, Response::Complete(5)),
            (None, sample(4)),
        ];
        respond(&mut end, &first).await;
        respond(&mut end, &[(None, Response::Value(9))]).await;
    };
    let session = on_a_line([&[], &[]], client, device);
    assert_eq!(session.client, Ok(None));
}

#[test]
fn a_caller_with_little_patience_sees_the_end_too() {
    let all: Vec<_> = (1..=6).map(|number| (number, Fate::Lost)).collect();
    let session = with_device(&mut Noted::default(), [&[], &all], async |end, clock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(100), number(5));
        subscribed.await.expect("subscribed");
        let mut tries = 0;
        for _try in 0..10 {
            tries += 1;
            let limit = Duration::from_secs(1);
            let next = Box::pin(timeout(clock, limit, client.next_sample())).await;
            if let Ok(sample) = next {
                assert_eq!(sample, Ok(None));
                break;
            }
        }
        tries
    });
    assert_eq!(session.client, 3);
}

#[test]
fn a_device_that_closes_while_samples_are_awaited_has_ended_the_session() {
    let client = async |end: End<'_>, clock: &VirtualClock| {
        let mut client = Client::new(end, clock);
        let subscribed = client.subscribe(Thermostat::TEMPERATURE, number(100), number(5));
        subscribed.await.expect("subscribed");
        let first = client.next_sample().await.expect("a sample");
        assert_eq!(first.map(|first| first.sequence), Some(0));
        client.next_sample().await
    };
    let device = async |mut end: End<'_>, _: &VirtualClock| {
        let responses = [(None, Response::Subscribed), (None, sample(0))];
        respond(&mut end, &responses).await;
    };
    let session = on_a_line([&[], &[]], client, device);
    assert_eq!(session.client, Err(ClientError::Ended));
}
