//! What firmware says of its static memory at its start, and what the linker says.

use std::fs;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use tacket_hil::{Board, Boot, Image, Target};
use tacket_tests::Sizes;

use crate::images::example;

/// An image that reports its memory, and parts of the names of its variables that are declared.
const IMAGES: [(&str, &[&str]); 3] = [
    ("telemetry_hub", &["MEMORY", "image"]),
    ("telemetry_tls_client", &["MEMORY", "image"]),
    ("echo_tls_client", &["MEMORY", "image", "BUFFERS"]),
];

/// The lines that it prints: so many bytes, for that.
fn ledger(image: &Image, board: Board) -> Vec<(u64, String)> {
    let mut guest = Boot::new(image, board).start().unwrap();
    let mut lines = Vec::new();
    loop {
        let line = guest.wait_for("RAM ").unwrap();
        let (bytes, what) = line
            .trim_start_matches("RAM")
            .trim()
            .split_once(' ')
            .unwrap();
        lines.push((bytes.parse().unwrap(), what.to_owned()));
        if what == "for the stack" {
            return lines;
        }
    }
}

/// How many bytes the variables take whose names have one of `parts`.
fn variables(file: &object::File<'_>, parts: &[&str]) -> u64 {
    let symbols = file.symbols().filter(|symbol| {
        let is_variable = symbol.kind() == object::SymbolKind::Data;
        let name = symbol.name().unwrap();
        is_variable && parts.iter().any(|part| name.contains(part))
    });
    symbols.map(|symbol| symbol.size()).sum()
}

fn assert_true(target: Target, board: Board, (name, declared): (&str, &[&str])) {
    let image = example(target, name);
    let lines = ledger(&image, board);
    let bytes = |text: &str| {
        let line = lines.iter().find(|(_, what)| what.starts_with(text));
        line.unwrap().0
    };

    let data = fs::read(image.path()).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let parts = lines
        .iter()
        .take_while(|(_, what)| !what.starts_with("declared"));
    let parts = parts.filter(|(_, what)| !what.starts_with("of that"));
    let sum: u64 = parts.map(|(bytes, _)| bytes).sum();
    assert_eq!(bytes("declared"), sum, "{lines:?}");
    assert_eq!(variables(&file, declared), sum, "{lines:?}");
    assert_eq!(bytes("static"), sum + bytes("beside it"), "{lines:?}");

    let section = |name| file.section_by_name(name).unwrap().size();
    assert_eq!(bytes("static"), section(".data") + section(".bss"));
}

#[test]
fn the_firmware_tells_exactly_what_its_static_memory_is_for() {
    for image in IMAGES {
        assert_true(Target::THUMBV7M, Board::MPS2_AN385, image);
    }
    let [_, client, _] = IMAGES;
    assert_true(Target::RISCV32IMAC, Board::RISCV32_VIRT, client);
}

#[test]
fn the_memory_of_a_session_of_tls_takes_no_flash() {
    let [long, short] = ["telemetry_tls_client", "telemetry_tls_client_2k"]
        .map(|name| Sizes::of(example(Target::THUMBV7M, name).path()).unwrap());
    assert!(long.ram > short.ram + 2 * 14_000, "{long:?}, {short:?}");
    assert!(long.flash < short.flash + 256, "{long:?}, {short:?}");
}

#[test]
fn handlers_of_a_server_are_a_part_of_its_task() {
    let image = example(Target::THUMBV7M, "telemetry_hub");
    let lines = ledger(&image, Board::MPS2_AN385);
    let bytes = |what: &str| lines.iter().find(|line| line.1.contains(what)).unwrap().0;
    let (handlers, task) = (bytes("of that: 3 handlers"), bytes("the task"));
    assert!(handlers > 0 && handlers < task, "{lines:?}");
}
