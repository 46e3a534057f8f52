//! Keys: how much one protects, and what goes with a pre-shared one.

use alloc::vec;
use alloc::vec::Vec;

use dimpl::crypto::Dtls12CipherSuite;

use super::{Ends, SECOND, SERVER, certified, of_version, somebody};
use crate::dtls::engine::Settings;
use crate::dtls::error::{Over, Refusal};
use crate::dtls::sizes::surest_mtu;
use crate::dtls::{DtlsClientConfig, DtlsProblem, DtlsPsk, DtlsServerConfig};
use crate::error::ConfigError;

fn psk() -> DtlsPsk {
    DtlsPsk::new("sensor 17", [7; 32]).expect("a key")
}

#[test]
fn keys_with_random_nonces_and_those_of_1_3_are_used_up_and_others_are_not() {
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
    table.push((client, server, true));
    let known = DtlsServerConfig::with_psks([psk()]).expect("a key");
    table.push((DtlsClientConfig::with_psk(psk()), known, true));
    for (number, (client, server, is_used_up)) in table.iter().enumerate() {
        let mut ends = Ends::new(client, server);
        ends.talk_undisturbed();
        assert!(ends.are_established(), "{number}");
        ends.client
            .get(ends.channel)
            .expect("it is there")
            .message_limit = 3;
        for _ in 0..3 {
            ends.say(b"message");
        }
        let over = Err(Refusal::Over(Over::Problem(DtlsProblem::KeysUsedUp)));
        let expected = if *is_used_up { over } else { Ok(()) };
        assert_eq!(ends.send(b"message"), expected, "{number}");
    }
}

#[test]
fn a_configuration_with_a_key_takes_no_certificates_and_a_key_has_bytes_and_an_identity_that_can_be_sent()
 {
    let (_, server) = certified();
    let (identity, trust) = somebody();
    assert!(server.with_clients(trust.clone()).is_ok());
    let server = DtlsServerConfig::with_psks([psk()]).expect("a key");
    assert_eq!(server.with_clients(trust).err(), Some(ConfigError::PskOnly));
    let client = DtlsClientConfig::with_psk(psk());
    let refused = client.with_identity(identity).err();
    assert_eq!(refused, Some(ConfigError::PskOnly));
    let invalid = Some(ConfigError::InvalidPsk);
    assert_eq!(DtlsPsk::new("sensor", b"").err(), invalid);
    assert_eq!(DtlsPsk::new(vec![7; 0x1_0000], [7; 32]).err(), invalid);
    assert!(DtlsPsk::new(vec![7; 0xffff], [7; 32]).is_ok());
    let nobody = DtlsServerConfig::with_psks([]).err();
    assert_eq!(nobody, Some(ConfigError::NoPsk));
}
