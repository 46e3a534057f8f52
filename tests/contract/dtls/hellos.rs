//! What a server answers to strangers, and what it remembers of them.

use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use std::rc::Rc;

use futures_util::FutureExt as _;
use tacket::testing::{SimDatagram, SimHost};
use tacket::{AsyncResource as _, Bind as _, Clock as _, ReceiveDatagram as _, SendDatagram as _};
use tacket_tests::NAME;
use tacket_tls::DtlsClientConfig;

use super::{
    CLIENT, Channel, Endpoint, Pair, SECOND, World, echo, endpoint, meet, meet_by, round, sent_to,
    while_served, while_serving_at_most,
};

/// A socket of a client that has no endpoint.
struct Stranger {
    socket: SimDatagram,
    server: SocketAddr,
    host: SimHost,
}

impl Stranger {
    async fn new(host: &SimHost, server: SocketAddr) -> Self {
        let local = "0.0.0.0:0".parse().expect("an address");
        Self {
            socket: host.bind(local).await.expect("a free port"),
            server,
            host: host.clone(),
        }
    }

    /// Sends it, and returns what is answered.
    async fn say(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let sent = self.socket.send_to(datagram, self.server).await;
        sent.expect("sends");
        // As long as nothing takes time, all answers are there then.
        self.host.sleep_until(self.host.now() + SECOND / 100).await;
        let mut answers = Vec::new();
        let mut buf = [0; 2000];
        while let Some(received) = self.socket.receive_from(&mut buf).now_or_never() {
            let (length, _) = received.expect("receives");
            answers.push(buf[..length].to_vec());
        }
        answers
    }
}

/// Runs `talk` with a stranger at a server that sends each message back, and the first hello of a client of ours.
fn visit(talk: impl AsyncFnOnce(&Pair<'_, '_>, Stranger, Vec<u8>)) {
    meet(async |pair, _idle| {
        while_served(&pair, echo, async {
            let hello = hello(&pair.world.client, &pair.world).await;
            let stranger = Stranger::new(&pair.world.client, pair.address).await;
            talk(&pair, stranger, hello).await;
        })
        .await;
    });
}

/// The first hello of a client of ours.
async fn hello(host: &SimHost, world: &World) -> Vec<u8> {
    let local = "0.0.0.0:0".parse().expect("an address");
    let mut socket = host.bind(local).await.expect("a free port");
    let address = tacket::LocalAddress::local_addr(&socket).expect("an address");
    let (client, _) = endpoint(host).await;
    let channel = client.connect(address, &world.client_config(), NAME);
    let channel = channel.expect("open");
    assert!(channel.do_handshake().now_or_never().is_none());
    let mut buf = [0; 2000];
    let (length, _) = socket.receive_from(&mut buf).await.expect("receives");
    buf[..length].to_vec()
}

/// The same with this cookie, as the second message of its client.
fn with_cookie(hello: &[u8], cookie: &[u8]) -> Vec<u8> {
    // Record and message header, version, random, and no session.
    let (head, rest) = hello.split_at(13 + 12 + 34 + 1);
    let mut repeated = head.to_vec();
    repeated.push(u8::try_from(cookie.len()).expect("short"));
    repeated.extend(cookie);
    repeated.extend(&rest[1..]);
    let message = u16::try_from(repeated.len() - 25).expect("short");
    for at in [15, 23] {
        repeated[at..at + 2].copy_from_slice(&message.to_be_bytes());
    }
    repeated[11..13].copy_from_slice(&(message + 12).to_be_bytes());
    (repeated[10], repeated[18]) = (1, 1);
    repeated
}

fn cookie_of(request: &[u8]) -> &[u8] {
    &request[28..]
}

/// Whatever it has seen, it serves.
async fn serves(world: &World, address: SocketAddr) {
    serves_by(world, address, &world.client_config()).await;
}

async fn serves_by(world: &World, address: SocketAddr, config: &DtlsClientConfig) {
    let (client, _) = endpoint(&world.client).await;
    let channel = client.connect(address, config, NAME);
    round(&channel.expect("open"), b"still there?").await;
}

fn state(server: &Endpoint) -> (usize, usize) {
    let seen = server.statistics();
    (seen.associations, seen.half_open)
}

/// Covers DTL-20, DTL-21, DTL-22.
#[test]
fn a_hello_is_answered_by_a_cookie_and_one_with_a_cookie_by_the_handshake() {
    visit(async |pair, mut stranger, mut hello| {
        hello[9..11].copy_from_slice(&[3, 4]);
        let answers = stranger.say(&hello).await;
        let [request] = &answers[..] else {
            panic!("{answers:?}");
        };
        assert!(request.len() <= hello.len());
        // A record of the handshake as DTLS 1.0, with the number of the hello's.
        assert_eq!(request[..3], [22, 0xfe, 0xff]);
        assert_eq!(request[3..11], [0, 0, 0, 0, 0, 0, 3, 4]);
        // A HelloVerifyRequest.
        assert_eq!((request[13], &request[25..28]), (3, &[0xfe, 0xff, 32][..]));
        assert_eq!(state(&pair.server), (0, 0));

        let mut other = Stranger::new(&pair.world.client, pair.address).await;
        let repeated = with_cookie(&hello, cookie_of(request));
        // A cookie is for one address: another one is asked again.
        let answers = other.say(&repeated).await;
        assert_eq!((answers.len(), answers[0][13]), (1, 3));
        assert_eq!(state(&pair.server), (0, 0));
        let answers = stranger.say(&repeated).await;
        assert_eq!(answers[0][13], 2, "a ServerHello");
        assert_eq!(state(&pair.server), (1, 0));
        // A duplicate begins nothing.
        stranger.say(&repeated).await;
        assert_eq!(
            (state(&pair.server), pair.server.statistics().replaced),
            ((1, 0), 0)
        );

        // Until the end of the next window, and no longer.
        let request = other.say(&hello).await.remove(0);
        pair.sleep(61 * SECOND).await;
        let answers = other.say(&with_cookie(&hello, cookie_of(&request))).await;
        assert_eq!((answers.len(), answers[0][13]), (1, 3));
    });
}

/// Covers DTL-23, DTL-24.
#[test]
fn garbage_is_ignored_and_counted_and_the_server_goes_on() {
    visit(async |pair, mut stranger, hello| {
        let mut garbage = vec![Vec::new(), b"xyz".to_vec()];
        garbage.push([&hello[..], &[0]].concat());
        garbage.extend((0..hello.len()).map(|length| hello[..length].to_vec()));
        // Lengths that say something else: of the record, of the message, of the session and of the cookie.
        for (place, value) in [(12, 1), (12, 255), (16, 1), (24, 255), (59, 33), (60, 255)] {
            let mut wrong = hello.clone();
            wrong[place] = value;
            garbage.push(wrong);
        }
        // An empty record, and bytes behind the message, within the record.
        garbage.push([&hello[..11], &[0, 0]].concat());
        let mut trailing = [&hello[..], &[0]].concat();
        trailing[12] += 1;
        garbage.push(trailing);
        // No hello: data, an alert, something that is protected, a message of another kind.
        for (content_type, epoch) in [(23, 0), (21, 0), (22, 1), (23, 1), (20, 0), (0x2f, 0)] {
            let mut other = hello.clone();
            (other[0], other[4]) = (content_type, epoch);
            garbage.push(other);
        }
        let mut other = hello.clone();
        other[13] = 2;
        garbage.push(other);
        for datagram in &garbage {
            let answers = stranger.say(datagram).await;
            assert_eq!(answers, Vec::<Vec<u8>>::new(), "{datagram:02x?}");
        }
        let seen = pair.server.statistics();
        assert_eq!(seen.ignored, u64::try_from(garbage.len()).expect("few"));
        assert_eq!(seen.ignored, seen.datagrams);
        assert_eq!(state(&pair.server), (0, 0));
        serves(&pair.world, pair.address).await;
    });
}

/// The cookie cut or changed anywhere begins nothing.
#[test]
fn only_a_whole_cookie_counts() {
    visit(async |pair, mut stranger, hello| {
        let request = stranger.say(&hello).await.remove(0);
        let cookie = cookie_of(&request);
        for length in 0..32 {
            let answers = stranger.say(&with_cookie(&hello, &cookie[..length])).await;
            assert_eq!((answers.len(), answers[0][13]), (1, 3));
            let mut changed = cookie.to_vec();
            changed[length] ^= 1;
            let answers = stranger.say(&with_cookie(&hello, &changed)).await;
            assert_eq!((answers.len(), answers[0][13]), (1, 3));
        }
        assert_eq!(state(&pair.server), (0, 0));
    });
}

/// A hundred thousand forged hellos from as many addresses leave nothing behind.
#[test]
fn a_flood_of_forged_hellos_leaves_no_state() {
    visit(async |pair, mut stranger, hello| {
        let (address, mut number) = (pair.address, 0_u32);
        pair.world.net.set_hook(move |packet| {
            if packet.to == address {
                number += 1;
                let [a, b, c, d] = number.to_be_bytes();
                packet.from = SocketAddr::from(([172, a.wrapping_add(b), c, d], 4433));
            }
        });
        for _ in 0..100_000 / 50 {
            for _ in 0..50 {
                let sent = stranger.socket.send_to(&hello, address).await;
                sent.expect("sends");
            }
            pair.sleep(SECOND / 1000).await;
        }
        let seen = pair.server.statistics();
        assert_eq!((seen.datagrams, seen.cookies_sent), (100_000, 100_000));
        assert_eq!(state(&pair.server), (0, 0));
        pair.world.net.remove_hook();
        serves(&pair.world, pair.address).await;
    });
}

/// Late, or by somebody who has recorded it. There is one place, which it must not take.
#[test]
fn what_a_client_has_said_begins_nothing_again_once_its_channel_is_closed() {
    for dtls13 in [false, true] {
        meet_by(1, dtls13, async |pair, channel| {
            let (world, server, from) = (&pair.world, &pair.server, pair.from);
            let handled = &Cell::new(0);
            let handler = async |channel: Channel| {
                handled.set(handled.get() + 1);
                echo(channel).await
            };
            let said = Rc::<RefCell<Vec<Vec<u8>>>>::default();
            let record = Rc::clone(&said);
            world.net.set_hook(move |packet| {
                if packet.from == from {
                    record.borrow_mut().push(packet.data.to_vec());
                }
            });
            while_serving_at_most(1, server, &pair.server_config, handler, async {
                let executor = pair.executor;
                round(&channel, b"message").await;
                channel.close().await.expect("closes");
                pair.client.close().await.expect("closes");
                world.net.remove_hook();
                let mut ghost = world.client.bind(from).await.expect("the port is free");
                executor.sleep_until(executor.now() + SECOND).await;
                let before = sent_to(&world.net, from).len();
                for _ in 0..5 {
                    executor.sleep_until(executor.now() + 5 * SECOND).await;
                    let said = said.borrow().clone();
                    for datagram in said {
                        let sent = ghost.send_to(&datagram, pair.address).await;
                        sent.expect("sends");
                        executor.wait_all_tasks_blocked().await;
                    }
                    assert_eq!((handled.get(), state(server)), (1, (0, 0)), "{dtls13}");
                }
                // A first hello is asked who it is, as that of anybody.
                let sent = sent_to(&world.net, from).split_off(before);
                assert!(
                    sent.len() <= 5 && sent.iter().all(|(_, length)| *length == 60),
                    "{sent:?}"
                );
                // There is room for somebody else, at once.
                let now = executor.now();
                serves_by(world, pair.address, &pair.client_config).await;
                assert!(executor.now() < now + SECOND / 2, "{dtls13}");
            })
            .await;
        });
    }
}

/// Clients of DTLS 1.3, which have to be remembered, are so in a table that has an end.
#[test]
fn clients_that_must_be_remembered_are_few_and_nobody_is_sent_more_than_they_sent() {
    meet_by(1, true, async |pair, _idle| {
        while_served(&pair, echo, async {
            for number in 1..=200 {
                // Each sends its first hello, and is gone.
                let (client, _) = endpoint(&pair.world.client).await;
                let channel = pair.connect_from(&client);
                assert!(channel.do_handshake().now_or_never().is_none());
                pair.sleep(SECOND / 1000).await;
                assert_eq!(state(&pair.server), (0, number.min(64)));
            }
            assert_eq!(pair.server.statistics().half_open_evicted, 200 - 64);
            for (came, went) in exchanged(&pair.world, pair.address) {
                assert!(went <= came, "{went} for {came}");
            }
            // DTLS 1.2 does not notice.
            serves(&pair.world, pair.address).await;
            let (client, _) = endpoint(&pair.world.client).await;
            let channel = pair.connect_from(&client);
            round(&channel, b"and 1.3?").await;
            pair.sleep(11 * SECOND).await;
            // The two of them, which have told nobody that they are gone.
            assert_eq!(state(&pair.server), (2, 0));
        })
        .await;
    });
}

/// How many bytes each client has sent, and got.
fn exchanged(world: &World, server: SocketAddr) -> Vec<(usize, usize)> {
    use std::collections::HashMap;
    use tacket::testing::SimEventKind;
    let mut bytes = HashMap::<SocketAddr, (usize, usize)>::new();
    for event in world.net.events() {
        if let SimEventKind::DatagramSent(length) = event.what {
            if event.to == server {
                bytes.entry(event.from).or_default().0 += length;
            } else {
                bytes.entry(event.to).or_default().1 += length;
            }
        }
    }
    assert!(bytes.keys().all(|peer| peer.ip().to_string() == CLIENT));
    bytes.into_values().collect()
}
