//! What only builds with a provider of ours can do, or show that they cannot.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use std::process::Command;

use rustls::crypto::ring;
use rustls::version::TLS12;

use super::claims::{half_close_between, offers_hybrid};
use super::parties::{NAME, Parties, certify, key, memory, pass, run, shake_hands};
use crate::{
    ClientConfig, EngineError, Fingerprint, Identity, Provider, ServerConfig, TlsError, TlsStream,
    TlsVersion, Trust,
};

fn parties_of_tls12() -> Parties {
    Parties::by(ring::default_provider(), &TLS12)
}

pub(super) fn tls12() {
    parties_of_tls12().talk(async |mut client, mut server| {
        pass(&mut client, &mut server, b"question").await;
        pass(&mut server, &mut client, b"answer").await;
        let agreed = server.negotiated().expect("it is done");
        assert_eq!(agreed.version(), TlsVersion::Tls12);
    });
}

pub(super) fn half_close_of_tls12() {
    half_close_between(&parties_of_tls12());
}

pub(super) fn no_key_update_of_tls12() {
    parties_of_tls12().talk(async |mut client, mut server| {
        assert_eq!(client.update_keys().await, Err(TlsError::Unsupported));
        assert_eq!(server.update_keys().await, Err(TlsError::Unsupported));
    });
}

/// Makes both with one provider, and has them shake hands. Returns whether they could have done it with X25519MLKEM768.
fn meet(provider: Option<Provider>) -> bool {
    let made = certify(NAME);
    let pin = Fingerprint::of_certificate(made.cert.der()).expect("SHA-256");
    let trust = Trust::in_certificates([pin]).expect("a pin");
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    let mut client = ClientConfig::builder().with_trust(trust);
    let mut server = ServerConfig::builder().with_name(NAME, identity.expect("PEM"));
    if let Some(provider) = provider {
        client = client.with_provider(provider.clone());
        server = server.with_provider(provider);
    }
    let (client, server) = (client.build(), server.build());
    let client = client.expect("a client");
    talk(&client, &server.expect("a server")).expect("it is pinned");
    offers_hybrid((*client.inner).clone())
}

fn talk(client: &ClientConfig, server: &ServerConfig) -> Result<(), EngineError> {
    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, client, NAME).expect("a name");
    let mut server = TlsStream::server(right, server).expect("a configuration");
    run(async {
        let (connected, _) =
            futures_util::future::join(client.do_handshake(), server.do_handshake()).await;
        match connected {
            Err(TlsError::Engine(error)) => Err(error),
            connected => {
                connected.expect("memory does not fail");
                shake_hands(&mut client, &mut server).await;
                pass(&mut client, &mut server, b"hello").await;
                Ok(())
            }
        }
    })
}

pub(super) fn builders() {
    meet(None);
}

#[cfg(feature = "ring")]
pub(super) fn provider_ring() {
    assert!(!meet(Some(Provider::ring())), "that is not ring");
}

#[cfg(feature = "aws-lc-rs")]
pub(super) fn provider_aws_lc_rs() {
    assert!(meet(Some(Provider::aws_lc_rs())), "that is not AWS-LC");
}

/// Both can do nothing else.
#[cfg(feature = "aws-lc-rs")]
pub(super) fn hybrid_key_exchange() {
    use rustls::crypto::aws_lc_rs::{default_provider, kx_group};

    let provider = rustls::crypto::CryptoProvider {
        kx_groups: vec![kx_group::X25519MLKEM768],
        ..default_provider()
    };
    assert!(meet(Some(provider.into())), "there is nothing else");
}

/// Runs [`in_surroundings`] in a process where `variable` names this file, which is `before`. Returns what the file is then.
fn in_process_with(variable: &str, before: &str) -> String {
    let file = format!("tacket-tls-{variable}-{}", std::process::id());
    let file = std::env::temp_dir().join(file);
    std::fs::write(&file, before).expect("room for a file");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args([
        "--exact",
        "capabilities::desktop_claims::in_surroundings",
        "--ignored",
    ]);
    child.env_remove("SSL_CERT_DIR").env_remove("SSL_CERT_FILE");
    child.env_remove("SSLKEYLOGFILE").env(variable, &file);
    let output = child.output().expect("it starts");
    let after = std::fs::read_to_string(&file).expect("text");
    std::fs::remove_file(&file).expect("it is ours");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    after
}

#[test]
#[ignore = "a part of others, which give it its surroundings"]
fn in_surroundings() {
    let made = certify(NAME);
    let server = ServerConfig::with_certificate(vec![made.cert.der().clone()], key(&made));
    let server = server.expect("they belong together");
    if std::env::var_os("SSLKEYLOGFILE").is_some() {
        let client = ClientConfig::with_roots([made.cert.der().clone()]).expect("a root");
        talk(&client.with_key_log(), &server).expect("it is trusted");
    } else {
        #[cfg(feature = "platform-roots")]
        trust_the_system(&made.cert.pem(), &server);
    }
}

/// A server with this certificate is refused, until the system has it among its roots.
#[cfg(feature = "platform-roots")]
fn trust_the_system(certificate: &str, server: &ServerConfig) {
    let file = std::env::var("SSL_CERT_FILE").expect("one of both");
    let client = || {
        let builder = ClientConfig::builder().with_trust(Trust::in_platform());
        builder.build().expect("the system has roots")
    };
    let refused = talk(&client(), server);
    let by_certificate = matches!(
        refused,
        Err(EngineError::Rustls(rustls::Error::InvalidCertificate(_)))
    );
    assert!(by_certificate, "{refused:?}");
    std::fs::write(file, certificate).expect("it is ours");
    talk(&client(), server).expect("the system trusts it now");
}

pub(super) fn key_log() {
    let log = in_process_with("SSLKEYLOGFILE", "");
    assert!(log.contains("CLIENT_TRAFFIC_SECRET_0 "), "{log}");
}

/// Where the environment says what the system trusts.
#[cfg(all(feature = "platform-roots", unix, not(target_vendor = "apple")))]
pub(super) fn platform_roots() {
    in_process_with("SSL_CERT_FILE", &certify("another.example").cert.pem());
}

/// Where it does not, a stranger is not trusted.
#[cfg(all(
    feature = "platform-roots",
    not(all(unix, not(target_vendor = "apple")))
))]
pub(super) fn platform_roots() {
    let made = certify(NAME);
    let server = ServerConfig::with_certificate(vec![made.cert.der().clone()], key(&made));
    let client = ClientConfig::builder().with_trust(Trust::in_platform());
    let (client, server) = (client.build(), server.expect("they belong together"));
    talk(&client.expect("a client"), &server).expect_err("not trusted");
}
