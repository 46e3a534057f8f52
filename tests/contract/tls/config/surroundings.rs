//! What a configuration takes from the surroundings of the process: its environment, and the roots of the system.

use std::process::Command;

use tacket::{ConnectOptions, Error as _, Fault, Listener as _};
use tacket_tests::{Authority, NAME};
use tacket_tls::rustls::{CertificateError, Error as Rustls};
use tacket_tls::{
    ClientConfig, ConfigError, EngineError, TlsError, Trust, open_tls_over_tcp_listeners,
    open_tls_over_tcp_stream,
};

use super::{agree, run};

/// Set in a process that is to do what the test is about.
const CHILD: &str = "TACKET_TLS_CHILD";

/// Runs the test `name` once more, in a process of its own where `variable` has this value, and expects it to succeed.
fn again(name: &str, variable: &str, value: &str) {
    let name = format!(
        "{}::{name}",
        module_path!().split_once("::").expect("a crate").1
    );
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, "1");
    child.env_remove("SSL_CERT_DIR").env_remove("SSL_CERT_FILE");
    child.env_remove("SSLKEYLOGFILE").env(variable, value);
    let output = child.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaints}");
    assert!(said.contains("1 passed"), "{said}");
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn keys_are_logged_when_that_is_asked_for_and_the_environment_says_where() {
    if is_child() {
        let authority = Authority::new();
        let (client, server) = (authority.client_config(), authority.server_config());
        let file = std::env::var("SSLKEYLOGFILE").expect("it is set");
        let logged = || std::fs::read_to_string(&file).unwrap_or_default();
        agree(&client, NAME, &server);
        assert_eq!(logged(), "", "nobody asked for it");
        agree(&client.with_key_log(), NAME, &server);
        let clients = logged();
        assert!(clients.contains("CLIENT_TRAFFIC_SECRET_0 "), "{clients}");
        agree(&authority.client_config(), NAME, &server.with_key_log());
        assert!(logged().len() > clients.len());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys");
    again(
        "keys_are_logged_when_that_is_asked_for_and_the_environment_says_where",
        "SSLKEYLOGFILE",
        file.to_str().expect("text"),
    );
}

/// A handshake over TCP on this machine, with the platform's trust.
fn meet(authority: &Authority) -> Result<(), TlsError<tacket_std::IoError>> {
    let client = ClientConfig::builder().with_trust(Trust::in_platform());
    let client = client.build().expect("the system has roots");
    let network = tacket_std::Net::new();
    run(async {
        let listeners = open_tls_over_tcp_listeners(&network, 0, &authority.server_config()).await;
        let mut listeners = listeners.expect("a port");
        let port = super::super::serving::port(&listeners);
        let options = ConnectOptions::new();
        let opening = open_tls_over_tcp_stream(&network, "localhost", port, options, &client);
        let connecting = async {
            let mut stream = opening.await.expect("it listens");
            stream.do_handshake().await
        };
        let accepting = async {
            let mut stream = listeners.accept().await.expect("room");
            let _ = stream.do_handshake().await;
            stream
        };
        let (connected, _stream) = futures_util::future::join(connecting, accepting).await;
        connected
    })
}

/// Covers SSH-04.
#[test]
fn a_client_by_the_systems_roots_trusts_those_and_no_private_authority() {
    if is_child() {
        let file = std::env::var("SSL_CERT_FILE").expect("it is set");
        let trusted = std::fs::read_to_string(&file).expect("a file");
        let authority = Authority::new();
        let refused = meet(&authority).expect_err("it is private");
        assert_eq!(refused.fault(), Fault::Broken);
        let unknown = Rustls::InvalidCertificate(CertificateError::UnknownIssuer);
        let TlsError::Engine(EngineError::Rustls(reason)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(reason, unknown);
        // The system's owner has it trust this one.
        std::fs::write(&file, trusted + &authority.root_pem()).expect("it is ours");
        meet(&authority).expect("it is trusted now");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, Authority::new().root_pem()).expect("it is ours");
    again(
        "a_client_by_the_systems_roots_trusts_those_and_no_private_authority",
        "SSL_CERT_FILE",
        file.to_str().expect("text"),
    );
}

#[test]
fn a_system_without_roots_makes_no_client() {
    if is_child() {
        let client = ClientConfig::builder().with_trust(Trust::in_platform());
        let error = client.build().expect_err("no roots");
        assert!(matches!(error, ConfigError::PlatformRoots(_)), "{error:?}");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("empty.pem");
    std::fs::write(&file, "").expect("it is ours");
    again(
        "a_system_without_roots_makes_no_client",
        "SSL_CERT_FILE",
        file.to_str().expect("text"),
    );
}
