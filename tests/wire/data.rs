//! What goes over the wire, and how it is checked.

use core::fmt::Debug;

use sha2::{Digest as _, Sha256};
use tacket::testing::Pattern;
use tacket::{Fault, ReceiveStream, SendStream};

/// The seed of what clients send. Servers send that of the next one.
pub(crate) const CLIENTS: u64 = 1;
pub(crate) const SERVERS: u64 = CLIENTS + 1;

/// The default size of the peers.
pub(crate) const MIB: usize = 1 << 20;

const CHUNK: usize = 10_000;

/// The first `length` bytes of the pattern.
pub(crate) fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let mut data = vec![0; length];
    Pattern::new(seed).fill(&mut data);
    data
}

/// The checksum of that, as the peers report it.
pub(crate) fn sha256(seed: u64, length: usize) -> String {
    let checksum = Sha256::digest(pattern(seed, length));
    checksum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends the first `length` bytes of the pattern.
pub(crate) async fn send_pattern<S: SendStream>(tx: &mut S, seed: u64, length: usize) {
    for chunk in pattern(seed, length).chunks(CHUNK) {
        tx.send_all(chunk).await.expect("the pattern can be sent");
    }
}

/// Receives exactly the first `length` bytes of the pattern.
pub(crate) async fn receive_pattern<R: ReceiveStream>(rx: &mut R, seed: u64, length: usize) {
    let mut expected = Pattern::new(seed);
    let mut buf = vec![0; CHUNK];
    let mut left = length;
    while left > 0 {
        let room = left.min(CHUNK);
        let count = receive(rx, buf.split_at_mut(room).0).await;
        assert_ne!(count, 0, "an end with {left} bytes to come");
        let received = buf.split_at(count).0;
        assert_eq!(expected.verify(received), Ok(()), "a byte has changed");
        left -= count;
    }
}

/// Receives exactly these bytes.
pub(crate) async fn receive_exactly<R: ReceiveStream>(rx: &mut R, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    let mut missing = received.as_mut_slice();
    while !missing.is_empty() {
        let count = receive(rx, missing).await;
        assert_ne!(count, 0, "an end with {} bytes to come", missing.len());
        missing = missing.split_at_mut(count).1;
    }
    assert_eq!(
        received.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

/// Receives the end, twice: it is sticky.
pub(crate) async fn receive_end<R: ReceiveStream>(rx: &mut R) {
    for _ in 0..2 {
        assert_eq!(receive(rx, &mut [0; 16]).await, 0, "there is more");
    }
}

/// Receives what there is.
pub(crate) async fn receive<R: ReceiveStream>(rx: &mut R, buf: &mut [u8]) -> usize {
    rx.receive_some(buf).await.expect("the connection is fine")
}

/// Sees the connection broken by the peer, and not ended, now and for ever and in both directions.
pub(crate) async fn receive_a_break<S: SendStream + ReceiveStream>(stream: &mut S) {
    for _ in 0..2 {
        let received = stream.receive_some(&mut [0; 16]).await;
        assert_fault(received, Fault::Broken);
    }
    assert_fault(stream.send_all(b"anybody there?").await, Fault::Broken);
}

/// Checks that an operation failed for this reason.
#[track_caller]
pub(crate) fn assert_fault<T: Debug, E: tacket::Error>(result: Result<T, E>, fault: Fault) {
    match result {
        Ok(value) => panic!("{value:?} instead of {fault:?}"),
        Err(error) => assert_eq!(error.fault(), fault, "{error:?}"),
    }
}
