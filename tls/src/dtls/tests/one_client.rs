//! One association of a client, without a table: a test answers for its server.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use core::task::Waker;
use core::time::Duration;

use rustls_pki_types::ServerName;

use super::{Count, SECOND, SERVER};
use crate::Fingerprint;
use crate::dtls::answer::hello_verify_request;
use crate::dtls::association::{Association, Role, Surroundings};
use crate::dtls::config::DtlsClientConfig;
use crate::dtls::engine::{Engine, Output};
use crate::dtls::error::{DtlsProblem, Over, Refusal};
use crate::dtls::hello::{COOKIE, ClientHello};
use crate::dtls::negotiated::{DtlsNegotiated, DtlsVersion};
use crate::dtls::outbox::Outbox;
use crate::dtls::sizes::{ENGINE_BUFFER, SMALLEST};
use crate::dtls::statistics::DtlsStatistics;
use crate::dtls::trust::DtlsTrust;

/// A client, and what stands around it.
struct Client {
    own: Association,
    now: Duration,
    out: Outbox,
    scratch: Vec<u8>,
    wake: VecDeque<Waker>,
    statistics: DtlsStatistics,
}

impl Client {
    fn new() -> Self {
        let trust = DtlsTrust::in_certificates([Fingerprint::new([7; 32])]).expect("a pin");
        let config = DtlsClientConfig::new(trust).expect("random bytes");
        let name = ServerName::try_from("server.example").expect("a name");
        Self {
            own: Association::new(1, SERVER, Role::Client { config, name }),
            now: Duration::ZERO,
            out: Outbox::default(),
            scratch: vec![0; ENGINE_BUFFER],
            wake: VecDeque::new(),
            statistics: DtlsStatistics::default(),
        }
    }

    fn with<R>(&mut self, work: impl FnOnce(&mut Association, &mut Surroundings<'_>) -> R) -> R {
        let mut around = Surroundings {
            now: self.now,
            out: &mut self.out,
            scratch: &mut self.scratch,
            wake: &mut self.wake,
            statistics: &mut self.statistics,
        };
        work(&mut self.own, &mut around)
    }

    fn shake_hands(&mut self) -> Result<bool, Over> {
        self.with(Association::shake_hands)
    }

    /// What it sends until then: when, and what. `answer` has the answers to each.
    fn run(
        &mut self,
        until: Duration,
        mut answer: impl FnMut(Duration, &ClientHello<'_>) -> Vec<Vec<u8>>,
    ) -> Vec<(Duration, Vec<u8>)> {
        let mut sent = Vec::new();
        loop {
            while let Some(next) = self.out.pop() {
                let hello = ClientHello::parse(&next.data).expect("a hello");
                let answers = answer(self.now, &hello);
                sent.push((self.now, next.data));
                for datagram in answers {
                    self.with(|own, around| own.arrived(&datagram, around));
                }
            }
            match self.own.deadline().filter(|due| *due <= until) {
                Some(due) => self.now = self.now.max(due),
                None => break,
            }
            self.with(Association::tick);
        }
        self.now = until;
        sent
    }
}

/// When each attempt begins: with a hello that has another random than the one before.
fn beginnings(sent: &[(Duration, Vec<u8>)]) -> Vec<Duration> {
    let mut before = None;
    let begins = |(at, datagram): &(Duration, Vec<u8>)| {
        let random = ClientHello::parse(datagram)
            .map(|hello| hello.random())
            .ok();
        (core::mem::replace(&mut before, random) != random).then_some(*at)
    };
    sent.iter().filter_map(begins).collect()
}

fn ask(hello: &ClientHello<'_>) -> Vec<Vec<u8>> {
    vec![hello_verify_request(hello.sequence, &[9; COOKIE]).to_vec()]
}

/// The first `part` of a server's hello of 40 bytes, which chooses a suite that there is not.
fn server_hello(part: usize) -> Vec<u8> {
    let mut body = [&[0xfe, 0xfd][..], &[7; 32], &[0, 0, 0, 0], &[0, 0]].concat();
    body.truncate(part);
    let length = u8::try_from(body.len()).expect("short");
    let mut datagram = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12 + length];
    datagram.extend([2, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, length]);
    datagram.extend(body);
    datagram
}

fn refused() -> Over {
    Over::Problem(DtlsProblem::Protocol("the server takes no cookie".into()))
}

#[test]
fn a_server_that_takes_no_cookie_is_given_up() {
    let mut client = Client::new();
    assert_eq!(client.shake_hands(), Ok(false));
    let sent = client.run(3600 * SECOND, |_, hello| ask(hello));
    // Each attempt has a hello without a cookie, and one with it.
    assert_eq!((sent.len(), beginnings(&sent).len()), (18, 9));
    assert_eq!(client.shake_hands(), Err(refused()));
    assert_eq!(client.statistics.failed, 1);
}

#[test]
fn a_server_that_has_no_place_is_asked_for_ever_and_seldom() {
    let mut client = Client::new();
    assert_eq!(client.shake_hands(), Ok(false));
    let mut since = None;
    let hours = 10;
    let sent = client.run(hours * 3600 * SECOND, |now, hello| match since {
        _ if hello.cookie.is_empty() => {
            since = Some(now);
            ask(hello)
        }
        // Cookies are good for this long, and who has one gets no answer.
        Some(since) if now - since < 45 * SECOND => Vec::new(),
        _ => ask(hello),
    });
    assert_eq!(client.shake_hands(), Ok(false));
    assert_eq!(client.statistics.failed, 0);
    let (later, pause) = (3600 * SECOND, 200 * SECOND);
    let later: Vec<_> = sent.into_iter().filter(|(at, _)| *at > later).collect();
    let hour = later.len() / (usize::try_from(hours).expect("few") - 1);
    assert!((40..200).contains(&hour), "{hour} hellos an hour");
    let begun = beginnings(&later);
    assert!(begun.windows(2).all(|two| two[1] - two[0] < pause));
}

#[test]
fn what_it_does_not_understand_is_tried_again_later_each_time_and_then_no_more() {
    let mut client = Client::new();
    assert_eq!(client.shake_hands(), Ok(false));
    let sent = client.run(3600 * SECOND, |_, _| vec![server_hello(40)]);
    let waits: Vec<_> = sent.windows(2).map(|two| two[1].0 - two[0].0).collect();
    let expected = [0, 1, 3, 7, 15, 31, 63, 127].map(|seconds| seconds * SECOND);
    assert_eq!(waits, expected);
    let over = client.shake_hands();
    assert!(matches!(over, Err(Over::Problem(DtlsProblem::Protocol(_)))));
    assert_eq!((client.own.deadline(), client.statistics.failed), (None, 1));
    assert!(!client.with(|own, around| own.arrived(&server_hello(40), around)));
}

#[test]
fn a_client_that_was_answered_and_gets_no_farther_begins_anew() {
    for retransmit in [1, 4, 60] {
        let mut client = Client::new();
        client.own.retransmit = retransmit * SECOND;
        assert_eq!(client.shake_hands(), Ok(false));
        let sent = client.run(40_000 * SECOND, |_, _| vec![server_hello(30)]);
        let begun = beginnings(&sent);
        let waits: Vec<_> = begun.windows(2).map(|two| two[1] - two[0]).collect();
        let first = retransmit * 20;
        let expected = [first, first * 2, first * 4, first * 8, first * 16];
        let expected = expected.map(|wait| wait.min(first.max(160)) * SECOND);
        assert_eq!(waits[..5], expected);
        assert!(waits[5..].iter().all(|wait| *wait == expected[4]));
        assert_eq!(client.shake_hands(), Ok(false));
    }
}

#[test]
fn one_that_was_never_answered_goes_on_with_the_same_hello() {
    let mut client = Client::new();
    assert_eq!(client.shake_hands(), Ok(false));
    let sent = client.run(600 * SECOND, |_, _| Vec::new());
    assert_eq!(beginnings(&sent), [Duration::ZERO]);
    assert!((13..20).contains(&sent.len()), "{}", sent.len());
    // For an hour, in which the engine loses its patience, and days.
    let sent = client.run(100 * 3600 * SECOND, |_, _| Vec::new());
    let waits = sent.windows(2).map(|two| two[1].0 - two[0].0);
    let waits: Vec<_> = waits.collect();
    assert!(waits.iter().all(|wait| *wait <= 75 * SECOND), "{waits:?}");
    // Each attempt may begin too soon, and then goes on at the pace of the last one.
    let (short, begun) = (
        waits.iter().filter(|wait| **wait < 40 * SECOND),
        beginnings(&sent),
    );
    assert!(begun.len() > 10 && short.count() <= begun.len());
    assert_eq!(client.shake_hands(), Ok(false));
}

#[test]
fn those_who_wait_are_woken_once_by_the_end_which_stays_as_it_was() {
    let mut client = Client::new();
    let counts: [Arc<Count>; 3] = Default::default();
    let wakers = counts.clone().map(Waker::from);
    for (ticket, waker) in (1..).zip(&wakers) {
        assert!(client.own.wait(ticket, waker).is_none());
    }
    // The same again is the same; another one takes its place.
    assert!(client.own.wait(1, &wakers[0]).is_none());
    assert!(client.own.wait(1, &wakers[1]).is_some());
    assert!(client.own.wait_no_more(3).is_some());
    assert!(client.own.wait_no_more(3).is_none());
    for over in [Over::Replaced, Over::Closed] {
        client.own.end(over, &mut client.wake);
        client.wake.drain(..).for_each(Waker::wake);
        let woken = counts
            .each_ref()
            .map(|count| count.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 2, 0]);
        assert_eq!(client.shake_hands(), Err(Over::Replaced));
    }
    let sent = client.with(|own, around| own.send(b"x", around));
    assert_eq!(sent, Err(Refusal::Over(Over::Replaced)));
    let mut buf = [0; 1];
    assert_eq!(client.own.inbox.receive(&mut buf), Ok(None));
    assert_eq!(client.out.len(), 0);
}

#[test]
fn nobody_is_told_the_end_of_what_has_not_begun() {
    let mut client = Client::new();
    client.with(Association::close);
    assert_eq!(client.out.len(), 0);
    assert_eq!(client.shake_hands(), Ok(false));
    assert_eq!(client.out.len(), 1);
    client.with(Association::close);
    assert_eq!(client.out.len(), 1);
}

#[test]
fn a_message_fits_into_a_datagram_and_into_a_record() {
    let mut client = Client::new();
    for (mtu, longest) in [(SMALLEST, 219), (1472, 1435), (60_000, 16384)] {
        client.own.mtu = mtu;
        assert_eq!(client.own.cleartext_mtu(), longest);
        let message = vec![7; longest + 1];
        for (length, expected) in [
            (0, Err(Refusal::Empty)),
            (longest, Ok(None)),
            (longest + 1, Err(Refusal::TooLong(longest))),
        ] {
            let sent = client.with(|own, around| own.send(&message[..length], around));
            assert_eq!(sent, expected);
        }
    }
    // The first that was not refused has begun the handshake.
    assert_eq!(client.out.len(), 1);
}

/// Says that its handshake is done as often as it is asked, at most so many times.
#[derive(Debug)]
struct Repetitive(u32);

impl Engine for Repetitive {
    fn receive(&mut self, _: Duration, _: &[u8]) -> Result<(), DtlsProblem> {
        Ok(())
    }

    fn tick(&mut self, _: Duration) -> Result<(), DtlsProblem> {
        Ok(())
    }

    fn send(&mut self, _: &[u8]) -> Result<(), DtlsProblem> {
        Ok(())
    }

    fn close(&mut self) {}

    fn next(&mut self, _: &mut [u8]) -> Result<Option<Output>, DtlsProblem> {
        self.0 = self.0.saturating_sub(1);
        Ok((self.0 > 0).then_some(Output::Established))
    }

    fn is_13(&self) -> bool {
        false
    }

    fn negotiated(&self) -> DtlsNegotiated {
        DtlsNegotiated {
            version: DtlsVersion::Dtls12,
            peer_certificate: None,
            psk_identity: None,
        }
    }

    fn wears_keys_out(&self) -> bool {
        false
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn a_handshake_is_done_once_however_often_its_engine_says_so() {
    let mut client = Client::new();
    let role = Client::new().own.role;
    client.own = Association::begun(1, SERVER, role, Box::new(Repetitive(3)));
    client.with(|own, around| own.carry_on(around));
    assert_eq!(client.shake_hands(), Ok(true));
    assert_eq!(client.statistics.established, 1);
    assert_eq!(client.out.len(), 0);
}
