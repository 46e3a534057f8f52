//! Whom an end believes, and whom not.

use tacket::testing::SeededExecutor;
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    DtlsClientConfig, DtlsError, DtlsIdentity, DtlsProblem, DtlsPsk, DtlsServerConfig, DtlsTrust,
    Fingerprint,
};

use super::{Channel, Error, SECOND, World, echo, endpoint, round, while_serving};

/// `None`: nothing, in half a minute.
type Outcome = Option<Result<(), Error>>;

/// What comes of a handshake, and a message there and back: at the client, and at the server.
fn shaken(
    client_config: &DtlsClientConfig,
    server_config: &DtlsServerConfig,
    name: &str,
) -> (Outcome, Outcome) {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    let at_server = std::cell::RefCell::new(None);
    let at_client = executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, _) = endpoint(&world.client).await;
        let channel = client.connect(address, client_config, name).expect("open");
        let handler = async |channel: Channel| {
            let done = channel.do_handshake().await;
            *at_server.borrow_mut() = Some(done.clone());
            done?;
            echo(channel).await
        };
        while_serving(&server, server_config, handler, async {
            let talking = async {
                channel.do_handshake().await?;
                round(&channel, b"message").await;
                Ok(())
            };
            tacket::timeout(&executor, 30 * SECOND, talking).await.ok()
        })
        .await
    });
    (at_client, at_server.take())
}

const BOTH: (Outcome, Outcome) = (Some(Ok(())), Some(Ok(())));

fn identity(authority: &Authority, names: &[&str]) -> DtlsIdentity {
    let (certificate, key) = authority.certify(names, |_| {});
    DtlsIdentity::new(&certificate, &key).expect("they belong together")
}

fn trusting(authority: &Authority) -> DtlsTrust {
    DtlsTrust::in_roots([authority.root()]).expect("a root")
}

fn client(trust: DtlsTrust) -> DtlsClientConfig {
    DtlsClientConfig::new(trust).expect("random bytes")
}

/// What the client says of a certificate that it does not trust.
fn refusal(
    client_config: &DtlsClientConfig,
    server_config: &DtlsServerConfig,
    name: &str,
) -> String {
    let (at_client, at_server) = shaken(client_config, server_config, name);
    assert_ne!(at_server, Some(Ok(())));
    match at_client {
        Some(Err(DtlsError::Problem(DtlsProblem::Untrusted(why)))) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_is_believed_if_its_certificate_is_of_a_root_and_for_its_name() {
    let authority = Authority::new();
    let server = DtlsServerConfig::new(identity(&authority, &[NAME]));
    for dtls13 in [false, true] {
        let mut good = client(trusting(&authority));
        let mut other = client(trusting(&Authority::new()));
        let mut server = server.clone();
        if dtls13 {
            (good, other, server) = (
                good.with_dtls13().expect("it has certificates"),
                other.with_dtls13().expect("it has certificates"),
                server.with_dtls13().expect("it has certificates"),
            );
        }
        assert_eq!(shaken(&good, &server, NAME), BOTH);
        let why = refusal(&good, &server, "other.example");
        assert!(
            why.contains("NotValidForName") || why.contains("not valid for"),
            "{why}"
        );
        let why = refusal(&other, &server, NAME);
        assert!(why.contains("UnknownIssuer"), "{why}");
    }
    let (certificate, key) = authority.certify(&[NAME], Authority::expire);
    let expired = DtlsIdentity::new(&certificate, &key).expect("they belong together");
    let server = DtlsServerConfig::new(expired);
    let why = refusal(&client(trusting(&authority)), &server, NAME);
    assert!(why.contains("Expired") || why.contains("expired"), "{why}");
}

#[test]
fn a_pinned_certificate_is_believed_whatever_it_says_and_no_other() {
    use sha2::Digest as _;
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&["whoever.example"], Authority::expire);
    let own = DtlsIdentity::new(&certificate, &key).expect("they belong together");
    let server = DtlsServerConfig::new(own);
    let pin = Fingerprint::new(sha2::Sha256::digest(&certificate).into());
    let pinning = |pin| client(DtlsTrust::in_certificates([pin]).expect("a pin"));
    assert_eq!(shaken(&pinning(pin), &server, NAME), BOTH);
    let other = Fingerprint::new([7; 32]);
    let why = refusal(&pinning(other), &server, NAME);
    assert!(why.contains("pinned"), "{why}");
}

#[test]
fn those_who_know_a_key_believe_each_other() {
    let known = DtlsPsk::new("sensor 17", [7; 32]).expect("a key");
    let keys = [
        DtlsPsk::new("sensor 16", [6; 32]).expect("a key"),
        known.clone(),
    ];
    let server = DtlsServerConfig::with_psks(keys).expect("keys");
    assert_eq!(
        shaken(&DtlsClientConfig::with_psk(known), &server, NAME),
        BOTH
    );
    let strangers = [
        DtlsPsk::new("sensor 17", [8; 32]).expect("a key"),
        DtlsPsk::new("sensor 18", [7; 32]).expect("a key"),
        DtlsPsk::new("sensor 16", [7; 32]).expect("a key"),
    ];
    for stranger in strangers {
        let client = DtlsClientConfig::with_psk(stranger);
        let (at_client, at_server) = shaken(&client, &server, NAME);
        assert_ne!(at_client, Some(Ok(())));
        assert_ne!(at_server, Some(Ok(())));
    }
    // One who has certificates, and one who has a key, have nothing in common.
    let authority = Authority::new();
    let certified = DtlsServerConfig::new(identity(&authority, &[NAME]));
    let client = DtlsClientConfig::with_psk(DtlsPsk::new("sensor 17", [7; 32]).expect("a key"));
    assert_ne!(shaken(&client, &certified, NAME).0, Some(Ok(())));
}

#[test]
fn a_server_that_demands_certificates_serves_nobody_without_one_that_it_trusts() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = DtlsServerConfig::new(identity(&authority, &[NAME]));
    for dtls13 in [false, true] {
        let mut server = server
            .with_clients(trusting(&clients))
            .expect("it has certificates");
        let mut client = client(trusting(&authority));
        if dtls13 {
            (client, server) = (
                client.with_dtls13().expect("it has certificates"),
                server.with_dtls13().expect("it has certificates"),
            );
        }
        let known = client
            .with_identity(identity(&clients, &["client.example"]))
            .expect("it has certificates");
        assert_eq!(shaken(&known, &server, NAME), BOTH);
        let strange = client
            .with_identity(identity(&authority, &["client.example"]))
            .expect("it has certificates");
        for stranger in [strange, client] {
            let (_, at_server) = shaken(&stranger, &server, NAME);
            let refused = matches!(at_server, Some(Err(DtlsError::Problem(_))));
            assert!(refused, "{at_server:?}");
        }
    }
}

#[test]
fn a_certificate_between_a_server_and_a_root_has_to_be_given() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let authority = |name: &str| {
        let mut params = CertificateParams::new([]).expect("no names");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, KeyPair::generate().expect("a key"))
    };
    let (params, key) = authority("root");
    let root = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    let (params, key) = authority("between");
    let between = CertifiedIssuer::signed_by(params, key, &root).expect("a certificate");
    let params = CertificateParams::new([NAME.to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &between).expect("a certificate");
    let key = tacket_tls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let own = DtlsIdentity::new(certificate.der(), &key).expect("they belong together");
    let server = DtlsServerConfig::new(own);
    let trust = DtlsTrust::in_roots([root.der().clone()]).expect("a root");
    let why = refusal(&client(trust.clone()), &server, NAME);
    assert!(why.contains("UnknownIssuer"), "{why}");
    let trust = trust
        .with_intermediates([between.der().clone()])
        .expect("it has roots");
    assert_eq!(shaken(&client(trust), &server, NAME), BOTH);
}
