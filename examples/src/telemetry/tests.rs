//! Clients and servers against each other, and each against somebody who does it wrong.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::num::NonZeroU16;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{MemoryError, MemoryPair, MemoryStream, Pattern};
use tacket::{AsyncResource as _, Clock as _, HalfCloseable as _, ReceiveStream as _};
use tacket::{SendStream as _, timeout};

use super::*;
use crate::drive::{VirtualClock, drive};

type End<'p> = MemoryStream<'p, Vec<u8>>;
type Outcome = Result<Served, ServeError<MemoryError>>;

/// Runs `client` against the server of a thermostat, over buffers of `capacity` bytes.
fn with_server<T>(
    capacity: usize,
    client: impl AsyncFnOnce(End<'_>, &VirtualClock) -> T,
) -> (T, Outcome) {
    let clock = VirtualClock::default();
    let pair = MemoryPair::new(vec![0; capacity], vec![0; capacity]);
    let (left, right) = pair.open().unwrap();
    let mut thermostat = Thermostat::new();
    let server = serve(right, &mut thermostat, &clock);
    drive(&clock, join(client(left, &clock), server))
}

/// Runs `client` against a device that sends `bytes` and ends, whatever it is asked.
fn with_script<T>(bytes: &[u8], client: impl AsyncFnOnce(Client<End<'_>>) -> T) -> T {
    let pair = MemoryPair::new(vec![0; 512], vec![0; 512]);
    let (left, mut right) = pair.open().unwrap();
    let sending = async {
        right.send_all(bytes).await.unwrap();
        right.send_eof().await.unwrap();
    };
    drive(
        &VirtualClock::default(),
        join(client(Client::new(left)), sending),
    )
    .0
}

/// Sends `bytes` and the end, and returns all that comes back.
async fn send_raw(mut stream: End<'_>, bytes: &[u8]) -> Vec<u8> {
    use tacket::Split as _;
    let (tx, rx) = stream.split();
    let sending = async {
        // The server may leave in the middle.
        let _ = tx.send_all(bytes).await;
        let _ = tx.send_eof().await;
    };
    let mut all = Vec::new();
    let receiving = async {
        let mut buf = [0; 7];
        while let Ok(count) = rx.receive_some(&mut buf).await {
            if count == 0 {
                break;
            }
            all.extend_from_slice(&buf[..count]);
        }
    };
    join(sending, receiving).await;
    all
}

fn millis(value: u16) -> NonZeroU16 {
    NonZeroU16::new(value).unwrap()
}

fn bytes_of(requests: &[Request]) -> Vec<u8> {
    requests
        .iter()
        .flat_map(|request| request.encode().as_bytes().to_vec())
        .collect()
}

const REFUSED_AS_MALFORMED: [u8; 4] = [0, 1, 0xff, 6];
const REFUSED_AS_TOO_LONG: [u8; 4] = [0, 1, 0xff, 7];
const REFUSED_AS_UNKNOWN: [u8; 4] = [0, 1, 0xff, 5];
const NO_ENTRIES: [u8; 4] = [0, 1, 0x82, 0];

#[test]
fn a_session_completes_through_buffers_of_any_size() {
    for capacity in [1, 2, 3, 7, 64, 512] {
        let (summary, served) = with_server(capacity, async |stream, clock| {
            Box::pin(session(stream, clock)).await.unwrap()
        });
        let served = served.unwrap();
        assert_eq!((summary.requests, summary.samples), (11, 3));
        assert_eq!((served.requests, served.samples), (11, 3));
    }
}

#[test]
fn a_session_with_a_silent_device_times_out() {
    let clock = VirtualClock::default();
    let pair = MemoryPair::new([0; 64], [0; 64]);
    let (left, _right) = pair.open().unwrap();
    let outcome = drive(&clock, session(left, &clock));
    assert_eq!(outcome, Err(SessionError::TimedOut));
    assert_eq!(clock.now(), Duration::from_secs(10));
}

#[test]
fn a_session_with_a_device_that_is_no_thermostat_says_where_it_differs() {
    let pair = MemoryPair::new([0; 64], [0; 64]);
    let (left, mut right) = pair.open().unwrap();
    right.send_all(&NO_ENTRIES).now_or_never().unwrap().unwrap();
    let clock = VirtualClock::default();
    let outcome = drive(&clock, session(left, &clock));
    let step = "the list";
    assert_eq!(outcome, Err(SessionError::Unexpected { step }));
}

#[test]
fn samples_come_at_their_interval_and_never_early() {
    let (times, served) = with_server(64, async |stream, clock| {
        let mut client = Client::new(stream);
        let name = Thermostat::TEMPERATURE;
        client.subscribe(name, millis(250), millis(4)).await?;
        let mut times = Vec::new();
        while client.next_sample().await?.is_some() {
            times.push(clock.now().as_millis());
        }
        client.close().await?;
        Ok::<_, ClientError<MemoryError>>(times)
    });
    assert_eq!(times, Ok(vec![250, 500, 750, 1000]));
    assert_eq!(served.unwrap().samples, 4);
}

#[test]
fn a_request_during_a_subscription_is_answered_before_the_next_sample() {
    let (outcome, _) = with_server(64, async |stream, clock| {
        let mut client = Client::new(stream);
        let name = Thermostat::TEMPERATURE;
        client.subscribe(name, millis(1000), millis(2)).await?;
        clock.sleep_until(Duration::from_millis(400)).await;
        let setpoint = client.read(Thermostat::SETPOINT).await?;
        let answered = clock.now().as_millis();
        let sample = client.next_sample().await?;
        let sampled = clock.now().as_millis();
        Ok::<_, ClientError<MemoryError>>((setpoint, answered, sample.is_some(), sampled))
    });
    assert_eq!(outcome, Ok((20_000, 400, true, 1000)));
}

#[test]
fn a_request_that_arrives_byte_by_byte_between_samples_is_not_lost() {
    let (samples, served) = with_server(512, async |mut stream, clock| {
        let subscribe = Request::Subscribe {
            name: Thermostat::TEMPERATURE,
            interval: millis(10),
            count: millis(100),
        };
        let read = Request::Read(Thermostat::SETPOINT);
        stream.send_all(subscribe.encode().as_bytes()).await?;
        for byte in read.encode().as_bytes() {
            clock
                .sleep_until(clock.now() + Duration::from_millis(25))
                .await;
            stream.send_all(&[*byte]).await?;
        }
        let (mut frames, mut samples) = (FrameReader::new(), 0);
        while let Ok(Some(frame)) = frames.next_frame(&mut stream).await {
            match Response::parse(frame) {
                Some(Response::Value(20_000)) => break,
                Some(Response::Sample(_)) => samples += 1,
                _ => {}
            }
        }
        stream.close().await?;
        Ok::<_, MemoryError>(samples)
    });
    assert!(samples.unwrap() > 20);
    assert_eq!(served.unwrap().requests, 2);
}

#[test]
fn a_flood_of_requests_does_not_hold_up_samples() {
    let (outcome, _) = with_server(64, async |stream, clock| {
        let mut client = Client::new(stream);
        let name = Thermostat::TEMPERATURE;
        client.subscribe(name, millis(1), millis(3)).await?;
        for _ in 0..5 {
            clock
                .sleep_until(clock.now() + Duration::from_millis(1))
                .await;
            client.read(name).await?;
        }
        let mut sequence = Vec::new();
        while let Some(sample) = client.next_sample().now_or_never().expect("is here")? {
            sequence.push(sample.sequence);
        }
        Ok::<_, ClientError<MemoryError>>((sequence, client.skipped_samples()))
    });
    assert_eq!(outcome, Ok((vec![0, 1, 2], 0)));
}

#[test]
fn a_request_meets_a_device_that_is_stuck_in_a_sample_and_both_go_on() {
    let (outcome, _) = with_server(1, async |stream, clock| {
        let mut client = Client::new(stream);
        let name = Thermostat::TEMPERATURE;
        client.subscribe(name, millis(1), millis(5)).await?;
        clock.sleep_until(Duration::from_millis(3)).await;
        client.read(Thermostat::SETPOINT).await
    });
    assert_eq!(outcome, Ok(20_000));
}

#[test]
fn samples_without_room_are_counted_and_leave_a_gap() {
    let (outcome, _) = with_server(512, async |stream, clock| {
        let mut client = Client::new(stream);
        let name = Thermostat::TEMPERATURE;
        client.subscribe(name, millis(1), millis(12)).await?;
        clock.sleep_until(Duration::from_millis(11)).await;
        client.read(name).await?;
        let mut sequence = Vec::new();
        while let Some(sample) = client.next_sample().await? {
            sequence.push(sample.sequence);
        }
        Ok::<_, ClientError<MemoryError>>((sequence, client.skipped_samples()))
    });
    let (sequence, skipped) = outcome.unwrap();
    assert_eq!(sequence[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(sequence.len() as u64 + skipped, 12);
    assert!(skipped > 0);
}

#[test]
fn unsubscribing_tells_how_many_samples_were_sent_at_any_moment() {
    for after in 0..8 {
        let (sent, served) = with_server(512, async |stream, clock| {
            let mut client = Client::new(stream);
            let name = Thermostat::TEMPERATURE;
            client.subscribe(name, millis(10), millis(5)).await?;
            clock
                .sleep_until(Duration::from_millis(after * 10 + 5))
                .await;
            let sent = client.unsubscribe().await?;
            let mut received = 0;
            while client.next_sample().await?.is_some() {
                received += 1;
            }
            assert_eq!(received, sent);
            assert_eq!(client.unsubscribe().await, Ok(sent));
            client.close().await?;
            Ok::<_, ClientError<MemoryError>>(sent)
        });
        assert_eq!(sent, Ok(after.min(5) as u16));
        assert_eq!(served.unwrap().samples, after.min(5) as u32);
    }
}

#[test]
fn a_second_subscription_waits_for_the_end_of_the_first() {
    let (outcome, _) = with_server(64, async |stream, _| {
        let mut client = Client::new(stream);
        let name = Thermostat::SETPOINT;
        client.subscribe(name, millis(1), millis(1)).await?;
        let second = client.subscribe(name, millis(1), millis(1)).await;
        assert_eq!(second, Err(ClientError::Refused(Refusal::Busy)));
        while client.next_sample().await?.is_some() {}
        client.subscribe(name, millis(1), millis(1)).await?;
        client.close().await
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn dropping_next_sample_at_every_poll_loses_no_sample() {
    let (outcome, _) = with_server(1, async |stream, clock| {
        let mut client = Client::new(stream);
        let name = Thermostat::TEMPERATURE;
        client.subscribe(name, millis(3), millis(20)).await?;
        let mut sequence = Vec::new();
        loop {
            match timeout(clock, Duration::ZERO, client.next_sample()).await {
                Ok(Ok(Some(sample))) => sequence.push(sample.sequence),
                Ok(end) => return end.map(|_| sequence),
                Err(_) => turn(clock).await,
            }
        }
    });
    assert_eq!(outcome, Ok((0..20).collect::<Vec<_>>()));
}

/// Gives the others a turn; time goes on only when they all wait.
async fn turn(clock: &VirtualClock) {
    let mut nap = pin!(clock.sleep_until(clock.now() + Duration::from_micros(1)));
    let mut turns = 0;
    poll_fn(|cx| {
        turns += 1;
        if turns == 2 {
            return Poll::Ready(());
        }
        nap.as_mut().poll(cx)
    })
    .await;
}

#[test]
fn a_request_given_up_before_its_reply_is_not_mistaken_for_a_later_one() {
    let pair = MemoryPair::new([0; 64], [0; 64]);
    let (left, _right) = pair.open().unwrap();
    let mut client = Client::new(left);
    let name = Thermostat::SETPOINT;
    assert_eq!(client.read(name).now_or_never(), None);
    let refused = client.set(name, 1).now_or_never().unwrap();
    assert_eq!(refused, Err(ClientError::Interrupted));
    let refused = client.close().now_or_never().unwrap();
    assert_eq!(refused, Err(ClientError::Interrupted));
}

#[test]
fn an_unknown_request_is_refused_and_the_session_goes_on() {
    let mut bytes = vec![0, 3, 99, 1, 2, 3];
    bytes.extend(bytes_of(&[Request::Unsubscribe]));
    let (replies, served) = with_server(64, async |stream, _| send_raw(stream, &bytes).await);
    assert_eq!(replies[..4], REFUSED_AS_UNKNOWN);
    assert_eq!(replies[4..], [0, 2, 0x88, 0, 0]);
    assert_eq!(served.unwrap().requests, 2);
}

#[test]
fn a_malformed_request_is_refused_and_ends_the_session() {
    let mut bytes = vec![0, 1, 1, 0];
    bytes.extend(bytes_of(&[Request::Unsubscribe]));
    let (replies, served) = with_server(64, async |stream, _| send_raw(stream, &bytes).await);
    assert_eq!(replies, REFUSED_AS_MALFORMED);
    assert_eq!(served, Err(ServeError::Malformed));
}

#[test]
fn a_request_that_is_too_long_is_refused_and_ends_the_session() {
    let (replies, served) = with_server(64, async |stream, _| {
        send_raw(stream, &[0, 65, 2, 1, b'a']).await
    });
    assert_eq!(replies, REFUSED_AS_TOO_LONG);
    assert_eq!(served, Err(ServeError::TooLong));
}

#[test]
fn a_peer_that_stays_after_a_malformed_request_is_left_after_a_second() {
    let (elapsed, served) = with_server(64, async |mut stream, clock| {
        stream.send_all(&[0, 1, 1, 0]).await.unwrap();
        let mut buf = [0; 64];
        let mut received = Vec::new();
        loop {
            match stream.receive_some(&mut buf).await {
                Ok(0) => break,
                Ok(count) => received.extend_from_slice(&buf[..count]),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(received, REFUSED_AS_MALFORMED);
        while stream.send_all(&[1; 16]).await.is_ok() {
            clock
                .sleep_until(clock.now() + Duration::from_millis(100))
                .await;
        }
        clock.now()
    });
    assert_eq!(served, Err(ServeError::Malformed));
    let tenths = elapsed.as_millis() / 100;
    assert!((10..=11).contains(&tenths), "{elapsed:?}");
}

#[test]
fn every_truncated_conversation_ends_at_once_and_is_told() {
    let requests = [
        Request::List,
        Request::Set(Thermostat::SETPOINT, 6_000),
        Request::Subscribe {
            name: Thermostat::TEMPERATURE,
            interval: millis(5),
            count: millis(5),
        },
    ];
    let whole = bytes_of(&requests);
    let mut ends = vec![0];
    ends.extend((1..=requests.len()).map(|count| bytes_of(&requests[..count]).len()));
    for length in 0..=whole.len() {
        let (_, served) = with_server(8, async |stream, _| {
            send_raw(stream, &whole[..length]).await
        });
        match ends.iter().position(|&end| end == length) {
            Some(requests) => assert_eq!(served.unwrap().requests as usize, requests),
            None => assert_eq!(served, Err(ServeError::Truncated)),
        }
    }
}

#[test]
fn a_client_that_vanishes_is_a_stream_error() {
    let (_, served) = with_server(8, async |mut stream, _| {
        stream.send_all(&[0]).await.unwrap();
    });
    assert_eq!(served, Err(ServeError::Stream(MemoryError::Broken)));
}

/// Up to a few hundred bytes: half of the seeds give noise, the other half frames with a plausible header.
fn garbage(seed: u64, kinds: &[u8]) -> Vec<u8> {
    let mut noise = [0; 300];
    Pattern::new(seed).fill(&mut noise);
    if seed.is_multiple_of(2) {
        return noise[1..usize::from(noise[0]) + 1].to_vec();
    }
    let mut bytes = Vec::new();
    for piece in noise[..250].chunks(25) {
        let length = usize::from(piece[0] % 20);
        let kind = kinds[usize::from(piece[1]) % kinds.len()];
        bytes.extend([0, length as u8, kind]);
        let payload = bytes.len();
        bytes.extend_from_slice(&piece[3..3 + length.min(22)]);
        if piece[2] & 1 == 0 && length > 1 {
            let known = &b"temperaturesetpoint"[..length.min(12) - 1];
            bytes[payload] = known.len() as u8;
            bytes[payload + 1..payload + 1 + known.len()].copy_from_slice(known);
        }
    }
    bytes.truncate(usize::from(noise[260]).max(20));
    bytes
}

#[test]
fn no_garbage_makes_the_server_panic_or_hang() {
    let mut ends = [0_u32; 4];
    for seed in 0..10_000 {
        let bytes = garbage(seed, &[0, 1, 2, 3, 4, 5, 6, 255]);
        let (_, served) = with_server(32, async |stream, _| send_raw(stream, &bytes).await);
        let end = match served {
            Ok(_) => 0,
            Err(ServeError::Truncated) => 1,
            Err(ServeError::TooLong) => 2,
            Err(ServeError::Malformed) => 3,
            Err(ServeError::Stream(error)) => panic!("{error}"),
        };
        ends[end] += 1;
    }
    assert!(ends.iter().all(|&count| count > 10), "{ends:?}");
}

#[test]
fn no_garbage_makes_the_client_panic_or_hang() {
    let kinds = [0, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0xff];
    let mut answered = 0;
    for seed in 0..10_000 {
        let bytes = garbage(seed, &kinds);
        answered += with_script(&bytes, async |mut client| {
            let name = Thermostat::SETPOINT;
            let mut answered = 0;
            answered += u32::from(client.set(name, 1).await.is_ok());
            answered += u32::from(client.list(|_| ()).await.is_ok());
            answered += u32::from(client.read(name).await.is_ok());
            answered += u32::from(client.subscribe(name, millis(1), millis(9)).await.is_ok());
            while let Ok(Some(_)) = client.next_sample().await {}
            answered += u32::from(client.unsubscribe().await.is_ok());
            answered + u32::from(client.close().await.is_ok())
        });
    }
    assert!(answered > 10, "{answered}");
}

#[test]
fn a_device_that_breaks_the_protocol_is_told_from_one_that_refuses() {
    let name = Thermostat::SETPOINT;
    let scripts: [(&[u8], ClientError<MemoryError>); 9] = [
        (&[0, 1, 0xff, 1], ClientError::Refused(Refusal::UnknownName)),
        (&[0, 0, 0x84], ClientError::Violation), // not a reply to this request
        (&[0, 0, 0x70], ClientError::Violation), // of no known kind
        (&[0, 3, 0x83, 0, 0, 0], ClientError::Violation), // a byte short
        (&[0, 65, 0x83], ClientError::Violation), // too long
        (&[0, 6, 0x86, 0, 0, 0, 0, 0, 0], ClientError::Violation), // a sample without a subscription
        (&[0, 2, 0x87, 0, 0], ClientError::Violation),             // the end of none
        (&[0, 4, 0x83, 0], ClientError::Truncated),
        (&[], ClientError::Ended),
    ];
    for (script, error) in scripts {
        let outcome = with_script(script, async |mut client| client.read(name).await);
        assert_eq!(outcome, Err(error), "{script:?}");
    }
}

#[test]
fn a_list_cut_short_or_miscounted_is_a_violation() {
    let entry = [0, 3, 0x81, 1, b'a', 0];
    for (tail, expected) in [
        (&[0, 1, 0x82, 1][..], Ok(1)),
        (&[0, 1, 0x82, 2], Err(ClientError::Violation)),
        (&[0, 1, 0xff, 1], Err(ClientError::Violation)),
        (&[], Err(ClientError::Ended)),
    ] {
        let script = [&entry, tail].concat();
        let outcome = with_script(&script, async |mut client| client.list(|_| ()).await);
        assert_eq!(outcome, expected);
    }
}

#[test]
fn samples_out_of_order_or_miscounted_are_violations() {
    let subscribed = [0, 0, 0x85];
    let (first, second) = (
        [0, 6, 0x86, 0, 0, 0, 0, 0, 9],
        [0, 6, 0x86, 0, 1, 0, 0, 0, 9],
    );
    let complete = |sent| [0, 2, 0x87, 0, sent];
    for (rest, expected) in [
        ([&first[..], &second, &complete(2)].concat(), Ok(2)),
        ([&second[..], &first].concat(), Err(ClientError::Violation)),
        ([&first[..], &first].concat(), Err(ClientError::Violation)),
        (
            [&first[..], &complete(2)].concat(),
            Err(ClientError::Violation),
        ),
        (first.to_vec(), Err(ClientError::Ended)),
    ] {
        let script = [&subscribed[..], &rest].concat();
        let outcome = with_script(&script, async |mut client| {
            let name = Thermostat::SETPOINT;
            client.subscribe(name, millis(1), millis(2)).await?;
            let mut count = 0;
            while client.next_sample().await?.is_some() {
                count += 1;
            }
            Ok(count)
        });
        assert_eq!(outcome, expected);
    }
}
