//! A socket that refuses what a handshake sends, and what those hear who wait for it.

use core::net::SocketAddr;
use core::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, join, select};
use tacket::testing::{SeededExecutor, SimError};
use tacket::{Bind as _, Clock as _};
use tacket_tests::NAME;
use tacket_tls::{DtlsChannel, DtlsEndpoint, DtlsError, NeedHandshake};

use super::flawed::{Flawed, Flaws};
use super::{Error, SECOND, World, echo, endpoint, sent_to, while_serving};

const NO_WAY: Error = DtlsError::Transport(SimError::NotAPeer);

/// A client over a socket with flaws, whose handshake has not begun, and its server.
async fn client(
    world: &World,
    server: SocketAddr,
) -> (DtlsEndpoint<Flawed>, DtlsChannel<Flawed>, Rc<Flaws>) {
    let local = "0.0.0.0:0".parse().expect("an address");
    let socket = world.client.bind(local).await.expect("a free port");
    let flaws = Rc::<Flaws>::default();
    let socket = Flawed(socket, Rc::clone(&flaws));
    let client = DtlsEndpoint::new(socket, world.client.clone()).expect("random bytes");
    let channel = client.connect(server, &world.client_config(), NAME);
    (client, channel.expect("open"), flaws)
}

/// Runs `talk` with such a client of a server that sends each message back.
fn with_client(
    talk: impl AsyncFnOnce(&SeededExecutor<'_>, &DtlsEndpoint<Flawed>, DtlsChannel<Flawed>, &Flaws),
) {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (echoing, server) = endpoint(&world.server).await;
        let (client, channel, flaws) = client(&world, server).await;
        let talking = talk(&executor, &client, channel, &flaws);
        while_serving(&echoing, &world.server_config(), echo, talking).await;
    });
}

#[test]
fn a_handshake_whose_every_attempt_is_refused_is_an_error_at_the_third_and_can_be_tried_again() {
    with_client(async |executor, client, channel, flaws| {
        flaws.sending.set(Some(SimError::NotAPeer));
        let mut message = [0; 10];
        // Each begins anew, at once.
        for refused in 1..=3 {
            let before = executor.now();
            let waiting = async {
                match refused {
                    1 => channel.do_handshake().await,
                    2 => channel.send(b"message").await,
                    _ => channel.receive(&mut message).await.map(drop),
                }
            };
            let ended = tacket::timeout(executor, 10 * SECOND, waiting).await;
            assert_eq!(ended, Ok(Err(NO_WAY)));
            let took = executor.now() - before;
            // One and two seconds, give or take a quarter.
            assert!(2 * SECOND < took && took < 4 * SECOND, "{took:?}");
            assert_eq!(client.statistics().unsent, 3 * refused);
            assert_eq!(channel.negotiated().err(), Some(NeedHandshake));
        }
        flaws.sending.set(None);
        let before = executor.now();
        channel.send(b"message").await.expect("sends");
        assert_eq!(channel.receive(&mut message).await, Ok(Some(7)));
        assert!(executor.now() - before < SECOND);
        assert_eq!(client.statistics().failed, 0);
    });
}

#[test]
fn a_handshake_of_whose_attempts_each_third_is_taken_is_waited_for() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        // Nobody is there.
        let (_silent, nowhere) = endpoint(&world.server).await;
        let (client, channel, flaws) = client(&world, nowhere).await;
        let until = async |done: &dyn Fn() -> bool| {
            while !done() {
                executor.sleep_until(executor.now() + SECOND / 10).await;
            }
        };
        let flawing = pin!(async {
            for round in 1..=4 {
                flaws.sending.set(Some(SimError::NotAPeer));
                until(&|| client.statistics().unsent == round * 2).await;
                flaws.sending.set(None);
                let taken = sent_to(&world.net, nowhere).len();
                until(&|| sent_to(&world.net, nowhere).len() > taken).await;
            }
        });
        flaws.sending.set(Some(SimError::NotAPeer));
        let waiting = pin!(channel.do_handshake());
        match select(waiting, flawing).await {
            Either::Left((waited, _)) => panic!("{waited:?}"),
            Either::Right(((), _)) => assert!(executor.now() > 60 * SECOND),
        }
    });
}

#[test]
fn several_who_wait_for_a_handshake_that_is_refused_all_hear_of_it_in_the_end() {
    with_client(async |executor, _, channel, flaws| {
        flaws.sending.set(Some(SimError::NotAPeer));
        let mut message = [0; 10];
        let both = join(channel.send(b"message"), channel.receive(&mut message));
        let both = tacket::timeout(executor, 10 * SECOND, both).await;
        assert_eq!(both, Ok((Err(NO_WAY), Err(NO_WAY))));
    });
}

#[test]
fn who_asks_in_short_turns_hears_of_it_too() {
    with_client(async |executor, _, channel, flaws| {
        flaws.sending.set(Some(SimError::NotAPeer));
        let mut turns = 0;
        let ended = loop {
            turns += 1;
            let waiting = channel.do_handshake();
            match tacket::timeout(executor, SECOND / 2, waiting).await {
                Ok(ended) => break ended,
                Err(_) => assert!(turns < 20, "nobody hears of it"),
            }
        };
        assert_eq!(ended, Err(NO_WAY));
    });
}

#[test]
fn a_channel_that_is_over_says_so_and_not_what_was_refused() {
    with_client(async |executor, client, channel, flaws| {
        flaws.sending.set(Some(SimError::NotAPeer));
        let waiting = tacket::timeout(executor, SECOND / 2, channel.do_handshake());
        assert!(waiting.await.is_err());
        // It is refused again and again, while others wait.
        let config = World::new(executor).client_config();
        let connect = |peer| client.connect(peer, &config, NAME).expect("open");
        let nobody = SocketAddr::from(([10, 0, 0, 9], 9));
        let other = connect(nobody);
        let _ = tacket::timeout(executor, 5 * SECOND, async {
            loop {
                assert_eq!(other.do_handshake().await, Err(NO_WAY));
            }
        })
        .await;
        assert!(client.statistics().unsent > 5);
        let _new = connect(channel.peer_addr());
        assert_eq!(channel.do_handshake().await, Err(DtlsError::Replaced));
    });
}
