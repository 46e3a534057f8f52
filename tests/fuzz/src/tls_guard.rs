//! A client without a heap, and a server that makes trouble before and after there are keys.

#![no_main]

mod gauge;

use tacket_tests::TlsGuardProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TlsGuardProgram::parse(input).run(gauge::measure);
});
