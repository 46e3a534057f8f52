//! A client and a server of TLS, and the wire between them.

#![no_main]

use tacket_tests::TlsProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| TlsProgram::parse(input).run());
