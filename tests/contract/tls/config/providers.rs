//! Who computes: two providers in one program.

use futures_util::future::join;
use tacket::ReceiveStream as _;
use tacket_tests::{Authority, NAME};
use tacket_tls::{ClientConfig, Provider, ServerConfig, TlsStream};

use super::super::{memory, run};
use super::{agree, certified, in_authority};

fn client(authority: &Authority, provider: Option<Provider>) -> ClientConfig {
    let mut builder = ClientConfig::builder().with_trust(in_authority(authority));
    if let Some(provider) = provider {
        builder = builder.with_provider(provider);
    }
    builder.build().expect("a client")
}

fn server(authority: &Authority, provider: Provider) -> ServerConfig {
    let builder = ServerConfig::builder().with_identity(certified(authority, &[NAME]));
    builder.with_provider(provider).build().expect("a server")
}

#[test]
fn both_providers_understand_each_other() {
    let authority = Authority::new();
    for ours in [Provider::ring, Provider::aws_lc_rs] {
        for theirs in [Provider::ring, Provider::aws_lc_rs] {
            agree(
                &client(&authority, Some(ours())),
                NAME,
                &server(&authority, theirs()),
            );
        }
    }
}

/// The number of X25519MLKEM768, followed by how long a client's part of it is.
const HYBRID: [u8; 4] = [0x11, 0xec, 0x04, 0xc0];

/// Whether a client offers the hybrid key exchange at once.
fn offers_hybrid(provider: Option<Provider>) -> bool {
    let client = client(&Authority::new(), provider);
    let memory = memory();
    let (left, mut right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, &client, NAME).expect("a name");
    let mut hello = vec![0; 10_000];
    run(async {
        let listening = async {
            let count = right.receive_some(&mut hello).await.expect("a greeting");
            drop(right);
            count
        };
        let (_, count) = join(client.do_handshake(), listening).await;
        hello.truncate(count);
    });
    hello.windows(4).any(|window| window == HYBRID)
}

#[test]
fn aws_lc_offers_what_quantum_computers_do_not_break_and_only_who_asks_for_it_has_it() {
    assert!(offers_hybrid(Some(Provider::aws_lc_rs())));
    assert!(!offers_hybrid(Some(Provider::ring())));
    assert!(!offers_hybrid(None), "ring is the default");
}
