//! Two ends without a socket: a test hands each what the other says, and more.

mod one_client;
mod strangers;
mod two_tables;
mod waits;

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use digest::Digest as _;
use dimpl::crypto::Dtls12CipherSuite;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sha2_0_10::Sha256;

use crate::dtls::association::{Over, Refusal};
use crate::dtls::engine::Settings;
use crate::dtls::record::{Fragments, Record, Records};
use crate::dtls::sizes::surest_mtu;
use crate::dtls::table::Table;
use crate::dtls::{
    DtlsClientConfig, DtlsIdentity, DtlsProblem, DtlsPsk, DtlsServerConfig, DtlsTrust,
};
use crate::error::ConfigError;
use crate::fingerprint::Fingerprint;

const SERVER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
const CLIENT: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 1);
const SECOND: Duration = Duration::from_secs(1);

struct Ends {
    now: Duration,
    client: Table,
    server: Table,
    /// The client's association, and the server's once there is one.
    channel: u64,
    accepted: Option<u64>,
    /// How many datagrams the server has sent.
    answers: usize,
}

/// What a server gets instead of a datagram of its client.
type Between<'b> = &'b mut dyn FnMut(&[u8]) -> Vec<Vec<u8>>;

impl Ends {
    /// A client that has begun its handshake, and a server.
    fn new(client_config: &DtlsClientConfig, server_config: &DtlsServerConfig) -> Self {
        let (ends, begun) = Self::begin(client_config, server_config, 1472);
        assert_eq!(begun, Ok(false));
        ends
    }

    /// The same, where the datagrams of the client have so many bytes at most, and what came of the beginning.
    fn begin(
        client_config: &DtlsClientConfig,
        server_config: &DtlsServerConfig,
        mtu: usize,
    ) -> (Self, Result<bool, Over>) {
        let (mut client, mut server) = (Table::new(&[1; 32]), Table::new(&[2; 32]));
        assert!(server.serve(server_config, 8));
        let name = ServerName::try_from("server.example").expect("a name");
        let channel = client.connect(SERVER, client_config.clone(), name);
        let channel = channel.expect("it is not over");
        let now = Duration::ZERO;
        let begun = client.with(channel, now, |own, around| {
            own.mtu = mtu;
            own.shake_hands(around)
        });
        let ends = Self {
            now,
            client,
            server,
            channel,
            accepted: None,
            answers: 0,
        };
        (ends, begun.expect("it is there"))
    }

    /// Something comes from the client's address.
    fn arrives(&mut self, datagram: &[u8]) {
        self.server.arrived(self.now, CLIENT, datagram);
        if let Some((id, _)) = self.server.next_client() {
            self.accepted = Some(id);
            let begun = self
                .server
                .with(id, self.now, |own, around| own.shake_hands(around));
            assert_eq!(begun, Some(Ok(false)));
        }
    }

    /// What the server says reaches its client. Returns how many datagrams it was.
    fn answer(&mut self) -> usize {
        let before = self.answers;
        while let Some(sent) = self.server.out.pop() {
            self.server.has_gone(sent.id, sent.number, true);
            self.answers += 1;
            self.client.arrived(self.now, SERVER, &sent.data);
        }
        self.answers - before
    }

    /// Lets both talk until they have nothing to say.
    fn talk(&mut self, between: Between<'_>) {
        loop {
            let mut is_quiet = true;
            while let Some(sent) = self.client.out.pop() {
                is_quiet = false;
                self.client.has_gone(sent.id, sent.number, true);
                for datagram in between(&sent.data) {
                    self.arrives(&datagram);
                }
            }
            if self.answer() == 0 && is_quiet {
                return;
            }
        }
    }

    fn talk_undisturbed(&mut self) {
        self.talk(&mut |datagram| vec![datagram.to_vec()]);
    }

    fn are_established(&mut self) -> bool {
        let accepted = self.accepted.and_then(|id| self.server.get(id));
        accepted.is_some_and(|own| own.is_established())
            && (self.client.get(self.channel)).is_some_and(|own| own.is_established())
    }

    fn send(&mut self, message: &[u8]) -> Result<(), Refusal> {
        let sent = self.client.with(self.channel, self.now, |own, around| {
            own.send(message, around)
        });
        let sent = sent.expect("it is there")?;
        assert!(sent.is_some(), "the handshake is done");
        self.talk_undisturbed();
        Ok(())
    }

    /// What the server has received.
    fn received(&mut self) -> Option<Vec<u8>> {
        let id = self.accepted.expect("it is there");
        let received = self.server.with(id, self.now, |own, _| own.inbox.take());
        received.expect("it is there").expect("not over")?
    }

    /// A message goes from the client to the server.
    fn say(&mut self, message: &[u8]) {
        assert_eq!(self.send(message), Ok(()));
        assert_eq!(self.received().as_deref(), Some(message));
    }
}

/// Somebody with a certificate, and trust in that.
fn somebody() -> (DtlsIdentity, DtlsTrust) {
    somebody_with(1)
}

/// The same with so many names of 33 bytes in the certificate.
fn somebody_with(names: usize) -> (DtlsIdentity, DtlsTrust) {
    let names = (0..names).map(|number| alloc::format!("{number:0>18}.server.example"));
    let made = rcgen::generate_simple_self_signed(names.collect::<Vec<_>>());
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let identity = DtlsIdentity::new(&certificate, &key).expect("they belong together");
    let pin = Fingerprint::new(Sha256::digest(&certificate).into());
    let trust = DtlsTrust::in_certificates([pin]).expect("a pin");
    (identity, trust)
}

/// Ends with certificates.
fn certified() -> (DtlsClientConfig, DtlsServerConfig) {
    let (identity, trust) = somebody();
    let client = DtlsClientConfig::new(trust).expect("random bytes");
    (client, DtlsServerConfig::new(identity))
}

fn of_version(is_13: bool) -> (DtlsClientConfig, DtlsServerConfig) {
    let (client, server) = certified();
    match is_13 {
        true => (
            client.with_dtls13().expect("it has certificates"),
            server.with_dtls13().expect("it has certificates"),
        ),
        false => (client, server),
    }
}

fn psk() -> DtlsPsk {
    DtlsPsk::new("sensor 17", [7; 32]).expect("a key")
}

/// A record in plain text.
fn plain(content_type: u8, content: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 9, 9];
    record.extend(u16::try_from(content.len()).expect("short").to_be_bytes());
    record.extend(content);
    record
}

/// The beginning of a message of 200 bytes.
fn message(kind: u8, number: u8, part: &[u8]) -> Vec<u8> {
    let length = u8::try_from(part.len()).expect("short");
    let header = [kind, 0, 0, 200, 0, number, 0, 0, 0, 0, 0, length];
    plain(22, &[&header[..], part].concat())
}

fn is_change(record: &Record<'_>) -> bool {
    use crate::dtls::record::ContentType::ChangeCipherSpec;
    matches!(record, Record::Full { content_type, .. } if *content_type == ChangeCipherSpec)
}

/// The kind of the first message of a datagram in plain text.
fn kind_of(datagram: &[u8]) -> Option<u8> {
    match Records::of(datagram).next() {
        Some(Ok(Record::Full {
            epoch: 0, content, ..
        })) => Some(Fragments::of(content).next()?.ok()?.kind),
        _ => None,
    }
}

#[test]
fn a_key_whose_nonces_are_drawn_by_lot_is_used_up_and_one_that_counts_is_not() {
    let suites = [
        (Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256, true),
        (Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384, true),
        (
            Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
            false,
        ),
    ];
    let mut table = Vec::new();
    for (suite, is_used_up) in suites {
        let (client, server) = certified();
        let settings = Settings {
            mtu: surest_mtu(SERVER),
            retransmit: SECOND,
        };
        client.0.limit(settings, suite);
        table.push((client, server, is_used_up));
    }
    let (client, server) = of_version(true);
    table.push((client, server, false));
    let known = DtlsServerConfig::with_psks([psk()]);
    table.push((DtlsClientConfig::with_psk(psk()), known, true));
    for (number, (client, server, is_used_up)) in table.iter().enumerate() {
        let mut ends = Ends::new(client, server);
        ends.talk_undisturbed();
        assert!(ends.are_established(), "{number}");
        ends.client.get(ends.channel).expect("it is there").lots = 3;
        for _ in 0..3 {
            ends.say(b"message");
        }
        let over = Err(Refusal::Over(Over::Problem(DtlsProblem::UsedUp)));
        let expected = if *is_used_up { over } else { Ok(()) };
        assert_eq!(ends.send(b"message"), expected, "{number}");
    }
}

/// Messages that a client never sends, or whose numbers are too high.
#[test]
fn messages_in_plain_text_that_are_of_no_client_do_not_fill_a_server() {
    for is_13 in [false, true] {
        let (client, server) = of_version(is_13);
        let mut ends = Ends::new(&client, &server);
        let mut is_first = true;
        ends.talk(&mut |datagram| {
            let mut all = Vec::new();
            // Once the server has taken the hello for good.
            if kind_of(datagram) != Some(1) {
                for number in 0..100 {
                    all.push(message(20, number, &[7; 20]));
                    all.push(message(16, 100 + number, &[7; 20]));
                }
                assert!(core::mem::take(&mut is_first), "once");
            }
            all.push(datagram.to_vec());
            all
        });
        assert!(ends.are_established());
        ends.say(b"message");
        assert_eq!(ends.server.statistics().failed, 0);
        assert!(ends.server.statistics().ignored >= 200);
    }
}

/// In the middle of the handshake, when the client's first answer has not come.
#[test]
fn a_server_is_not_asked_again_by_a_hello_that_is_not_its_clients_and_by_that_one_seldom() {
    for is_13 in [false, true] {
        let (client, server) = of_version(is_13);
        let mut ends = Ends::new(&client, &server);
        let mut hello = Vec::new();
        let mut held = Vec::new();
        ends.talk(&mut |datagram| match kind_of(datagram) {
            Some(1) => {
                hello = datagram.to_vec();
                vec![hello.clone()]
            }
            _ => {
                held.push(datagram.to_vec());
                Vec::new()
            }
        });
        // What has nothing of the hello but its kind, alone and before something else.
        for number in 0..100 {
            let forged = message(1, number % 2, &[7; 13]);
            ends.arrives(&forged);
            ends.arrives(&[forged, plain(22, b"x")].concat());
            let mut other = hello.clone();
            other[30] ^= 1;
            ends.arrives(&[other, plain(22, b"x")].concat());
        }
        assert_eq!(ends.answer(), 0);
        // The flight of DTLS 1.2 is sent again by its own timer's leave only.
        ends.now += 2 * SECOND;
        for _ in 0..100 {
            ends.arrives(&hello);
        }
        let answers = ends.answer();
        assert!((1..=10).contains(&answers), "{answers}");
        for datagram in held {
            ends.arrives(&datagram);
        }
        ends.answer();
        ends.talk_undisturbed();
        assert!(ends.are_established());
        ends.say(b"message");
    }
}

/// Between the change of keys and the message that confirms it.
#[test]
fn a_record_that_nobody_can_read_does_not_end_a_servers_handshake() {
    let (client, server) = certified();
    let mut ends = Ends::new(&client, &server);
    let mut forged = 0;
    ends.talk(&mut |datagram| {
        let mut records = Records::of(datagram);
        let mut end = None;
        while let Some(Ok(record)) = records.next() {
            if is_change(&record) {
                end = Some(datagram.len() - records.left());
            }
        }
        let Some(end) = end else {
            return vec![datagram.to_vec()];
        };
        let (before, after) = datagram.split_at(end);
        let mut all = vec![before.to_vec()];
        for _ in 0..20 {
            let mut record = plain(22, &[7; 40]);
            record[4] = 1;
            all.push(record);
            forged += 1;
        }
        all.push(after.to_vec());
        all
    });
    assert_eq!(forged, 20);
    assert!(ends.are_established());
    ends.say(b"message");
}

/// It has seen that its client has its answer, so it repeats nothing.
#[test]
fn a_server_that_has_nothing_to_repeat_waits_and_does_not_lose_its_patience() {
    let (client, server) = of_version(true);
    let (identity, trust) = somebody();
    let client = client.with_identity(identity).expect("it has certificates");
    let server = server.with_clients(trust).expect("it has certificates");
    let mut ends = Ends::new(&client, &server);
    let mut is_first = true;
    ends.talk(&mut |datagram| match kind_of(datagram) {
        // Of the client's answer, its certificate and no more.
        None if !core::mem::take(&mut is_first) => Vec::new(),
        _ => vec![datagram.to_vec()],
    });
    assert!(!is_first && !ends.are_established());
    for minute in 1..10 {
        ends.now = minute * 60 * SECOND;
        ends.server.tick(ends.now);
        assert!(ends.server.out.pop().is_none());
        let due = ends.server.deadline();
        assert!(due.is_none_or(|due| due > ends.now), "{due:?}");
    }
    assert_eq!(ends.server.statistics().failed, 0);
}

/// The client has its server's first messages, and the rest of their datagram once more only behind them.
#[test]
fn what_was_damaged_behind_a_message_that_is_known_is_taken_when_it_comes_again() {
    let (client, server) = of_version(true);
    let mut ends = Ends::new(&client, &server);
    let mut has_damaged = false;
    for second in 0..5 {
        ends.now = second * SECOND;
        ends.client.tick(ends.now);
        ends.server.tick(ends.now);
        let mut is_quiet = false;
        while !core::mem::replace(&mut is_quiet, true) {
            while let Some(sent) = ends.client.out.pop() {
                ends.client.has_gone(sent.id, sent.number, true);
                ends.arrives(&sent.data);
                is_quiet = false;
            }
            while let Some(mut sent) = ends.server.out.pop() {
                ends.server.has_gone(sent.id, sent.number, true);
                if !has_damaged && Records::of(&sent.data).count() > 2 {
                    has_damaged = true;
                    *sent.data.last_mut().expect("not empty") ^= 1;
                }
                ends.client.arrived(ends.now, SERVER, &sent.data);
                is_quiet = false;
            }
        }
    }
    assert!(has_damaged && ends.are_established());
    ends.say(b"message");
}

/// The server asks for the hello once more, in the datagram in which it answers it.
#[test]
fn a_client_of_dtls_1_3_that_proves_its_address_late_is_known() {
    let (client, server) = of_version(true);
    let mut ends = Ends::new(&client, &server);
    let mut held = Vec::new();
    let mut hellos = 0;
    ends.talk(&mut |datagram| {
        hellos += 1;
        match hellos {
            1 => vec![datagram.to_vec()],
            _ => {
                held.push(datagram.to_vec());
                Vec::new()
            }
        }
    });
    assert_eq!((held.len(), ends.server.statistics().half_open), (1, 1));
    ends.now += 3 * SECOND;
    ends.arrives(&held[0]);
    assert_eq!(ends.server.statistics().half_open, 0);
    ends.answer();
    ends.talk_undisturbed();
    assert!(ends.are_established());
    ends.say(b"message");
}

#[test]
fn plain_text_ends_no_association_whose_handshake_is_done() {
    for is_13 in [false, true] {
        let (client, server) = of_version(is_13);
        let mut ends = Ends::new(&client, &server);
        ends.talk_undisturbed();
        assert!(ends.are_established());
        for kind in 0..=30 {
            for number in [0, 1, 7, 100] {
                let forged = message(kind, number, &[7; 40]);
                ends.arrives(&forged);
                ends.client.arrived(ends.now, SERVER, &forged);
            }
        }
        ends.talk_undisturbed();
        assert!(ends.are_established());
        ends.say(b"message");
    }
}

/// Who sends only parts of hellos gets few places, and little into them.
#[test]
fn parts_of_hellos_take_no_place_unless_they_are_first_and_then_little() {
    let (_, config) = certified();
    let mut server = Table::new(&[2; 32]);
    assert!(server.serve(&config, 8));
    let now = Duration::ZERO;
    let part = |offset: u16, part: &[u8]| {
        let [o1, o2] = offset.to_be_bytes();
        let length = u8::try_from(part.len()).expect("short");
        let header = [1, 0, 0xff, 0xff, 0, 0, 0, o1, o2, 0, 0, length];
        plain(22, &[&header[..], part].concat())
    };
    for number in 1..100 {
        server.arrived(now, CLIENT, &part(number * 250, &[7; 250]));
        assert_eq!(server.statistics().half_open, 0);
    }
    assert_eq!(server.statistics().ignored, 99);
    // More than an engine queues, of which it is shown less.
    for number in 0..200 {
        server.arrived(now, CLIENT, &part(number * 250, &[7; 250]));
        assert_eq!(server.statistics().half_open, 1);
    }
    // Each is 275 bytes.
    let ignored = 99 + 200 - (8 << 10) / 275;
    assert_eq!(server.statistics().ignored, ignored);
    // One that is too long, alone.
    let body = [7; 9000];
    let header = [1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0x23, 0x28];
    let other = SocketAddr::from(([10, 0, 0, 3], 1));
    server.arrived(now, other, &plain(22, &[&header[..], &body].concat()));
    let seen = server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, ignored + 1));
    assert!(server.out.pop().is_none());
}

#[test]
fn a_client_that_begins_anew_before_it_is_known_is_the_last_to_be_forgotten() {
    let (_, config) = certified();
    let mut server = Table::new(&[2; 32]);
    assert!(server.serve(&config, 8));
    let begin = |server: &mut Table, at: u32, peer: SocketAddr, random: u8| {
        let body = [&[0xfe, 0xfd][..], &[random; 32]].concat();
        server.arrived(at * SECOND, peer, &message(1, 0, &body));
    };
    begin(&mut server, 0, CLIENT, 1);
    begin(&mut server, 1, SERVER, 2);
    begin(&mut server, 2, CLIENT, 3);
    assert_eq!(server.deadline(), Some(11 * SECOND));
    server.tick(11 * SECOND);
    assert_eq!(server.statistics().half_open, 1);
    assert_eq!(server.deadline(), Some(12 * SECOND));
}

/// Else it would panic, for the engine keeps so many records and no more.
#[test]
fn a_certificate_that_is_too_long_for_dtls_1_3_is_not_too_long_for_1_2() {
    for names in (1..120).step_by(5) {
        let (identity, trust) = somebody_with(names);
        let length = identity.0.certificate.len();
        let server = DtlsServerConfig::new(identity.clone())
            .with_dtls13()
            .expect("it has certificates");
        let server = server.with_clients(trust.clone()).expect("certificates");
        let client = DtlsClientConfig::new(trust).expect("random bytes");
        let client = client.with_identity(identity).expect("certificates");
        for mtu in [256, 400, 548] {
            let (mut ends, begun) = Ends::begin(&client, &server, mtu);
            assert_eq!(begun, Ok(false));
            ends.talk_undisturbed();
            assert!(ends.are_established(), "{length} {mtu}");
            let (mut ends, begun) = Ends::begin(
                &client.with_dtls13().expect("it has certificates"),
                &server,
                mtu,
            );
            ends.talk_undisturbed();
            match length <= (mtu - 68) * 7 - 512 {
                true => assert!(ends.are_established(), "{length} {mtu}"),
                // Its own, without another attempt.
                false => assert!(matches!(begun, Err(Over::Problem(_))), "{length} {mtu}"),
            }
        }
    }
}

/// A client without a certificate, and a server that cannot show it its own by DTLS 1.3.
#[test]
fn a_server_whose_certificate_is_too_long_for_dtls_1_3_does_not_answer_it() {
    let (identity, trust) = somebody_with(120);
    let server = DtlsServerConfig::new(identity)
        .with_dtls13()
        .expect("it has certificates");
    let client = DtlsClientConfig::new(trust).expect("random bytes");
    let mut ends = Ends::new(&client.with_dtls13().expect("it has certificates"), &server);
    ends.talk_undisturbed();
    assert!(!ends.are_established());
    assert_eq!(ends.answers, 0);
    let mut ends = Ends::new(&client, &server);
    ends.talk_undisturbed();
    assert!(ends.are_established());
}

#[test]
fn a_configuration_with_a_key_takes_no_certificates_and_no_key_is_empty() {
    let (_, server) = certified();
    let (identity, trust) = somebody();
    assert!(server.with_clients(trust.clone()).is_ok());
    let server = DtlsServerConfig::with_psks([psk()]);
    assert_eq!(server.with_clients(trust).err(), Some(ConfigError::KeyOnly));
    let client = DtlsClientConfig::with_psk(psk());
    let refused = client.with_identity(identity).err();
    assert_eq!(refused, Some(ConfigError::KeyOnly));
    assert_eq!(
        DtlsPsk::new("sensor", b"").err(),
        Some(ConfigError::EmptyKey)
    );
}
