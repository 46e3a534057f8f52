//! The embassy backend: its wire driver, its sockets and their pool.

#![no_main]

use tacket_tests::Program;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Program::parse(input).run());
