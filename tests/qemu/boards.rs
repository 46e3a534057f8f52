//! The same source on every board: it boots, gets an address, echoes, and sleeps.

use core::time::Duration;
use std::thread;

use tacket_hil::{Board, Boot, Guest, Target};

use crate::images::example;
use crate::peers::exchange;

/// How long an idle firmware is watched, and the share of a processor that it may use meanwhile.
const WATCHED: Duration = Duration::from_secs(10);
const IDLE: f64 = 0.02;

/// Boots the echo server, has it echo, and returns it waiting for the next client.
fn echoing(target: Target, board: Board) -> Guest {
    let boot = Boot::new(&example(target, "echo_server"), board).forward(7);
    let mut guest = boot.start().unwrap();
    guest.wait_for("listening").unwrap();
    exchange(guest.address_of(7).unwrap(), 100_000);
    guest.wait_for("echoed 100000 bytes").unwrap();
    guest
}

/// Demands that it leaves the processor alone.
fn assert_sleeps(guest: &Guest) {
    thread::sleep(Duration::from_secs(1)); // for what the last connection leaves behind
    let before = guest.processor_time().unwrap();
    thread::sleep(WATCHED);
    let used = guest.processor_time().unwrap() - before;
    let share = used.as_secs_f64() / WATCHED.as_secs_f64();
    assert!(share < IDLE, "{used:?} of {WATCHED:?}");
}

/// Covers FRM-03.
#[test]
fn a_cortex_m3_echoes_and_sleeps() {
    assert_sleeps(&echoing(Target::THUMBV7M, Board::MPS2_AN385.in_real_time()));
}

/// Covers FRM-03.
#[test]
fn a_cortex_m4_echoes_and_sleeps() {
    assert_sleeps(&echoing(
        Target::THUMBV7EM,
        Board::MPS2_AN386.in_real_time(),
    ));
}

/// Covers FRM-03. The processor is a Cortex-M3, but the code is that of a Cortex-M0, which cannot swap atomically.
#[test]
fn code_for_a_cortex_m0_echoes_and_sleeps() {
    assert_sleeps(&echoing(Target::THUMBV6M, Board::MPS2_AN385.in_real_time()));
}

/// Covers FRM-03.
#[test]
fn a_risc_v_echoes_and_sleeps() {
    assert_sleeps(&echoing(
        Target::RISCV32IMAC,
        Board::RISCV32_VIRT.in_real_time(),
    ));
}
