//! Certificates and proofs, and the verifier of a client without a heap.

#![no_main]

mod gauge;

use tacket_tests::TlsVerifierProgram;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TlsVerifierProgram::parse(input).run(gauge::measure);
});
