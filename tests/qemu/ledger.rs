//! What firmware says of its static memory at its start, and what the linker says.

use std::fs;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use tacket_hil::{Board, Boot, Image, Target};
use tacket_tests::Sizes;

use crate::images::{example, heap_image};

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

fn assert_true(image: &Image, board: Board, declared: &[&str]) {
    let lines = ledger(image, board);
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

/// Covers FRM-12.
#[test]
fn the_firmware_tells_exactly_what_its_static_memory_is_for() {
    for (name, declared) in IMAGES {
        let image = example(Target::THUMBV7M, name);
        assert_true(&image, Board::MPS2_AN385, declared);
    }
    let [_, (name, declared), _] = IMAGES;
    let image = example(Target::RISCV32IMAC, name);
    assert_true(&image, Board::RISCV32_VIRT, declared);
}

#[test]
fn a_heap_is_a_part_of_the_static_memory() {
    let image = heap_image(Target::THUMBV7M, "telemetry_tls_server");
    assert_true(&image, Board::MPS2_AN385, &["MEMORY", "image", "HEAP"]);
}

/// Covers FRM-12.
#[test]
fn the_memory_of_a_session_of_tls_takes_no_flash() {
    let [long, short] = ["telemetry_tls_client", "telemetry_tls_client_2k"]
        .map(|name| Sizes::of(example(Target::THUMBV7M, name).path()).unwrap());
    assert!(long.ram > short.ram + 2 * 14_000, "{long:?}, {short:?}");
    assert!(long.flash < short.flash + 256, "{long:?}, {short:?}");
}

/// Covers FRM-12.
#[test]
fn handlers_of_a_server_are_a_part_of_its_task() {
    let image = example(Target::THUMBV7M, "telemetry_hub");
    let lines = ledger(&image, Board::MPS2_AN385);
    let bytes = |what: &str| lines.iter().find(|line| line.1.contains(what)).unwrap().0;
    let (handlers, task) = (bytes("of that: 3 handlers"), bytes("the task"));
    assert!(handlers > 0 && handlers < task, "{lines:?}");
}
