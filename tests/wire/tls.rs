//! What the tests of TLS share.

use core::fmt::Debug;

use futures_util::future::join;
use serde_json::Value;
use tacket::{
    AsyncResource as _, Fault, HalfCloseable as _, ReceiveStream, SendStream as _, Split, Stream,
};
use tacket_tls::pki_types::CertificateDer;
use tacket_tls::pki_types::pem::PemObject as _;
use tacket_tls::{ClientConfig, Negotiated, TlsError, TlsStream, TlsVersion};

use crate::data::{assert_fault, receive_end, receive_exactly, receive_pattern, send_pattern};
use crate::folder::Folder;
use crate::peer::field;

/// Every scenario runs with each of them. The peer is the one that decides.
pub(crate) const VERSIONS: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

/// The option of the peer scripts that allows this version alone.
pub(crate) fn only(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "--tls=1.2",
        TlsVersion::Tls13 => "--tls=1.3",
        other => panic!("no peer speaks {other}"),
    }
}

/// A client that trusts the certificates of these files, as PEM.
pub(crate) fn trusting(folder: &Folder, names: &[&str]) -> ClientConfig {
    let roots = names.iter().map(|name| {
        CertificateDer::from_pem_slice(&folder.read(name)).expect("a certificate as PEM")
    });
    ClientConfig::with_roots(roots).expect("roots")
}

/// Sends `length` bytes of one pattern while receiving as many of another.
pub(crate) async fn exchange<S: Split>(stream: &mut S, sent: u64, received: u64, length: usize) {
    let (mut tx, mut rx) = stream.split();
    join(
        send_pattern(&mut tx, sent, length),
        receive_pattern(&mut rx, received, length),
    )
    .await;
}

/// Sends the end, sees the peer's answer to it, and closes.
pub(crate) async fn part<S: Stream>(mut stream: TlsStream<S>) {
    stream.send_eof().await.expect("the end can be sent");
    receive_end(&mut stream).await;
    close(stream).await;
}

/// Ends TLS on both sides. Returns what is below, and what came from there behind the end.
pub(crate) async fn unwrap<S: Split>(stream: TlsStream<S>) -> (S, Vec<u8>) {
    let unwrapped = stream.unwrap().await.expect("both sides end");
    (unwrapped.transport, unwrapped.trailing)
}

/// Receives exactly these bytes, of which `trailing` has come already.
pub(crate) async fn receive_from<R: ReceiveStream>(trailing: Vec<u8>, rx: &mut R, expected: &[u8]) {
    assert!(expected.starts_with(&trailing), "{trailing:?}");
    receive_exactly(rx, expected.split_at(trailing.len()).1).await;
}

pub(crate) async fn close<S: Stream>(stream: TlsStream<S>) {
    stream.close().await.expect("a graceful close");
}

/// Sees that the connection was cut, now and for ever. Nothing can be sent any more either.
pub(crate) async fn receive_a_truncation<S: Split>(stream: &mut TlsStream<S>) {
    for _ in 0..2 {
        assert_truncated(stream.receive_some(&mut [0; 16]).await);
    }
    assert_fault(stream.send_all(b"anybody there?").await, Fault::Broken);
}

#[track_caller]
pub(crate) fn assert_truncated<T: Debug, E: Debug>(result: Result<T, TlsError<E>>) {
    assert!(matches!(result, Err(TlsError::Truncated)), "{result:?}");
}

pub(crate) fn negotiated<S>(stream: &TlsStream<S>) -> Negotiated {
    stream.negotiated().expect("the handshake is done")
}

/// Checks that a peer's report names the same facts of the session as `ours`.
pub(crate) fn assert_agreed(report: &Value, ours: &Negotiated) {
    let version = ours.version().to_string().replace("TLS ", "TLSv");
    assert_eq!(field(report, "version"), &version, "{report}");
    let cipher = field(report, "cipher").as_str().expect("a cipher");
    let suite = ours.cipher_suite().to_string();
    assert_eq!(algorithms(cipher), algorithms(&suite), "{report}");
    let alpn = ours
        .alpn_protocol()
        .map(|name| str::from_utf8(name).expect("text"));
    assert_eq!(field(report, "alpn").as_str(), alpn, "{report}");
}

/// The name of a cipher suite, without what differs between IANA's, OpenSSL's and rustls' way to write it.
fn algorithms(suite: &str) -> String {
    let suite = suite
        .trim_start_matches("TLS13_")
        .trim_start_matches("TLS_");
    suite.replace("WITH", "").replace(['_', '-'], "")
}
