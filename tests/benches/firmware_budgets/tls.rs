//! What TLS without a heap costs: behind the guard, beside `embedded-tls` with its own check of certificates; and a whole client.

use core::fmt::Write as _;

use tacket_tests::{TlsBudget, tls_budget, tls_costs};

const KIB: u64 = 1024;

/// Whole clients, and how much memory they are to take.
const CLIENTS: [(&str, &str, u64); 2] = [
    ("telemetry_tls_client", "16 KiB", 112 * KIB),
    ("telemetry_tls_client_2k", "2 KiB", 64 * KIB),
];

/// The table of the guard.
pub(crate) fn guard() -> String {
    let [ours, direct] = ["tls_guarded", "tls_direct"].map(|name| tls_costs(name).unwrap());
    let mut table =
        "| what | guarded | direct | difference or ratio | aim |\n|---|---:|---:|---:|---|\n"
            .to_owned();
    let bytes = |table: &mut String, what: &str, of: fn(&TlsBudget) -> u64, aim: &str| {
        let [a, b] = [&ours.budget, &direct.budget].map(of);
        let more = a.cast_signed() - b.cast_signed();
        writeln!(table, "| {what}, bytes | {a} | {b} | {more:+} | {aim} |").unwrap();
    };
    bytes(&mut table, "flash", |budget| budget.sizes.flash, "+32768");
    bytes(&mut table, "static RAM", |budget| budget.sizes.ram, "");
    bytes(&mut table, "stack", |budget| budget.stack, "");
    for (what, a, b, aim) in [
        ("a handshake", ours.handshake, direct.handshake, ""),
        ("a byte each way", ours.byte, direct.byte, "≤ 1.05"),
    ] {
        let ratio = a / b;
        let digits = if a < 1000.0 { 1 } else { 0 };
        writeln!(
            table,
            "| instructions, for {what} | {a:.digits$} | {b:.digits$} | {ratio:.3} | {aim} |"
        )
        .unwrap();
    }
    table
}

/// The table of whole clients.
pub(crate) fn clients() -> String {
    let mut table = "| records of | flash | static RAM | stack | memory in all | aims, flash and memory |\n|---|---:|---:|---:|---:|---|\n".to_owned();
    for (name, records, aim) in CLIENTS {
        let TlsBudget { sizes, stack, .. } = tls_budget(name).unwrap();
        let all = sizes.ram + stack;
        writeln!(
            table,
            "| {records} | {} | {} | {stack} | {all} | ≤ {}, ≤ {aim} |",
            sizes.flash,
            sizes.ram,
            200 * KIB
        )
        .unwrap();
    }
    table
}
