//! Programs against both ends of a session, run again: those that the fuzzer made up, and some of chance. `tests/fuzz/run` makes more.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use tacket::testing::Pattern;
use tacket_tests::TlsProgram;

#[test]
fn every_program_of_the_corpus_runs_to_its_end() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/tls");
    let mut failed = Vec::new();
    let mut programs = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        if catch_unwind(|| TlsProgram::parse(&input).run()).is_err() {
            failed.push(path);
        }
        programs += 1;
    }
    assert!(programs > 100, "{programs}");
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Operations of both sides at once, each dropped after any poll, over a wire that is honest, or is cut, or worse.
#[test]
fn whatever_both_sides_do_and_drop_at_once_programs_of_chance_run_to_their_end() {
    let mut failed = Vec::new();
    for seed in 0..1500 {
        let mut input = vec![0; 20 + usize::try_from(seed % 150).unwrap()];
        Pattern::new(seed).fill(&mut input);
        if catch_unwind(|| TlsProgram::parse(&input).run()).is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds: {failed:?}");
}

/// A step of a program in which the client does one thing and the server another, each dropped after so many polls.
fn both(client: Deed, server: Deed, polls: [u8; 2]) -> Vec<u8> {
    const BOTH: u8 = 20;
    let mut step = vec![BOTH];
    for ((deed, length), polls) in [client, server].into_iter().zip(polls) {
        step.push(deed);
        step.extend(length);
        step.push(match polls {
            0 => 0,
            polls => 127 + polls,
        });
    }
    step
}

/// Something to do, and for how many bytes.
type Deed = (u8, Option<u8>);

const HANDSHAKE: Deed = (1, None);

const DEEDS: [Deed; 9] = [
    HANDSHAKE,
    (3, Some(90)),  // send
    (6, Some(60)),  // receive
    (10, None),     // send_eof
    (11, None),     // shutdown, which is all of unwrap
    (12, None),     // update_keys
    (13, None),     // wait_send_all_might_not_block
    (14, Some(90)), // send and receive
    (15, None),     // close
];

/// Each operation on one side with each on the other, before the handshake and after it: each dropped after few polls and after more, and then the
/// session is brought to its end; or the wire is cut there, in order or not.
#[test]
fn any_two_operations_that_are_dropped_at_once_leave_both_sides_able_to_go_on_or_to_fail() {
    const HONEST: u8 = 8;
    const EIGHT_BYTES: u8 = 3;
    const CUT: u8 = 18;
    let mut failed = Vec::new();
    for version in [0, 1] {
        for (client, server) in DEEDS
            .into_iter()
            .flat_map(|one| DEEDS.map(|other| (one, other)))
        {
            for polls in [
                [1, 1],
                [1, 5],
                [5, 1],
                [2, 3],
                [9, 9],
                [40, 30],
                [0, 3],
                [3, 0],
            ] {
                for is_acquainted in [false, true] {
                    for cut in [None, Some(0), Some(1)] {
                        if cut.is_some() && polls[0] % 2 == 0 {
                            continue;
                        }
                        let how = version + if cut.is_none() { HONEST } else { 0 };
                        let mut input = vec![how, EIGHT_BYTES];
                        if is_acquainted {
                            input.extend(both(HANDSHAKE, HANDSHAKE, [0, 0]));
                        }
                        input.extend(both(client, server, polls));
                        if let Some(is_in_order) = cut {
                            input.extend([CUT, is_in_order]);
                            input.extend(both(client, server, [0, 0]));
                        }
                        if catch_unwind(|| TlsProgram::parse(&input).run()).is_err() {
                            failed.push(input);
                        }
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
