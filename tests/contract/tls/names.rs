//! The name that a client asks a server for.

use tacket_tests::{Authority, NAME};
use tacket_tls::rustls;
use tacket_tls::rustls::crypto::ring::kx_group::{SECP256R1, X25519};
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::{ClientConfig, ServerConfig, TlsStream};

use super::{Parties, memory, run, shake_hands};

/// What the client, and the server, know to have been asked for.
fn asked(client: &ClientConfig, name: &str, server: &ServerConfig) -> [Option<String>; 2] {
    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, client, name).expect("a name");
    let mut server = TlsStream::server(right, server).expect("a configuration");
    run(shake_hands(&mut client, &mut server));
    [client.negotiated(), server.negotiated()].map(|negotiated| {
        let negotiated = negotiated.expect("it is done");
        negotiated.server_name().map(str::to_owned)
    })
}

fn both(name: &str) -> [Option<String>; 2] {
    [Some(name.to_owned()), Some(name.to_owned())]
}

#[test]
fn both_ends_know_the_name_that_was_asked_for_in_small_letters_and_without_a_dot_behind_it() {
    for version in [&TLS12, &TLS13] {
        let Parties { client, server } = Parties::speaking(version);
        for name in [NAME, "Server.EXAMPLE", "server.example."] {
            assert_eq!(asked(&client, name, &server), both(NAME), "{name}");
        }
    }
}

#[test]
fn who_connects_to_an_address_asks_for_no_name() {
    let authority = Authority::new();
    let (client, server) = (authority.client_config(), authority.server_config());
    assert_eq!(asked(&client, "127.0.0.1", &server), [None, None]);
}

#[test]
fn who_does_not_want_to_say_the_name_asks_for_none() {
    let authority = Authority::new();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root()).expect("a root");
    let provider = rustls::crypto::ring::default_provider();
    let mut client = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.enable_sni = false;
    let server = authority.server_config();
    assert_eq!(asked(&client.into(), NAME, &server), [None, None]);
}

/// Clients that resume a session ask as well.
#[test]
fn the_name_is_known_of_a_session_that_goes_on_from_an_earlier_one() {
    let Parties { client, server } = Parties::speaking(&TLS12);
    assert_eq!(asked(&client, NAME, &server), both(NAME));
    let memory = memory();
    let parties = Parties { client, server };
    let (_, server) = run(parties.acquainted(memory.open().expect("a new pair")));
    let negotiated = server.negotiated().expect("it is done");
    assert!(negotiated.is_resumed());
    assert_eq!(negotiated.server_name(), Some(NAME));
}

/// A client whose first guess at the key exchange was wrong asks twice.
#[test]
fn the_name_is_known_of_a_client_that_had_to_begin_anew() {
    let authority = Authority::new();
    let provider = |groups| rustls::crypto::CryptoProvider {
        kx_groups: groups,
        ..rustls::crypto::ring::default_provider()
    };
    let trust = tacket_tls::Trust::in_roots([authority.root()]).expect("a root");
    let client = ClientConfig::builder()
        .with_trust(trust)
        .with_provider(provider(vec![X25519, SECP256R1]).into());
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let server = ServerConfig::builder()
        .with_identity(tacket_tls::Identity::new(vec![certificate], key))
        .with_provider(provider(vec![SECP256R1]).into());
    let (client, server) = (client.build(), server.build());
    let (client, server) = (client.expect("a client"), server.expect("a server"));
    assert_eq!(asked(&client, NAME, &server), both(NAME));
}
