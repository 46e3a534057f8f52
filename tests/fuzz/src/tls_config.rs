//! What people make configurations of TLS of.

#![no_main]

use tacket_tests::TlsConfigProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| TlsConfigProgram::parse(input).run());
