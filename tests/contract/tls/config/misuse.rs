//! What cannot work is refused at once, and says why.

use std::path::Path;

use tacket::{Error as _, Fault};
use tacket_tests::{Authority, NAME};
use tacket_tls::{ClientConfig, ConfigError, Fingerprint, Identity, ServerConfig, Trust};

use super::{certified, in_authority};

/// Checks that it is refused for this reason, in these words among others.
#[track_caller]
fn assert_refused<T>(made: Result<T, ConfigError>, reason: &ConfigError, words: &str) {
    let error = made.err().expect("it cannot work");
    assert_eq!(error, *reason);
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.fault(), Fault::InvalidInput);
}

#[test]
fn a_client_that_was_not_told_whom_to_trust_is_not_made() {
    let none = ConfigError::NoRoots;
    assert_refused(ClientConfig::builder().build(), &none, "no trusted root");
    let identity = certified(&Authority::new(), &[NAME]);
    let builder = ClientConfig::builder().with_identity(identity);
    assert_refused(builder.build(), &none, "no trusted root");
    assert_refused(Trust::in_roots([]), &none, "no trusted root");
    assert_refused(Trust::in_pem(""), &none, "no trusted root");
    assert_refused(Trust::in_pem("no PEM"), &none, "no trusted root");
    assert_refused(Trust::in_certificates([]), &none, "no trusted root");
    assert_refused(Trust::in_keys([]), &none, "no trusted root");
    let key = Authority::new().server_pem();
    let (key, _) = key.split_at(key.find("-----BEGIN CERT").expect("a certificate"));
    assert_refused(Trust::in_pem(key), &none, "no trusted root");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.pem");
    let readable = folder.path().join("server.pem");
    std::fs::write(&readable, Authority::new().server_pem()).expect("it is ours");
    let check = |error: ConfigError, file: &Path| {
        assert!(matches!(error, ConfigError::File(_)), "{error:?}");
        assert!(
            error.to_string().contains(file.to_str().expect("text")),
            "{error}"
        );
    };
    check(Trust::in_pem_file(&missing).expect_err("missing"), &missing);
    check(
        Trust::in_pem_file(folder.path()).expect_err("a folder"),
        folder.path(),
    );
    for (certificates, key) in [(&missing, &readable), (&readable, &missing)] {
        let made = Identity::from_pem_files(certificates, key);
        check(made.expect_err("missing"), &missing);
    }
}

#[test]
fn damaged_pem_is_refused() {
    let pem = Authority::new().server_pem();
    let cut = &pem[..pem.len() - 30];
    for damaged in [cut.to_owned(), pem.replace("\nM", "\n!")] {
        for error in [
            Trust::in_pem(&damaged).expect_err("damaged"),
            Identity::from_pem(&damaged, &damaged).expect_err("damaged"),
        ] {
            assert!(matches!(error, ConfigError::Pem(_)), "{error:?}");
        }
    }
    // In order, but not what it says it is.
    let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = Trust::in_pem(wrong).expect_err("no certificate");
    assert!(matches!(error, ConfigError::Engine(_)), "{error:?}");
}

/// Where a text without a last newline is put before another, or something invisible is in front.
#[test]
fn no_certificate_of_a_text_is_passed_over_for_want_of_a_line_of_its_own() {
    let [one, other] = [(); 2].map(|()| Authority::new().root_pem());
    let pem = Authority::new().server_pem();
    for glued in [
        format!("{}{other}", one.trim_end()),
        format!("\u{feff}{one}{other}"),
        one.replace('\n', ""),
        pem.replace(
            "-----END CERT",
            "\n-----BEGIN CERTIFICATE-----\n-----END CERT",
        ),
    ] {
        for error in [
            Trust::in_pem(&glued).expect_err("glued"),
            Identity::from_pem(&glued, &pem).expect_err("glued"),
        ] {
            assert!(matches!(error, ConfigError::Pem(_)), "{glued}: {error:?}");
        }
    }
}

/// A key in one line, as it comes out of a variable that lost its newlines.
#[test]
fn an_error_shows_nothing_of_a_key() {
    let pem = Authority::new().server_pem();
    let (key, chain) = pem.split_at(pem.find("-----BEGIN CERT").expect("a certificate"));
    let in_one_line = key.replace('\n', "");
    for damaged in [
        &in_one_line,
        in_one_line.trim_end_matches('-'),
        &key.replace("\nM", "\n!M"),
    ] {
        let error = Identity::from_pem(chain, damaged).expect_err("damaged");
        assert!(matches!(error, ConfigError::Pem(_)), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(['[', '{']) && shown.len() < 120, "{shown}");
    }
}

#[test]
fn a_server_without_a_certificate_or_its_key_is_not_made() {
    let authority = Authority::new();
    let none = ConfigError::NoCertificate;
    assert_refused(ServerConfig::builder().build(), &none, "no certificate");
    let clients = ServerConfig::builder().with_clients(in_authority(&authority));
    assert_refused(clients.build(), &none, "no certificate");

    let pem = authority.server_pem();
    let (key, chain) = pem.split_at(pem.find("-----BEGIN CERT").expect("a certificate"));
    assert_refused(Identity::from_pem(key, key), &none, "no certificate");
    let no_key = ConfigError::NoKey;
    assert_refused(Identity::from_pem(chain, chain), &no_key, "private key");
    let locked = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    assert_refused(Identity::from_pem(chain, locked), &no_key, "password");

    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let (_, other_key) = authority.certify(&[NAME], |_| {});
    let mismatch = ConfigError::KeyMismatch;
    for (chain, key, reason, words) in [
        (vec![certificate], other_key, &mismatch, "does not belong"),
        (vec![], key, &none, "no certificate"),
    ] {
        let identity = Identity::new(chain, key);
        let server = ServerConfig::builder().with_identity(identity.clone());
        assert_refused(server.build(), reason, words);
        let server = ServerConfig::builder().with_name(NAME, identity.clone());
        assert_refused(server.build(), reason, words);
        let client = ClientConfig::builder().with_trust(in_authority(&authority));
        assert_refused(client.with_identity(identity).build(), reason, words);
    }
}

#[test]
fn a_name_that_its_certificate_is_not_for_is_refused() {
    let identity = certified(&Authority::new(), &["one.example"]);
    let with = |name: &str| {
        ServerConfig::builder()
            .with_name(name, identity.clone())
            .build()
    };
    with("ONE.example").expect("its name");
    let mismatch = ConfigError::NameMismatch("two.example".to_owned());
    assert_refused(with("Two.example"), &mismatch, "two.example");
    for none in ["", "127.0.0.1", "a b", "*.example"] {
        assert_refused(with(none), &ConfigError::InvalidName, "name");
    }
}

#[test]
fn the_systems_trust_is_not_in_clients() {
    let server = ServerConfig::builder()
        .with_identity(certified(&Authority::new(), &[NAME]))
        .with_clients(Trust::in_platform());
    let error = server.build().expect_err("not for clients");
    assert!(matches!(error, ConfigError::PlatformRoots(_)), "{error:?}");
    assert!(error.to_string().contains("not in clients"), "{error}");
}

#[test]
fn what_is_no_fingerprint_is_refused() {
    let parsed: Result<Fingerprint, _> = "beef".parse();
    assert_refused(
        parsed,
        &ConfigError::InvalidFingerprint,
        "64 hexadecimal digits",
    );
    Fingerprint::of_key(&vec![1, 2, 3].into()).expect_err("no certificate");
}

#[test]
fn a_key_is_not_shown() {
    let identity = certified(&Authority::new(), &[NAME]);
    let shown = format!("{identity:?}");
    assert!(shown.len() < 60, "{shown}");
}
