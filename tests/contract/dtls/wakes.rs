//! Who moves datagrams when those who could are not polled, or begin in the middle of it.

use core::future::{pending, poll_fn};
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Waker};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tacket::testing::{Link, SeededExecutor};
use tacket::{Clock as _, timeout};
use tacket_tests::NAME;

use super::flawed::{Client, with_client};
use super::{Error, SECOND, World, sent_to};

/// Nobody answers there.
const NOWHERE: [&str; 2] = ["10.0.0.77:9", "10.0.0.77:10"];

fn nowhere(place: usize) -> SocketAddr {
    NOWHERE[place].parse().expect("an address")
}

/// A task, which is polled when it is woken, and not otherwise.
type Task<'t> = Pin<Box<dyn Future<Output = ()> + 't>>;

/// Polls it once, and has nobody woken for it.
fn poll_once(waiter: Pin<&mut impl Future>) {
    let polled = waiter.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

/// Runs them until the first is done.
async fn run_until_first(first: Task<'_>, others: impl IntoIterator<Item = Task<'_>>) {
    let mut first = FuturesUnordered::from_iter([first]);
    let mut others: FuturesUnordered<_> = others.into_iter().collect();
    poll_fn(|cx| {
        let _ = others.poll_next_unpin(cx);
        first.poll_next_unpin(cx)
    })
    .await;
}

async fn wait_beside_an_unpolled(
    executor: &SeededExecutor<'_>,
    world: &World,
    client: &Client,
    serves: bool,
) {
    let (endpoint, channel, flaws) = client.parts();
    world.net.set_usual_link(Link::new().delay(SECOND / 10));
    let before = executor.now();
    channel.send(b"answer me").await.expect("sends");
    let receiving = async {
        let mut message = [0; 10];
        let received = timeout(executor, SECOND, channel.receive(&mut message)).await;
        assert_eq!(received, Ok(Ok(Some(9))), "serves: {serves}");
        assert!(executor.now() - before < SECOND / 2);
    };
    let config = world.server_config();
    let serving = async {
        if serves {
            let handler = async |_| Ok::<_, Error>(());
            let _ = endpoint.serve(&config, 1, handler).await;
        }
        pending().await
    };
    let idle = endpoint.connect(nowhere(0), &world.client_config(), NAME);
    let idle = idle.expect("open");
    let unpolled = async {
        executor.sleep_until(before + SECOND / 20).await;
        // The driver is woken in the poll that this one makes.
        flaws.intruder.set(Some(Box::pin(pending())));
        let mut waiting = pin!(idle.do_handshake());
        poll_once(waiting.as_mut());
        pending().await
    };
    run_until_first(
        Box::pin(receiving),
        [Box::pin(serving) as Task<'_>, Box::pin(unpolled)],
    )
    .await;
}

#[test]
fn one_who_is_woken_and_not_polled_holds_nobody_up() {
    for serves in [false, true] {
        with_client(async |executor, world, client| {
            wait_beside_an_unpolled(executor, world, &client, serves).await;
        });
    }
}

#[test]
fn a_handshake_that_begins_while_another_sends_is_repeated_in_time() {
    with_client(async |executor, world, client| {
        let (endpoint, _, flaws) = client.parts();
        let config = world.client_config();
        let connect = |place| {
            endpoint
                .connect(nowhere(place), &config, NAME)
                .expect("open")
        };
        let (one, other) = (connect(0), connect(1));
        let sender = Box::pin(async move {
            let done = one.do_handshake().await;
            panic!("{done:?}");
        });
        flaws.sender.set(Some(sender));
        // Its own hello is repeated much later.
        other.set_initial_retransmit_timeout(60 * SECOND);
        let waiting = async {
            let waited = timeout(executor, 20 * SECOND, other.do_handshake()).await;
            waited.expect_err("nobody answers");
        };
        run_until_first(Box::pin(waiting), []).await;
        let sent = sent_to(&world.net, nowhere(0)).len();
        assert!(sent >= 3, "{sent}");
        flaws.kept.take();
    });
}
