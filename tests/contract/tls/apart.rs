//! Sessions with a test between their ends, which passes on what it likes.

use std::pin::pin;

use futures_util::future::{Either, join, select};
use tacket::testing::MemoryStream;
use tacket::{ReceiveStream, SendStream, Split};
use tacket_tls::TlsStream;

use super::{Parties, memory, run, shake_hands};

type Memory<'p> = MemoryStream<'p, Vec<u8>>;

/// A client and a server that know each other, and what each has at the other end of its transport.
pub(super) struct Apart<'p> {
    pub(super) client: TlsStream<Memory<'p>>,
    /// Where the client is heard and spoken to.
    pub(super) near: Memory<'p>,
    /// Where the server is.
    pub(super) far: Memory<'p>,
    pub(super) server: TlsStream<Memory<'p>>,
}

/// Runs `test` on a session of `parties`, in which nothing arrives any more but what the test passes on.
pub(super) fn with_ends_apart(parties: &Parties, test: impl for<'p> AsyncFnOnce(Apart<'p>)) {
    let (near, far) = (memory(), memory());
    let (left, mut near) = near.open().expect("a new pair");
    let (mut far, right) = far.open().expect("a new pair");
    let (mut client, mut server) = parties.pair((left, right));
    run(async {
        {
            let shaking = pin!(shake_hands(&mut client, &mut server));
            let passing = pin!(join_ends(&mut near, &mut far));
            let first = select(shaking, passing).await;
            assert!(matches!(first, Either::Left(_)), "nothing is passed on");
        }
        let apart = Apart {
            client,
            near,
            far,
            server,
        };
        test(apart).await;
    });
}

/// Passes on what comes at either end, until both have ended.
pub(super) async fn join_ends(one: &mut impl Split, other: &mut impl Split) {
    let ((mut one_tx, mut one_rx), (mut other_tx, mut other_rx)) = (one.split(), other.split());
    join(
        pass_on(&mut one_rx, &mut other_tx),
        pass_on(&mut other_rx, &mut one_tx),
    )
    .await;
}

async fn pass_on(rx: &mut impl ReceiveStream, tx: &mut impl SendStream) {
    let mut buf = [0; 1000];
    while let Ok(count @ 1..) = rx.receive_some(&mut buf).await {
        if tx.send_all(&buf[..count]).await.is_err() {
            return;
        }
    }
}
