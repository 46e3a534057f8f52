//! Firmware that tests itself: the contract over the board's own network, and the driver below it.

use alloc::collections::BTreeSet;
use core::time::Duration;

use tacket::testing::{Clause, Makers, MemoryPair, check_half_closeable_stream};
use tacket_tests::{NAME, Patience, examine, to_hex, trusting};
use tacket_tls::Fingerprint;

use crate::images::{boot_test, boot_tls_contract};

/// What the image prints before the name of a clause.
const LABEL: &str = "clause ";

/// For all clauses through TLS, of which each pair shakes hands.
const TLS_LIFETIME: Duration = Duration::from_secs(600);

/// Covers FRM-01.
#[test]
fn streams_on_the_target_keep_the_contract_clause_by_clause() {
    let guest = boot_test("contract")
        .argument("address=192.168.77.1")
        .start()
        .unwrap();
    let finished = guest.finish().unwrap_or_else(|error| panic!("{error}"));
    assert_kept(&finished.lines);
}

/// Demands that all clauses were reported as kept.
fn assert_kept(lines: &[String]) {
    let lines = lines.iter();
    let reported: BTreeSet<&str> = lines.filter_map(|line| line.strip_prefix(LABEL)).collect();
    let wanted: Vec<String> = clauses()
        .iter()
        .map(|clause| format!("{clause}: passed"))
        .collect();
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    assert_eq!(reported, wanted);
}

/// Checks TLS on the target, where a client has this engine, and returns what was said.
fn check_tls(engine: &str) -> Vec<String> {
    let authority = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let (certificate, key) = (authority.cert.der(), authority.signing_key.serialize_der());
    let pin = Fingerprint::of_certificate(certificate).unwrap();
    let guest = trusting(boot_tls_contract("contract_tls"), certificate, NAME)
        .argument("address=192.168.77.1")
        .argument(format!("engine={engine}"))
        .argument(format!("pin={}", pin.to_string().replace(':', "")))
        .argument(format!("key={}", to_hex(&key)))
        .lifetime(TLS_LIFETIME)
        .start()
        .unwrap();
    let finished = guest.finish().unwrap_or_else(|error| panic!("{error}"));
    assert_kept(&finished.lines);
    finished.lines
}

/// Covers FRM-16, SSL-13.
#[test]
fn tls_without_a_heap_keeps_the_contract_on_the_target_clause_by_clause() {
    check_tls("guarded");
}

/// Covers FRM-16, SSL-13, SSL-28.
#[test]
fn tls_of_rustls_keeps_the_contract_on_the_target_and_can_be_taken_off() {
    let lines = check_tls("rustls");
    // The guard has no ChaCha20: both ends are rustls, with the algorithms for boards.
    for line in [
        "the suites of both ends: [Ok(1303), Ok(1303)]",
        "TLS was taken off: Ok(9), Ok(()), Ok(12)",
    ] {
        assert!(lines.iter().any(|said| said == line), "{line}: {lines:?}");
    }
    // The end of one direction, before which everything arrives, and behind which the other goes on.
    let clauses = clauses();
    for id in ["STR-24", "STR-25", "STR-26", "STR-27", "TKT-11"] {
        let ends: Vec<_> = clauses.iter().filter(|clause| clause.id == id).collect();
        assert!(!ends.is_empty(), "{id}");
        for clause in ends {
            let kept = format!("{LABEL}{clause}: passed");
            assert!(lines.contains(&kept), "{kept}");
        }
    }
}

/// All that the same check looks at on the desktop.
fn clauses() -> Vec<Clause> {
    let pair = MemoryPair::new([0; 64], [0; 64]);
    let make = async || pair.open().unwrap();
    let recorder = examine(Patience::memory(), async |examiner| {
        check_half_closeable_stream(examiner, Makers::new(make, make)).await;
    });
    let clauses = recorder.clauses().iter();
    clauses.map(|(clause, _)| *clause).collect()
}

/// Covers FRM-02.
#[test]
fn the_driver_of_the_controller_gets_every_frame_back() {
    let guest = boot_test("loopback").start().unwrap();
    let finished = guest.finish().unwrap_or_else(|error| panic!("{error}"));
    for line in [
        "every length came back",
        "bursts came back in order",
        "each frame interrupted",
    ] {
        assert!(finished.lines.iter().any(|said| said == line), "{line}");
    }
}
