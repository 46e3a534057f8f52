//! Those who are not understood, or not believed.

use super::*;

#[test]
fn a_hello_of_dtls_1_3_that_is_not_understood_is_ignored() {
    let (client, server) = of_version(true);
    let mut ends = Ends::new(&client, &server);
    let mut hello = ends.client.out.pop().expect("a hello").data;
    ends.arrives(&hello);
    let seen = ends.server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, 0));
    // With suites that there are not.
    let suites = usize::from(hello[62]);
    hello[63..63 + suites].fill(0xee);
    let other = SocketAddr::from(([10, 0, 0, 3], 1));
    ends.server.arrived(ends.now, other, &hello);
    let seen = ends.server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, 1));
}

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
