//! Configurations: what they trust, what they prove, and that none trusts a stranger.

mod identities;
mod misuse;
mod providers;
#[cfg(all(unix, not(target_vendor = "apple")))]
mod surroundings;
mod trust;

use tacket::{ReceiveStream as _, SendStream as _};
use tacket_tests::{Authority, NAME};
use tacket_tls::{ClientConfig, Identity, Negotiated, ServerConfig, TlsStream, Trust};

use super::{memory, run, shake_hands};

/// Somebody whom `authority` has certified.
fn certified(authority: &Authority, names: &[&str]) -> Identity {
    let (certificate, key) = authority.certify(names, |_| {});
    Identity::new(vec![certificate], key)
}

fn trusting(trust: Trust) -> ClientConfig {
    let builder = ClientConfig::builder().with_trust(trust);
    builder.build().expect("a configuration")
}

fn in_authority(authority: &Authority) -> Trust {
    Trust::in_roots([authority.root()]).expect("a root")
}

/// What the two have agreed on, as the client and as the server knows it.
fn agree(client: &ClientConfig, name: &str, server: &ServerConfig) -> [Negotiated; 2] {
    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, client, name).expect("a name");
    let mut server = TlsStream::server(right, server).expect("a configuration");
    run(async {
        shake_hands(&mut client, &mut server).await;
        // A server's tickets come with its first data.
        server.send_all(&[1]).await.expect("sends");
        client.receive_some(&mut [0]).await.expect("receives");
    });
    [client.negotiated(), server.negotiated()].map(|negotiated| negotiated.expect("it is done"))
}

/// Checks that they come to an agreement.
fn assert_agree(client: &ClientConfig, server: &ServerConfig) {
    agree(client, NAME, server);
}
