//! What an end knows of the other, and of the version, once the handshake is done.

use core::cell::RefCell;
use core::pin::pin;

use futures_util::future::select;
use tacket::AsyncResource as _;
use tacket::testing::SeededExecutor;
use tacket_tests::{Authority, NAME};
use tacket_tls::pki_types::CertificateDer;
use tacket_tls::{
    DtlsClientConfig, DtlsError, DtlsIdentity, DtlsNegotiated, DtlsPsk, DtlsServerConfig,
    DtlsTrust, DtlsVersion, Fingerprint, NeedHandshake,
};

use super::{Channel, Error, World, echo, endpoint, round, while_serving};

/// What each end says: a client, and its server.
fn both(
    client_config: &DtlsClientConfig,
    server_config: &DtlsServerConfig,
) -> (DtlsNegotiated, DtlsNegotiated) {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    let at_server = RefCell::new(None);
    let at_client = executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, _) = endpoint(&world.client).await;
        let channel = client.connect(address, client_config, NAME).expect("open");
        let is_early = |channel: &Channel| {
            assert_eq!(channel.negotiated().err(), Some(NeedHandshake));
            assert_eq!(channel.cleartext_mtu(), Err(NeedHandshake));
        };
        is_early(&channel);
        let handler = async |channel: Channel| {
            is_early(&channel);
            channel.do_handshake().await?;
            *at_server.borrow_mut() = channel.negotiated().ok();
            echo(channel).await
        };
        while_serving(&server, server_config, handler, async {
            round(&channel, b"message").await;
        })
        .await;
        // The end changes nothing of it.
        let before = channel.negotiated().expect("it is done");
        let mtu = channel.cleartext_mtu();
        client.close().await.expect("closes");
        assert_eq!(channel.send(b"x").await, Err(DtlsError::Closed));
        let after = channel.negotiated().expect("it was done");
        assert_eq!(after.version(), before.version());
        assert_eq!(after.peer_certificate(), before.peer_certificate());
        assert_eq!(after.psk_identity(), before.psk_identity());
        assert_eq!((mtu, channel.cleartext_mtu()), (Ok(1435), Ok(1435)));
        after
    });
    (at_client, at_server.take().expect("it was there"))
}

fn identity(authority: &Authority, name: &str) -> (DtlsIdentity, CertificateDer<'static>) {
    let (certificate, key) = authority.certify(&[name], |_| {});
    let identity = DtlsIdentity::new(&certificate, &key);
    (identity.expect("they belong together"), certificate)
}

fn trusting(authority: &Authority) -> DtlsTrust {
    DtlsTrust::in_roots([authority.root()]).expect("a root")
}

#[test]
fn each_end_knows_the_certificate_that_it_was_shown_and_a_client_that_has_none_is_anonymous() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (own, of_server) = identity(&authority, NAME);
    let server = DtlsServerConfig::new(own.clone());
    let pin = DtlsTrust::in_certificates([own.fingerprint()]).expect("a pin");
    let demanding = server.with_clients(trusting(&clients));
    let demanding = demanding.expect("it has certificates");
    for trust in [trusting(&authority), pin] {
        for version in [DtlsVersion::Dtls12, DtlsVersion::Dtls13] {
            let mut client = DtlsClientConfig::new(trust.clone()).expect("random bytes");
            let (mut server, mut demanding) = (server.clone(), demanding.clone());
            if version == DtlsVersion::Dtls13 {
                client = client.with_dtls13().expect("it has certificates");
                server = server.with_dtls13().expect("it has certificates");
                demanding = demanding.with_dtls13().expect("it has certificates");
            }
            let (one, other) = (
                identity(&clients, "one.example"),
                identity(&clients, "other.example"),
            );
            let anonymous = (&client, &server, None);
            let known = client.with_identity(one.0).expect("it has certificates");
            // It has a certificate, and is not asked for it.
            let unasked = (&known, &server, None);
            let known = (&known, &demanding, Some(&one.1));
            let other_config = client.with_identity(other.0);
            let other_config = other_config.expect("it has certificates");
            let others = (&other_config, &demanding, Some(&other.1));
            for (client, server, of_client) in [anonymous, unasked, known, others] {
                let (at_client, at_server) = both(client, server);
                assert_eq!(at_client.peer_certificate(), Some(&of_server));
                assert_eq!(at_server.peer_certificate(), of_client);
                for facts in [at_client, at_server] {
                    assert_eq!(facts.version(), version);
                    assert_eq!(facts.psk_identity(), None);
                }
            }
        }
    }
}

#[test]
fn each_end_knows_which_key_both_know() {
    let key = |name: &str, byte| DtlsPsk::new(name, [byte; 32]).expect("a key");
    let known = [key("sensor 16", 6), key("sensor 17", 7)];
    let server = DtlsServerConfig::with_psks(known.clone()).expect("keys");
    for (key, name) in known.into_iter().zip([b"sensor 16", b"sensor 17"]) {
        let (at_client, at_server) = both(&DtlsClientConfig::with_psk(key), &server);
        for facts in [at_client, at_server] {
            assert_eq!(facts.psk_identity(), Some(&name[..]));
            assert_eq!(facts.peer_certificate(), None);
            assert_eq!(facts.version(), DtlsVersion::Dtls12);
        }
    }
}

/// Two clients whose messages come one between the other's.
#[test]
fn clients_that_shake_hands_at_the_same_time_are_not_mixed_up() {
    for seed in 0..20 {
        let executor = SeededExecutor::new(seed);
        let world = World::new(&executor);
        let names = ["sensor 1", "sensor 2", "sensor 3"];
        let keys = names.map(|name| DtlsPsk::new(name, name.repeat(4)).expect("a key"));
        let server_config = DtlsServerConfig::with_psks(keys.clone()).expect("keys");
        executor.run(async {
            let (server, address) = endpoint(&world.server).await;
            let handler = async |channel: Channel| {
                channel.do_handshake().await?;
                let facts = channel.negotiated().expect("it is done");
                channel.send(facts.psk_identity().expect("a key")).await?;
                echo(channel).await
            };
            let ask = async |key: DtlsPsk, name: &str| {
                let (client, _) = endpoint(&world.client).await;
                let config = DtlsClientConfig::with_psk(key);
                let channel = client.connect(address, &config, NAME).expect("open");
                let mut told = [0; 100];
                let length = channel.receive(&mut told).await.expect("receives");
                assert_eq!(length.map(|length| &told[..length]), Some(name.as_bytes()));
            };
            let asking = keys.into_iter().zip(names);
            let asking = asking.map(|(key, name)| ask(key, name));
            let all = futures_util::future::join_all(asking);
            while_serving(&server, &server_config, handler, all).await;
        });
    }
}

#[test]
fn an_end_that_has_refused_the_other_knows_nothing_of_it() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, _) = endpoint(&world.client).await;
        let trust = DtlsTrust::in_certificates([Fingerprint::new([7; 32])]).expect("a pin");
        let config = DtlsClientConfig::new(trust).expect("random bytes");
        let channel = client.connect(address, &config, NAME).expect("open");
        let handler = async |channel: Channel| {
            let _ = channel.do_handshake().await;
            assert_eq!(channel.negotiated().err(), Some(NeedHandshake));
            Ok::<_, Error>(())
        };
        let server_config = world.server_config();
        let serving = pin!(server.serve(&server_config, 8, handler));
        let asking = pin!(async {
            let refused = channel.do_handshake().await;
            assert!(matches!(refused, Err(DtlsError::Problem(_))), "{refused:?}");
            assert_eq!(channel.negotiated().err(), Some(NeedHandshake));
            assert_eq!(channel.cleartext_mtu(), Err(NeedHandshake));
        });
        select(serving, asking).await;
    });
}

#[test]
fn what_cannot_be_is_refused_where_it_is_configured() {
    use tacket_tls::ConfigError::{PinsOnly, PskOnly};
    let authority = Authority::new();
    let key = DtlsPsk::new("sensor 17", [7; 32]).expect("a key");
    let client = DtlsClientConfig::with_psk(key.clone());
    let server = DtlsServerConfig::with_psks([key]).expect("a key");
    let own = identity(&authority, NAME).0;
    assert_eq!(client.with_dtls13().err(), Some(PskOnly));
    assert_eq!(server.with_dtls13().err(), Some(PskOnly));
    assert_eq!(client.with_identity(own).err(), Some(PskOnly));
    let refused = server.with_clients(trusting(&authority));
    assert_eq!(refused.err(), Some(PskOnly));
    let pin = DtlsTrust::in_certificates([Fingerprint::new([7; 32])]).expect("a pin");
    let refused = pin.with_intermediates([authority.root()]);
    assert_eq!(refused.err(), Some(PinsOnly));
}
