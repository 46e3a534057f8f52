//! What TLS on a heap costs: the layer above rustls, beside rustls alone; and a whole server.

use core::fmt::Write as _;

use tacket_tests::{Clients, HeapGuest, Role, Suite, TlsBudget, telemetry_tls_server};

const KIB: u64 = 1024;

/// How much flash a whole server is to take.
const SERVER: u64 = 270 * KIB;

/// Who comes to a server, in the words of the table.
const VISITS: [(Clients, &str); 4] = [
    (Clients::One, "one client"),
    (Clients::Two, "two clients"),
    (Clients::CrowdedHellos, "two with the worst hello"),
    (Clients::LongRecords, "two with the longest records"),
];

/// The table of the layer.
pub(crate) fn layer() -> String {
    let mut table =
        "| image | what | on the layer | direct | difference or ratio | aim |\n|---|---|---:|---:|---:|---|\n"
            .to_owned();
    for (role, name) in [(Role::Client, "client"), (Role::Server, "server")] {
        let guests = [false, true].map(|is_direct| HeapGuest::build(role, is_direct).unwrap());
        let budgets = guests.each_ref().map(|guest| guest.budget().unwrap());
        let mut bytes = |what: &str, [a, b]: [u64; 2]| {
            let more = a.cast_signed() - b.cast_signed();
            writeln!(
                table,
                "| {name} | {what}, bytes | {a} | {b} | {more:+} |  |"
            )
            .unwrap();
        };
        let of = |part: fn(&TlsBudget) -> u64| budgets.each_ref().map(part);
        bytes("flash", of(|budget| budget.sizes.flash));
        bytes("static RAM, with the heap", of(|budget| budget.sizes.ram));
        bytes("stack", of(|budget| budget.stack));
        let heaps = |clients| guests.each_ref().map(|guest| guest.heap(clients).unwrap());
        if role == Role::Client {
            bytes("heap", heaps(Clients::One));
        } else {
            let visits = VISITS.map(|(clients, who)| (heaps(clients), who));
            for (most, who) in visits {
                bytes(&format!("heap, {who}"), most);
            }
            let [([a, b], _), ([c, d], _), ..] = visits;
            bytes("heap, for a client more", [c - a, d - b]);
        }
        let mut instructions = |what: &str, count: fn(&HeapGuest) -> f64, aim: &str| {
            let [a, b] = guests.each_ref().map(count);
            let (ratio, digits) = (a / b, if a < 10_000.0 { 1 } else { 0 });
            writeln!(
                table,
                "| {name} | instructions, for {what} | {a:.digits$} | {b:.digits$} | {ratio:.3} | {aim} |"
            )
            .unwrap();
        };
        let handshake = |guest: &HeapGuest| guest.instructions_of_a_handshake().unwrap();
        instructions("a handshake", handshake, "");
        let chacha20 = |guest: &HeapGuest| guest.instructions_of_a_byte(Suite::ChaCha20).unwrap();
        instructions("a byte each way, ChaCha20-Poly1305", chacha20, "≤ 1.05");
        let aes128 = |guest: &HeapGuest| guest.instructions_of_a_byte(Suite::Aes128).unwrap();
        instructions("a byte each way, AES-128-GCM", aes128, "≤ 1.05");
    }
    table
}

/// The table of a whole server.
pub(crate) fn server() -> String {
    let mut table = "| what | bytes | aim |\n|---|---:|---|\n".to_owned();
    let (of_one, heap) = telemetry_tls_server(Clients::One).unwrap();
    let mut row = |what: &str, bytes: u64, aim: &str| {
        writeln!(table, "| {what} | {bytes} | {aim} |").unwrap();
    };
    row("flash", of_one.sizes.flash, &format!("≤ {SERVER}"));
    row("static RAM, with the heap", of_one.sizes.ram, "");
    row("stack", of_one.stack, "");
    row("heap, one client", heap, "");
    let waits = (
        Clients::TwoAndOneThatWaits,
        "two clients, and a third that waits",
    );
    let [_, two, hellos, records] = VISITS;
    for (clients, who) in [two, waits, hellos, records] {
        let (_, heap) = telemetry_tls_server(clients).unwrap();
        row(&format!("heap, {who}"), heap, "");
    }
    table
}
