//! What servers and clients prove, and what they remember of each other.

use tacket_tests::{Authority, NAME};
use tacket_tls::rustls::{self, AlertDescription, Error as Rustls};
use tacket_tls::{
    ClientConfig, EngineError, Fingerprint, Identity, ServerConfig, TlsError, TlsVersion, Trust,
};

use super::super::refusals::{assert_alert, handshake, refused_certificate};
use super::{agree, assert_agree, certified, in_authority, trusting};

#[test]
fn a_server_comes_from_pem_in_memory_or_in_files_together_or_apart() {
    let authority = Authority::new();
    let pem = authority.server_pem();
    let folder = tempfile::tempdir().expect("a folder");
    let (together, key) = pem.split_at(pem.find("-----BEGIN CERT").expect("a certificate"));
    let [all, chain, apart] = ["all.pem", "chain.pem", "key.pem"].map(|name| {
        let text = match name {
            "all.pem" => &pem,
            "chain.pem" => key,
            _ => together,
        };
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it is ours");
        path
    });
    for identity in [
        Identity::from_pem(&pem, &pem),
        Identity::from_pem_files(&all, &all),
        Identity::from_pem_files(&chain, &apart),
    ] {
        let server = ServerConfig::builder().with_identity(identity.expect("both are there"));
        assert_agree(
            &authority.client_config(),
            &server.build().expect("a server"),
        );
    }
}

#[test]
fn a_server_of_several_names_proves_the_one_that_is_asked_for() {
    let authority = Authority::new();
    let client = authority.client_config();
    let one = certified(&authority, &["one.example"]);
    let two = certified(&authority, &["two.example"]);
    let builder = ServerConfig::builder()
        .with_name("one.example", one)
        .with_name("Two.Example", two);
    let server = builder.clone().build().expect("names");
    for name in ["one.example", "two.example", "TWO.example"] {
        agree(&client, name, &server);
    }
    for name in ["three.example", "127.0.0.1"] {
        let [connected, accepted] = handshake(&client, name, &server);
        assert_alert(&connected, AlertDescription::AccessDenied);
        accepted.expect_err("nobody has that name");
    }
    let rest = certified(&authority, &["127.0.0.1", "three.example"]);
    let server = builder.with_identity(rest).build().expect("names");
    for name in ["one.example", "two.example", "three.example", "127.0.0.1"] {
        agree(&client, name, &server);
    }
    let [connected, _] = handshake(&client, "four.example", &server);
    refused_certificate(&connected.expect_err("not its name"));
}

#[test]
fn a_server_that_demands_certificates_refuses_who_has_none_and_strangers() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let member = certified(&authority, &["member.example"]);
    let outsider = certified(&stranger, &["member.example"]);
    let (its_own, key) = authority.certify(&["member.example"], |_| {});
    let whole = Fingerprint::of_certificate(&its_own).expect("a certificate");
    let pinned = Identity::new(vec![its_own], key);
    for (trust, welcome, refused) in [
        (in_authority(&authority), member.clone(), &outsider),
        (
            Trust::in_certificates([whole]).expect("one"),
            pinned,
            &member,
        ),
    ] {
        let of = |identity: Option<&Identity>| {
            let mut builder = ClientConfig::builder().with_trust(in_authority(&authority));
            if let Some(identity) = identity {
                builder = builder.with_identity(identity.clone());
            }
            builder.build().expect("a client")
        };
        let server = ServerConfig::builder().with_identity(certified(&authority, &[NAME]));
        let strict = server.clone().with_clients(trust.clone());
        let strict = strict.build().expect("a server");
        let lax = server.with_optional_clients(trust).build();
        let lax = lax.expect("a server");

        for server in [&strict, &lax] {
            let [_, known] = agree(&of(Some(&welcome)), NAME, server);
            assert_eq!(known.peer_certificates().len(), 1);
            let [_, accepted] = handshake(&of(Some(refused)), NAME, server);
            refused_certificate(&accepted.expect_err("not trusted"));
        }
        let [_, known] = agree(&of(None), NAME, &lax);
        assert_eq!(known.peer_certificates(), []);
        let [_, accepted] = handshake(&of(None), NAME, &strict);
        let missing = EngineError::Rustls(Rustls::NoCertificatesPresented);
        assert_eq!(accepted, Err(TlsError::Engine(missing)));
    }
}

#[test]
fn a_second_connection_goes_on_from_the_first_unless_one_side_does_not_want_that() {
    let authority = Authority::new();
    let resumed = |client: &ClientConfig, server: &ServerConfig| {
        [(); 2].map(|()| {
            let [client, server] = agree(client, NAME, server);
            assert_eq!(client.is_resumed(), server.is_resumed());
            assert_eq!(client.version(), TlsVersion::Tls13);
            client.is_resumed()
        })
    };
    let (client, server) = (|| authority.client_config(), || authority.server_config());
    assert_eq!(resumed(&client(), &server()), [false, true]);
    let forgetful = client().without_resumption();
    assert_eq!(resumed(&forgetful, &server()), [false, false]);
    let forgetful = server().without_resumption();
    assert_eq!(resumed(&client(), &forgetful), [false, false]);

    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let provider = rustls::crypto::ring::default_provider();
    let mut stateless = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    stateless.ticketer = rustls::crypto::ring::Ticketer::new().expect("a ticketer");
    let stateless = ServerConfig::from(stateless);
    assert_eq!(resumed(&client(), &stateless), [false, true]);
    let forgetful = stateless.without_resumption();
    assert_eq!(resumed(&client(), &forgetful), [false, false]);
}

#[test]
fn what_was_remembered_of_one_server_is_no_proof_of_another() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let client = trusting(in_authority(&authority));
    assert_agree(&client, &authority.server_config());
    let [connected, _] = handshake(&client, NAME, &stranger.server_config());
    refused_certificate(&connected.expect_err("a stranger"));
}
