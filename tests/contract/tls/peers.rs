//! Programs of a hostile peer, of strangers with datagrams, and of what people give a configuration, run again: those that the fuzzer made up, and some of chance.
//! `tests/fuzz/run` makes more.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use tacket::testing::Pattern;
use tacket_tests::{
    DtlsProgram, TlsConfigProgram, TlsGuardProgram, TlsPeerProgram, TlsProviderProgram,
    TlsVerifierProgram, Used,
};

/// A target of the fuzzer, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

const CLIENT: Target = ("tls_client", |input| {
    TlsPeerProgram::against_client(input).run(measure);
});
const SERVER: Target = ("tls_server", |input| {
    TlsPeerProgram::against_server(input).run(measure);
});
const SESSION: Target = ("tls_session", |input| {
    TlsPeerProgram::against_session(input).run(measure);
});
const CONFIG: Target = ("tls_config", |input| TlsConfigProgram::parse(input).run());
const GUARD: Target = ("tls_guard", |input| {
    TlsGuardProgram::parse(input).run(measure);
});
const PROVIDER: Target = ("tls_provider", |input| {
    TlsProviderProgram::parse(input).run();
});
const VERIFIER: Target = ("tls_verifier", |input| {
    TlsVerifierProgram::parse(input).run(measure);
});
const DEMUX: Target = ("dtls_demux", |input| {
    DtlsProgram::parse(input).run(measure);
});

/// What a panic's message takes from the allocator is not counted: rustls has assertions that the engine catches.
fn leave_out_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |panic| {
            allocation_counter::opt_out(|| hook(panic));
        }));
    });
}

fn measure(part: &mut dyn FnMut()) -> Used {
    leave_out_panics();
    // A panic that passed the counter would leave it counting.
    let mut panicked = None;
    let measured = allocation_counter::measure(|| {
        panicked = catch_unwind(AssertUnwindSafe(part)).err();
    });
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
    Used {
        left: measured.bytes_current,
        most: i64::try_from(measured.bytes_max).expect("less than all memory"),
    }
}

/// Runs every input of the corpus.
fn replay((name, run): Target) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut failed = Vec::new();
    let mut programs = 0;
    for file in fs::read_dir(corpus.join(name)).expect("a corpus") {
        let path = file.expect("a file").path();
        let input = fs::read(&path).expect("an input");
        if catch_unwind(|| run(&input)).is_err() {
            failed.push(path);
        }
        programs += 1;
    }
    assert!(programs > 100, "{programs}");
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Runs inputs of chance, so many.
fn try_chance((_, run): Target, count: u64) {
    let mut failed = Vec::new();
    for seed in 0..count {
        let length = usize::try_from(4 + seed % 90).expect("it is short");
        let mut input = vec![0; length];
        Pattern::new(seed).fill(&mut input);
        if catch_unwind(|| run(&input)).is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds: {failed:?}");
}

#[test]
fn no_server_that_was_made_up_gets_more_of_a_client_than_a_documented_error() {
    replay(CLIENT);
    try_chance(CLIENT, 1000);
}

#[test]
fn no_client_that_was_made_up_gets_more_of_a_server_than_a_documented_error() {
    replay(SERVER);
    try_chance(SERVER, 1000);
}

#[test]
fn no_peer_with_the_keys_of_a_session_gets_more_of_it_than_a_documented_error() {
    replay(SESSION);
    try_chance(SESSION, 1000);
}

#[test]
fn whatever_is_made_a_configuration_of_trusts_nobody_by_accident() {
    replay(CONFIG);
    try_chance(CONFIG, 1000);
}

#[test]
fn no_server_that_was_made_up_gets_more_of_a_client_without_a_heap_than_a_documented_error() {
    replay(GUARD);
    try_chance(GUARD, 1000);
}

#[test]
fn no_certificate_that_was_made_up_is_trusted_where_others_would_not() {
    replay(VERIFIER);
    try_chance(VERIFIER, 1000);
}

#[test]
fn whatever_the_algorithms_for_boards_are_given_they_agree_with_other_ones() {
    replay(PROVIDER);
    try_chance(PROVIDER, 1000);
}

#[test]
fn whatever_datagrams_come_from_anywhere_a_dtls_endpoint_keeps_its_bounds_and_serves() {
    replay(DEMUX);
    try_chance(DEMUX, 1000);
}
