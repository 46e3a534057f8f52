//! Clients that do not keep to the rules.

use tacket::Stream;
use tacket_tls::rustls::NamedGroup;

use super::intruder::{Intruder, begin, client};
use crate::scripted::{ALERT, CHANGE, DATA, HANDSHAKE, record};

use AttackOnServer::*;

/// What a client does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests play all")]
pub enum AttackOnServer {
    /// It speaks something else.
    NoTls,
    /// It begins with data.
    DataFirst,
    /// It gives up before it says who it is.
    AlertFirst,
    /// It knows an older version only.
    OldVersion,
    /// It knows no suite that anybody knows.
    NoSuite,
    /// The lengths in its hello do not fit.
    DamagedHello,
    /// Its share of X25519 is a point of low order.
    LowOrderShare,
    /// Its share of P-256 is not on the curve.
    ShareOffCurve,
    /// Its hello is to be longer than any is.
    LongHello,
    /// Its first record is to be longer than any is.
    LongRecord,
    /// It begins with records that say nothing.
    EmptyRecords,
    /// The transport ends behind so many bytes of its hello.
    CutHello(usize),
    /// The transport ends behind its hello.
    CutHandshake,
    /// What it sends under keys was not protected by them.
    NoFinished,
    /// Its last message of the handshake is not made of what was said.
    WrongFinished,
    /// It says in plain sight that it ends.
    PlainAlert,
    /// It sends data in plain sight.
    PlainData,
    /// Somebody has changed its record on the way.
    DamagedRecord,
    /// It sends a record twice.
    Replay,
    /// One of its records is lost.
    LostRecord,
    /// It sends a record that is longer than one may be.
    Oversize,
    /// It sends a message that is longer than any is.
    LongMessage,
    /// It says hello once more.
    SecondHello,
    /// It sends data that is none, again and again.
    EmptyFlood,
    /// It warns again and again.
    WarningFlood,
    /// It changes its keys again and again.
    KeyUpdateFlood,
    /// The transport ends, and the session has not.
    Truncation,
}

/// Each attack on a server, and what is in the reason for which the session fails: over rustls with the algorithms for boards, for without a
/// heap there is no server.
#[rustfmt::skip]
pub const ATTACKS_ON_SERVERS: &[(AttackOnServer, &str)] = &[
    (NoTls, "received corrupt message"),
    (DataFirst, "received unexpected message"),
    (AlertFirst, "received fatal alert: HandshakeFailure"),
    (OldVersion, "peer is incompatible"),
    (NoSuite, "peer is incompatible"),
    (DamagedHello, "received corrupt message"),
    (LowOrderShare, "InvalidKeyShare"),
    (ShareOffCurve, "InvalidKeyShare"),
    (LongHello, "received corrupt message"),
    (LongRecord, "received corrupt message"),
    (EmptyRecords, "received corrupt message"),
    (CutHello(0), "unexpected end"),
    (CutHello(1), "unexpected end"),
    (CutHello(5), "unexpected end"),
    (CutHello(100), "unexpected end"),
    (CutHandshake, "unexpected end"),
    (NoFinished, "cannot decrypt peer's message"),
    (WrongFinished, "cannot decrypt peer's message"),
    (PlainAlert, "cannot decrypt peer's message"),
    (PlainData, "cannot decrypt peer's message"),
    (DamagedRecord, "cannot decrypt peer's message"),
    (Replay, "cannot decrypt peer's message"),
    (LostRecord, "cannot decrypt peer's message"),
    (Oversize, "peer sent excess record size"),
    (LongMessage, "received corrupt message"),
    (SecondHello, "received unexpected handshake message"),
    (EmptyFlood, "TooManyEmptyFragments"),
    (WarningFlood, "TooManyWarningAlertsReceived"),
    (KeyUpdateFlood, "TooManyKeyUpdateRequests"),
    (Truncation, "unexpected end"),
];

/// Those who know whom the server's certificate leads to.
#[derive(Clone, Debug)]
pub struct HostileClients {
    root: Vec<u8>,
}

impl HostileClients {
    /// `root`: the certificate of the server's authority.
    #[must_use]
    pub fn new(root: &[u8]) -> Self {
        Self {
            root: root.to_vec(),
        }
    }

    /// How many bytes the hello of such a client has, which the transport can end behind.
    #[must_use]
    pub fn hello_length(&self) -> usize {
        self.hello(NamedGroup::X25519).len()
    }

    fn hello(&self, group: NamedGroup) -> Vec<u8> {
        begin(client(&self.root, group, false)).1
    }

    /// Plays `attack` to a server, and listens until that goes.
    pub async fn play<S: Stream>(&self, attack: AttackOnServer, mut stream: S) {
        let said = self.first(attack);
        if let Some(said) = said {
            // The server may not listen to the end.
            let _ = stream.send_all(&said).await;
            if matches!(attack, CutHello(_) | CutHandshake) {
                let _ = stream.send_eof().await;
            }
            return listen(stream).await;
        }
        let config = client(&self.root, NamedGroup::X25519, attack == WrongFinished);
        let mut intruder = Intruder::meet(stream, config).await;
        let said = self.next(&mut intruder, attack);
        let mut stream = intruder.wire;
        let _ = stream.send_all(&said).await;
        if attack == Truncation {
            let _ = stream.send_eof().await;
        }
        listen(stream).await;
    }

    /// What it says at first, if that is the attack.
    fn first(&self, attack: AttackOnServer) -> Option<Vec<u8>> {
        let hello = || self.hello(NamedGroup::X25519);
        Some(match attack {
            NoTls => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            DataFirst => record(DATA, &[1, 2, 3, 4]),
            AlertFirst => record(ALERT, &[2, 40]),
            OldVersion => replaced(hello(), &[0, 43, 0, 3, 2, 3, 4], 6, &[3]),
            // TLS_NULL_WITH_NULL_NULL.
            NoSuite => {
                let mut hello = hello();
                // Behind record, message, version, random bytes, and the name of a session.
                let at = 44 + usize::from(hello[43]);
                let count = usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
                hello[at + 2..][..count].fill(0);
                hello
            }
            DamagedHello => replaced(hello(), &[0, 51, 0, 38], 3, &[39]),
            LowOrderShare => replaced(hello(), &[0, 51, 0, 38, 0, 36, 0, 29, 0, 32], 10, &[0; 32]),
            ShareOffCurve => {
                let hello = self.hello(NamedGroup::secp256r1);
                replaced(hello, &[0, 51, 0, 71, 0, 69, 0, 23, 0, 65, 4], 11, &[1; 10])
            }
            LongHello => record(HANDSHAKE, &[1, 0xff, 0xff, 0xff]),
            LongRecord => vec![HANDSHAKE, 3, 3, 0x48, 1],
            EmptyRecords => record(HANDSHAKE, &[]),
            CutHello(length) => {
                let mut hello = hello();
                hello.truncate(length);
                hello
            }
            CutHandshake => hello(),
            NoFinished => [hello(), record(CHANGE, &[1]), record(DATA, &[7; 53])].concat(),
            _ => return None,
        })
    }

    /// What it says when hands are shaken, and what is behind that.
    fn next<S: Stream>(&self, intruder: &mut Intruder<S>, attack: AttackOnServer) -> Vec<u8> {
        match attack {
            PlainAlert => record(ALERT, &[1, 0]),
            PlainData => record(DATA, &[7; 40]),
            DamagedRecord => {
                let mut record = intruder.seal(DATA, b"data");
                record[7] ^= 1;
                record
            }
            Replay => intruder.seal(DATA, &[]).repeat(2),
            LostRecord => {
                let _lost = intruder.seal(DATA, b"data");
                intruder.seal(DATA, b"data")
            }
            Oversize => intruder.seal(DATA, &[7; (1 << 14) + 1]),
            LongMessage => intruder.seal(HANDSHAKE, &[24, 1, 0, 0]),
            SecondHello => intruder.seal(HANDSHAKE, &self.hello(NamedGroup::X25519)[5..]),
            EmptyFlood => again(40, || intruder.seal(DATA, &[])),
            // user_canceled
            WarningFlood => again(10, || intruder.seal(ALERT, &[1, 90])),
            KeyUpdateFlood => again(40, || {
                let update = intruder.seal(HANDSHAKE, &[24, 0, 0, 1, 0]);
                intruder.change_keys();
                update
            }),
            _ => Vec::new(),
        }
    }
}

fn again(times: usize, mut record: impl FnMut() -> Vec<u8>) -> Vec<u8> {
    (0..times).flat_map(|_| record()).collect()
}

/// With `bytes` in the place that is so far behind the beginning of `part`.
fn replaced(mut hello: Vec<u8>, part: &[u8], behind: usize, bytes: &[u8]) -> Vec<u8> {
    let at = hello.windows(part.len()).position(|it| it == part);
    let at = at.expect("a part of a hello") + behind;
    hello[at..at + bytes.len()].copy_from_slice(bytes);
    hello
}

async fn listen<S: Stream>(mut stream: S) {
    while let Ok(1..) = stream.receive_some(&mut [0; 1000]).await {}
    let _ = stream.close().await;
}
