//! A whole endpoint of DTLS that serves, and datagrams from anywhere.

#![no_main]

mod gauge;

use tacket_tests::DtlsProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| DtlsProgram::parse(input).run(gauge::measure));
