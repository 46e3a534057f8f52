//! Messages: how they are sent and received, how long they may be, and how many wait.

use core::cell::Cell;

use futures_util::FutureExt as _;
use futures_util::future::{join, join3};
use tacket::testing::SeededExecutor;
use tacket::{Error as _, Fault, ReceiveChannel, SendChannel};
use tacket_tests::NAME;
use tacket_tls::{DtlsError, NeedHandshake};

use super::{
    Channel, Error, SECOND, SERVER, World, echo, endpoint, endpoint_at, meet, meet_by, round,
    sent_to, while_served, while_serving,
};

/// Covers DTL-02, DTL-30.
#[test]
fn a_client_shakes_hands_and_gets_its_messages_back() {
    for (local, mtu, surest) in [("0.0.0.0:0", 1472, 548), ("[::]:0", 1452, 1232)] {
        let longest = mtu - 37;
        let executor = SeededExecutor::new(1);
        let world = World::new(&executor);
        executor.run(async {
            let (server, address) = endpoint_at(&world.server, local).await;
            let (client, from) = endpoint_at(&world.client, local).await;
            let config = world.client_config();
            let channel = client.connect(address, &config, NAME).expect("open");
            while_serving(&server, &world.server_config(), echo, async {
                channel.do_handshake().await.expect("a handshake");
                for peer in [address, from] {
                    let sent = sent_to(&world.net, peer);
                    assert!(sent.iter().all(|(_, length)| *length <= surest), "{sent:?}");
                    assert!(sent.len() > 1, "{sent:?}");
                }
                round(&channel, b"first").await;
                round(&channel, b"second").await;
                assert_eq!(channel.cleartext_mtu(), Ok(longest));
                round(&channel, &vec![7; longest]).await;
            })
            .await;
            let seen = channel.statistics();
            assert_eq!((seen.sent, seen.received, seen.dropped), (3, 3, 0));
        });
    }
}

/// Covers DTL-03, DTL-04.
#[test]
fn the_first_send_or_receive_or_the_caller_shakes_hands_once_and_connect_sends_nothing() {
    meet(async |pair, channel| {
        let greet = async |channel: Channel| {
            channel.send(b"hello").await?;
            echo(channel).await
        };
        while_served(&pair, greet, async {
            pair.sleep(SECOND).await;
            assert_eq!(pair.sent(), []);
            let mut message = [0; 5];
            assert_eq!(channel.receive(&mut message).await, Ok(Some(5)));
            drop(channel);

            let channel = pair.connect();
            channel.send(b"x").await.expect("sends");
            assert_eq!(channel.receive(&mut message).await, Ok(Some(5)));
            drop(channel);

            let channel = pair.connect();
            channel.do_handshake().await.expect("a handshake");
            let before = pair.sent().len();
            channel.do_handshake().await.expect("it is done");
            assert_eq!(pair.sent().len(), before);
            assert_eq!(channel.receive(&mut message).await, Ok(Some(5)));
        })
        .await;
        assert_eq!(pair.client.statistics().established, 3);
        assert_eq!(pair.server.statistics().established, 3);
    });
}

/// Covers DTL-05.
#[test]
fn two_tasks_shake_hands_together_and_both_go_on() {
    for seed in 0..20 {
        meet_by(seed, false, async |pair, channel| {
            while_served(&pair, echo, async {
                let mut answers = [[0; 4], [0; 4]];
                let [one, other] = &mut answers;
                let receiving = join(channel.receive(one), channel.receive(other));
                let (received, sent, too) =
                    join3(receiving, channel.send(b"ping"), channel.send(b"pong")).await;
                assert_eq!(received, (Ok(Some(4)), Ok(Some(4))));
                assert_eq!((sent, too), (Ok(()), Ok(())));
                answers.sort_unstable();
                assert_eq!(answers, [*b"ping", *b"pong"]);
            })
            .await;
            assert_eq!(pair.client.statistics().established, 1);
        });
    }
}

/// Covers DTL-06, DTL-07.
#[test]
fn messages_keep_their_bounds_and_have_at_least_a_byte() {
    meet(async |pair, mut channel| {
        while_served(&pair, echo, async {
            let refused = channel.send(b"").await.expect_err("no message");
            assert_eq!(refused, DtlsError::Empty);
            assert_eq!(refused.fault(), Fault::InvalidInput);
            for length in [1, 2, 300, 1, 1400] {
                channel.send(&vec![7; length]).await.expect("sends");
            }
            let mut small = [0; 299];
            for length in [1, 2] {
                assert_eq!(channel.receive(&mut small).await, Ok(Some(length)));
            }
            // Nothing is cut off, and nothing is lost.
            let refused = channel.receive(&mut small).await;
            assert_eq!(refused, Err(DtlsError::BufferTooSmall(300)));
            let whole = ReceiveChannel::receive(&mut channel).await;
            assert_eq!(whole, Ok(Some(vec![7; 300])));
            assert_eq!(channel.receive(&mut small).await, Ok(Some(1)));
            SendChannel::send(&mut channel, &b"by the trait"[..])
                .await
                .expect("sends");
            let mut large = [0; 1400];
            assert_eq!(channel.receive(&mut large).await, Ok(Some(1400)));
            assert_eq!(channel.receive(&mut large).await, Ok(Some(12)));
        })
        .await;
    });
}

/// Covers DTL-12.
#[test]
fn one_endpoint_has_channels_to_two_servers_and_mixes_nothing_up() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (one, first) = endpoint(&world.server).await;
        let (other, second) = endpoint(&world.server).await;
        let (client, _) = endpoint(&world.client).await;
        let (config, serving) = (world.client_config(), world.server_config());
        let connect = |address| client.connect(address, &config, NAME).expect("open");
        let (to_one, to_other) = (connect(first), connect(second));
        let talking = async {
            join(
                async {
                    for number in 0..50 {
                        round(&to_one, format!("one {number}").as_bytes()).await;
                    }
                },
                async {
                    for number in 0..50 {
                        round(&to_other, format!("other {number}").as_bytes()).await;
                    }
                },
            )
            .await;
        };
        let talking = while_serving(&other, &serving, echo, talking);
        while_serving(&one, &serving, echo, talking).await;
        assert_eq!(client.statistics().associations, 2);
    });
}

/// Covers DTL-28.
#[test]
fn messages_that_find_no_room_are_dropped_and_counted_and_the_others_are_intact() {
    for (capacity, sent) in [(10, 25), (20, 35)] {
        meet(async |pair, channel| {
            let handler = async |channel: Channel| {
                if capacity != 10 {
                    channel.set_receive_capacity(capacity);
                }
                channel.do_handshake().await?;
                // All have come when this is over, and none was received.
                pair.sleep(SECOND).await;
                let seen = channel.statistics();
                assert_eq!((seen.waiting, seen.dropped), (capacity, 15));
                let mut message = [0; 1];
                for number in 0..capacity {
                    assert_eq!(channel.receive(&mut message).await?, Some(1));
                    assert_eq!(usize::from(message[0]), number);
                }
                echo(channel).await
            };
            while_served(&pair, handler, async {
                for number in 0..sent {
                    channel.send(&[number]).await.expect("sends");
                }
                pair.sleep(2 * SECOND).await;
                round(&channel, b"afterwards").await;
            })
            .await;
        });
    }
}

/// Covers DTL-29, DTL-31.
#[test]
fn the_handshake_and_messages_keep_to_the_mtu() {
    meet(async |pair, channel| {
        channel.set_ciphertext_mtu(300);
        assert_eq!(channel.cleartext_mtu(), Err(NeedHandshake));
        let handler = async |channel: Channel| {
            channel.set_ciphertext_mtu(300);
            assert_eq!(channel.cleartext_mtu(), Err(NeedHandshake));
            echo(channel).await
        };
        while_served(&pair, handler, async {
            channel.do_handshake().await.expect("a handshake");
            let mtu = |mtu| {
                channel.set_ciphertext_mtu(mtu);
                channel.cleartext_mtu().expect("the handshake is done")
            };
            let found = [300, 600, 1472, 600, 300].map(mtu);
            assert_eq!(found, [263, 563, 1435, 563, 263]);
            round(&channel, &[7; 263]).await;
        })
        .await;
        for peer in [pair.address, pair.from] {
            let sent = sent_to(&pair.world.net, peer);
            assert!(sent.iter().all(|(_, length)| *length <= 300), "{sent:?}");
            assert!(sent.len() > 3, "{sent:?}");
        }
    });
}

/// Covers DTL-32.
#[test]
fn a_message_that_is_too_long_is_refused_and_the_channel_stays_usable() {
    meet(async |pair, channel| {
        let received = &Cell::new(0);
        let handler = async |channel: Channel| {
            let mut message = vec![0; 1 << 15];
            while let Some(length) = channel.receive(&mut message).await? {
                received.set(length);
                channel.send(b"seen").await?;
            }
            Ok::<_, Error>(())
        };
        while_served(&pair, handler, async {
            let mut answer = [0; 4];
            let mut send = async |length: usize| {
                channel.send(&vec![7; length]).await?;
                channel.receive(&mut answer).await?;
                assert_eq!(received.get(), length);
                Ok::<_, Error>(())
            };
            assert_eq!(send(1436).await, Err(DtlsError::TooLong(1435)));
            assert_eq!(send(1435).await, Ok(()));
            // Who asks for it has IP send in fragments what no single packet carries; a record has a limit of its own.
            channel.set_ciphertext_mtu(40_000);
            assert_eq!(send(16_384).await, Ok(()));
            assert_eq!(send(16_385).await, Err(DtlsError::TooLong(16_384)));
            assert_eq!(send(1).await, Ok(()));
        })
        .await;
    });
}

/// Covers DTL-16.
#[test]
fn a_handshake_with_nobody_waits_for_its_caller() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (client, _) = endpoint(&world.client).await;
        let silent = endpoint(&world.server).await;
        let config = world.client_config();
        for address in [silent.1, format!("{SERVER}:9").parse().expect("an address")] {
            let channel = client.connect(address, &config, NAME).expect("open");
            assert!(channel.do_handshake().now_or_never().is_none());
            let waiting = tacket::timeout(&executor, 3600 * SECOND, channel.do_handshake());
            assert!(waiting.await.is_err());
        }
    });
}
