//! A session of TLS, and a peer that makes trouble with its keys.

#![no_main]

mod gauge;

use tacket_tests::TlsPeerProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TlsPeerProgram::against_session(input).run(gauge::measure);
});
