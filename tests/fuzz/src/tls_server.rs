//! The handshake of a TLS server, and a client that makes trouble in it.

#![no_main]

mod gauge;

use tacket_tests::TlsPeerProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TlsPeerProgram::against_server(input).run(gauge::measure);
});
