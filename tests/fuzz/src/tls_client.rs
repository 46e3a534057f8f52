//! The handshake of a TLS client, and a server that makes trouble in it.

#![no_main]

mod gauge;

use tacket_tests::TlsPeerProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TlsPeerProgram::against_client(input).run(gauge::measure);
});
