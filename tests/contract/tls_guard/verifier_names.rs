//! Which names a certificate is for.

use rcgen::{CertificateParams, DnType};
use tacket_tests::NAME;
use tacket_tls::pki_types::ServerName;
use tacket_tls::{Anchors, Fingerprint, GuardTrust, GuardVerifier, Validity, VerifyError};

use embedded_tls::{Aes128GcmSha256, TlsError, TlsVerifier};

use super::certificates::{NOW, Owner, assert_refused, server, verify};

fn verify_names(names: &[&str], name: &str) -> Result<(), VerifyError> {
    verify_params(server(names), name)
}

fn verify_params(params: CertificateParams, name: &str) -> Result<(), VerifyError> {
    let root = Owner::root("root");
    let owner = root.issue(params);
    let roots = [root.der.clone()];
    let anchors = Anchors::from_certificates(&roots).expect("an authority");
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
    verify(trust, name, NOW, &[&owner]).map(drop)
}

const WRONG: Result<(), VerifyError> = Err(VerifyError::NameMismatch);

#[test]
fn a_name_is_one_of_those_in_the_certificate() {
    let names = [
        "first.example",
        "server.example",
        "last.example",
        "10.0.0.1",
    ];
    for name in names {
        assert_eq!(verify_names(&names, name), Ok(()), "{name}");
    }
    let good = ["SERVER.example", "server.EXAMPLE", "server.example."];
    for name in good {
        assert_eq!(verify_names(&names, name), Ok(()), "{name}");
    }
    let bad = [
        "other.example",
        "example",
        "a.server.example",
        "server.example.org",
        "erver.example",
        "10.0.0.2",
        "::ffff:10.0.0.1",
    ];
    for name in bad {
        assert_eq!(verify_names(&names, name), WRONG, "{name}");
    }
}

#[test]
fn a_star_is_one_whole_label_and_the_first() {
    let cases = [
        ("*.server.example", "a.server.example", Ok(())),
        ("*.server.example", "A.SERVER.example", Ok(())),
        ("*.server.example", "server.example", WRONG),
        ("*.server.example", "a.b.server.example", WRONG),
        ("*.server.example", "a.other.example", WRONG),
        ("*.example", "server.example", WRONG),
        ("a*.server.example", "ab.server.example", WRONG),
        ("*a.server.example", "ba.server.example", WRONG),
        ("a.*.example", "a.server.example", WRONG),
        ("*.*.example", "a.server.example", WRONG),
        ("*", "example", WRONG),
    ];
    for (pattern, name, expected) in cases {
        assert_eq!(
            verify_names(&[pattern], name),
            expected,
            "{pattern}: {name}"
        );
    }
}

#[test]
fn an_address_is_an_address_in_the_certificate_and_no_name() {
    let cases = [
        ("10.0.0.1", "10.0.0.1", Ok(())),
        ("2001:db8::1", "2001:0db8::0001", Ok(())),
        ("2001:db8::1", "2001:db8::2", WRONG),
        ("10.0.0.1", "10.0.0.10", WRONG),
        ("server.example", "10.0.0.1", WRONG),
    ];
    for (in_certificate, name, expected) in cases {
        let outcome = verify_names(&[in_certificate], name);
        assert_eq!(outcome, expected, "{in_certificate}: {name}");
    }
}

#[test]
fn the_common_name_of_a_certificate_is_no_name_of_a_server() {
    let mut params = server(&[]);
    params.distinguished_name.push(DnType::CommonName, NAME);
    assert_eq!(verify_params(params, NAME), WRONG);
    let mut params = server(&["other.example"]);
    params.distinguished_name.push(DnType::CommonName, NAME);
    assert_eq!(verify_params(params, NAME), WRONG);
}

#[test]
fn a_server_is_asked_for_by_the_name_that_is_checked_and_by_no_address() {
    let keys = [Fingerprint::new([0; 32])];
    let cases = [
        ("server.example", Some("server.example")),
        ("server.example.", Some("server.example")),
        ("10.0.0.1", None),
        ("2001:db8::1", None),
    ];
    for (name, expected) in cases {
        let name = ServerName::try_from(name).expect("a name");
        let trust = GuardTrust::in_keys(&keys).expect("one");
        let verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
        assert_eq!(verifier.server_name(), expected);
    }
}

#[test]
fn to_ask_a_server_for_another_name_than_the_one_to_check_is_refused() {
    fn ask(verifier: &mut GuardVerifier<'_>, name: &str) -> Result<(), TlsError> {
        TlsVerifier::<Aes128GcmSha256>::set_hostname_verification(verifier, name)
    }
    let keys = [Fingerprint::new([0; 32])];
    let trust = GuardTrust::in_keys(&keys).expect("one");
    // Longer than the names that embedded-tls itself can check.
    let long = format!("{}.{}.example", "a".repeat(60), "b".repeat(60));
    for (name, same) in [
        ("server.example", "Server.Example"),
        ("server.example.", "server.example"),
        (&long, &long),
    ] {
        let name = ServerName::try_from(name).expect("a name");
        let mut verifier = GuardVerifier::new(trust, &name, Validity::Unchecked);
        ask(&mut verifier, same).expect("the same name");
        assert_eq!(verifier.refusal(), None);
        let asked = ask(&mut verifier, "other.example");
        assert_refused(&mut verifier, asked, VerifyError::OtherName);
    }
    let address = ServerName::try_from("10.0.0.1").expect("a name");
    let mut verifier = GuardVerifier::new(trust, &address, Validity::Unchecked);
    let asked = ask(&mut verifier, "10.0.0.1");
    assert_refused(&mut verifier, asked, VerifyError::OtherName);
}
