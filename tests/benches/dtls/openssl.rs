//! OpenSSL by its Python bindings: a program of its own, which plays the same game.

use core::fmt::Write as _;
use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ends::Ends;
use crate::game::Game;

/// The Python that has the bindings, if `tests/run --setup` has put one there.
pub(crate) fn python() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let usual = || here.join("../.venv/bin/python3");
    let python = env::var_os("TACKET_PYTHON").map_or_else(usual, PathBuf::from);
    python.exists().then_some(python)
}

/// Returns the processor time of a lap, in seconds.
pub(crate) fn over_udp(python: &Path, ends: &Ends, game: Game) -> f64 {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/dtls/openssl.py");
    let workload = match game.shakes_hands {
        true => "handshakes",
        false => "round-trips",
    };
    let (size, count) = (game.size.to_string(), game.count.to_string());
    let mut playing = Command::new(python)
        .arg(program)
        .args([workload, &size, &count])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let certificate = &ends.certificate;
    for der in [&certificate.certificate, &certificate.private_key] {
        let mut line = String::new();
        der.iter()
            .for_each(|byte| write!(line, "{byte:02x}").unwrap());
        writeln!(playing.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
    let played = playing.wait_with_output().unwrap();
    assert!(played.status.success(), "{:?}", played.status);
    let said = String::from_utf8(played.stdout).unwrap();
    said.trim().parse().unwrap()
}
