//! Transports that are cut after each byte from the server, and bring them one by one.

use futures_util::future::{Either, join, select};
use std::pin::pin;
use tacket::testing::MemoryPair;
use tacket::{AsyncResource, Error as _, Fault, ReceiveStream, SendStream, Split as _};

use super::guarded::{Memory, Parties, memory};
use super::run;

/// Passes on what comes from `rx`, byte by byte, until so many have gone or it has ended. Returns how many.
async fn pass(rx: &mut impl ReceiveStream, tx: &mut impl SendStream, limit: usize) -> usize {
    for passed in 0..limit {
        let mut byte = [0];
        match rx.receive_some(&mut byte).await {
            Ok(1) if tx.send_all(&byte).await.is_ok() => {}
            _ => return passed,
        }
    }
    limit
}

/// Between a client and a server: `limit` bytes come to the client, then both lose their peer. Returns how many came.
async fn relay((mut near, mut far): (Memory<'_>, Memory<'_>), limit: usize) -> usize {
    let ((mut near_tx, mut near_rx), (mut far_tx, mut far_rx)) = (near.split(), far.split());
    let down = pin!(pass(&mut far_rx, &mut near_tx, limit));
    let up = pin!(pass(&mut near_rx, &mut far_tx, usize::MAX));
    match select(down, up).await {
        Either::Left((passed, _)) => passed,
        Either::Right((_, down)) => down.await,
    }
}

/// What a client got of 3 records with 4 bytes each and an end, if so many bytes came: whether it shook hands, how much data, and how
/// that ended.
fn session(parties: &Parties, limit: usize) -> (bool, usize, Result<(), Fault>, usize) {
    let (left, right): (MemoryPair<Vec<u8>>, MemoryPair<Vec<u8>>) = (memory(), memory());
    let (near, middle_near) = left.open().expect("a new pair");
    let (middle_far, far) = right.open().expect("a new pair");
    let (mut client, mut server) = parties.pair((near, far));
    run(async {
        let receiving = async {
            let shaken = client.do_handshake().await;
            let (mut total, mut buf) = (0, [0; 3]);
            let ended = loop {
                match client.receive_some(&mut buf).await {
                    Ok(0) => break Ok(()),
                    Ok(count) => total += count,
                    Err(error) => break Err(error.fault()),
                }
            };
            client.close().await.expect("closes");
            (shaken.is_ok(), total, ended)
        };
        let sending = async {
            for _ in 0..3 {
                if server.send_all(b"data").await.is_err() {
                    break;
                }
            }
            let _ = server.close().await;
        };
        let relaying = relay((middle_near, middle_far), limit);
        let ((shaken, total, ended), ((), passed)) = join(receiving, join(sending, relaying)).await;
        (shaken, total, ended, passed)
    })
}

/// Covers SSL-20.
#[test]
fn no_cut_is_an_end_and_all_whole_records_before_it_arrive() {
    let parties = Parties::new();
    let (shaken, total, ended, bytes) = session(&parties, usize::MAX);
    assert_eq!((shaken, total, ended), (true, 12, Ok(())));
    // Signatures are not all of the same length.
    let data = 3 * (4 + 22) + 24;
    let traffic = bytes - data - 20;
    let sparse = (0..traffic).step_by(if std::env::var_os("TACKET_LONG").is_some() {
        1
    } else {
        17
    });
    let mut seen = [false; 4];
    for limit in sparse.chain(traffic..bytes - 8) {
        let (shaken, total, ended, passed) = session(&parties, limit);
        if passed < limit {
            // All of it came: this session was shorter.
            continue;
        }
        let failed = ended.expect_err("it was cut");
        assert!(
            matches!(failed, Fault::Truncated | Fault::Broken),
            "{limit}: {failed:?}"
        );
        assert!(shaken || total == 0, "{limit}");
        assert_eq!(total % 4, 0, "{limit}");
        seen[total / 4] = true;
    }
    assert_eq!(seen, [true; 4]);
}
