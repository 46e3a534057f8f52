//! Certificates: whose they are, and how long.

use super::{Ends, somebody, somebody_with};
use crate::dtls::error::Over;
use crate::dtls::{DtlsClientConfig, DtlsIdentity, DtlsProblem, DtlsServerConfig};

/// The certificate of `identity` with a key of another.
fn stolen(identity: &DtlsIdentity) -> DtlsIdentity {
    let (other, _) = somebody();
    DtlsIdentity(dimpl::DtlsCertificate {
        certificate: identity.0.certificate.clone(),
        private_key: other.0.private_key,
    })
}

/// Which end is done with its handshake: the client, and the server.
fn established(client: &DtlsClientConfig, server: &DtlsServerConfig) -> (bool, bool) {
    let mut ends = Ends::new(client, server);
    // However often they try again.
    for _ in 0..20 {
        ends.talk_undisturbed();
        let due = [ends.client.deadline(), ends.server.deadline()];
        let Some(due) = due.into_iter().flatten().min() else {
            break;
        };
        ends.now = ends.now.max(due);
        ends.client.tick(ends.now);
        ends.server.tick(ends.now);
    }
    let accepted = ends.accepted.and_then(|id| ends.server.get(id));
    let at_server = accepted.is_some_and(|own| own.is_established());
    let own = ends.client.get(ends.channel);
    (own.is_some_and(|own| own.is_established()), at_server)
}

/// Anybody can show a certificate: the handshake proves that its key is there, too.
#[test]
fn a_trusted_certificate_is_not_believed_of_whoever_has_another_key() {
    for is_13 in [false, true] {
        let (own, trust) = somebody();
        let (clients_own, clients) = somebody();
        let ends = |of_server: &DtlsIdentity, of_client: &DtlsIdentity| {
            let client = DtlsClientConfig::new(trust.clone()).expect("random bytes");
            let client = client.with_identity(of_client.clone());
            let server = DtlsServerConfig::new(of_server.clone()).with_clients(clients.clone());
            let client = client.expect("it has certificates");
            let server = server.expect("it has certificates");
            match is_13 {
                true => established(
                    &client.with_dtls13().expect("it has certificates"),
                    &server.with_dtls13().expect("it has certificates"),
                ),
                false => established(&client, &server),
            }
        };
        assert_eq!(ends(&own, &clients_own), (true, true), "1.3: {is_13}");
        let (at_client, _) = ends(&stolen(&own), &clients_own);
        assert!(!at_client, "1.3: {is_13}");
        let (_, at_server) = ends(&own, &stolen(&clients_own));
        assert!(!at_server, "1.3: {is_13}");
    }
}

/// Else it would panic, for the engine keeps so many records and no more.
#[test]
fn a_certificate_that_is_too_long_for_dtls_1_3_is_not_too_long_for_1_2() {
    let too_long = Over::Problem(DtlsProblem::CertificateTooLong);
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
                false => assert_eq!(begun, Err(too_long.clone()), "{length} {mtu}"),
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
