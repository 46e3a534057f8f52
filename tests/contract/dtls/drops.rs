//! Operations that are dropped, at every poll.

use tacket::Clock as _;
use tacket::testing::{DropPoint, SeededExecutor};
use tacket_tests::NAME;

use super::{SECOND, World, echo, endpoint, round, while_serving};

/// The points of a future that is polled so often at most.
fn points() -> impl Iterator<Item = DropPoint> {
    (1..12).flat_map(|polls| {
        [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ]
    })
}

#[test]
fn a_handshake_that_is_dropped_goes_on_with_the_next_operation() {
    for point in points() {
        let executor = SeededExecutor::new(1);
        let world = World::new(&executor);
        executor.run(async {
            let (server, address) = endpoint(&world.server).await;
            let (client, _) = endpoint(&world.client).await;
            let config = world.client_config();
            let channel = client.connect(address, &config, NAME).expect("open");
            while_serving(&server, &world.server_config(), echo, async {
                point.cut(channel.do_handshake()).await;
                point.cut(channel.do_handshake()).await;
                round(&channel, b"message").await;
            })
            .await;
            // Nothing was begun twice, and nothing had to be sent again.
            assert_eq!(server.statistics().asked, 1, "{point}");
            assert!(executor.now() < SECOND / 2, "{point}");
        });
    }
}

#[test]
fn a_receive_that_is_dropped_loses_no_message_and_a_send_leaves_the_channel_usable() {
    for point in points() {
        let executor = SeededExecutor::new(1);
        let world = World::new(&executor);
        executor.run(async {
            let (server, address) = endpoint(&world.server).await;
            let (client, _) = endpoint(&world.client).await;
            let config = world.client_config();
            let channel = client.connect(address, &config, NAME).expect("open");
            while_serving(&server, &world.server_config(), echo, async {
                channel.do_handshake().await.expect("a handshake");
                let mut sent = 0_u8;
                let mut received = Vec::new();
                for number in 0..30 {
                    if let Some(done) = point.cut(channel.send(&[number])).await {
                        done.expect("sends");
                        sent += 1;
                    }
                    let mut message = [0; 1];
                    if let Some(done) = point.cut(channel.receive(&mut message)).await {
                        assert_eq!(done, Ok(Some(1)));
                        received.push(message[0]);
                    }
                    executor.wait_all_tasks_blocked().await;
                }
                loop {
                    let mut message = [0; 1];
                    let receiving = channel.receive(&mut message);
                    match tacket::timeout(&executor, SECOND, receiving).await {
                        Ok(done) => assert_eq!(done, Ok(Some(1))),
                        Err(_) => break,
                    }
                    received.push(message[0]);
                }
                let seen = channel.statistics();
                let dropped = usize::try_from(seen.dropped).expect("few");
                assert!(
                    received.len() + dropped >= usize::from(sent),
                    "{point}: {seen:?}"
                );
                assert!(received.is_sorted(), "{point}: {received:?}");
                received.dedup();
                assert_eq!(
                    received.len() + dropped,
                    usize::try_from(seen.sent).expect("few")
                );
            })
            .await;
        });
    }
}
