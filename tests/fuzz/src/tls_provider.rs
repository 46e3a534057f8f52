//! The algorithms for boards, beside other implementations of them.

#![no_main]

use tacket_tests::TlsProviderProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| TlsProviderProgram::parse(input).run());
