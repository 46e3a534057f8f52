//! What each part of tacket costs. The figures are in `core/COSTS.md`.

use std::path::Path;

use tacket_tests::{PARTS, flash_of_part, instructions_of_a_wake, read_figures, sizes_of_parts};

/// What the rows of a table of that document begin with, and their figures in this column.
fn documented(name: &str, column: usize) -> Vec<(String, u64)> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/COSTS.md");
    let rows = read_figures(&document, name).unwrap();
    let figure = |row: &Vec<String>| {
        let figure = row.get(column)?.parse().ok()?;
        Some((row.first()?.clone(), figure))
    };
    rows.iter()
        .map(|row| figure(row).expect("a figure"))
        .collect()
}

/// Another compiler may need a little more.
fn assert_about(what: &str, now: u64, documented: u64) {
    let most = documented + documented / 10 + 16;
    assert!(
        now <= most,
        "{what}: {now}, and {documented} are documented"
    );
}

#[test]
fn a_part_takes_the_flash_that_is_documented() {
    let documented = documented("flash", 2);
    assert_eq!(documented.len(), PARTS.len());
    for ((part, _), (row, flash)) in PARTS.iter().zip(documented) {
        assert_eq!(row, format!("`{part}`"));
        assert_about(part, flash_of_part(part).unwrap(), flash);
    }
}

#[test]
fn types_and_futures_take_the_memory_that_is_documented() {
    let documented = documented("sizes", 1);
    let sizes = sizes_of_parts().unwrap();
    assert_eq!(documented.len(), sizes.len());
    for ((kind, name, bytes), (row, known)) in sizes.into_iter().zip(documented) {
        assert_eq!(row, format!("{kind} {name}"));
        assert_about(&row, bytes, known);
    }
}

#[test]
fn a_slot_of_a_server_takes_96_bytes_beside_its_handler() {
    let sizes = sizes_of_parts().unwrap();
    let size = |part: &str| {
        sizes
            .iter()
            .find(|(_, name, _)| name.contains(part))
            .unwrap()
            .2
    };
    let (slot, handler) = (size("of a handler, in"), size("of that handler"));
    assert!(
        slot <= handler + 96,
        "{slot} bytes, and {handler} are the handler's"
    );
}

#[test]
fn to_wake_one_handler_of_many_costs_what_is_documented() {
    for (column, in_tasks) in [(1, false), (2, true)] {
        for (workers, documented) in documented("instructions", column) {
            let now = instructions_of_a_wake(workers.parse().unwrap(), in_tasks).unwrap();
            assert_about(&workers, now, documented);
        }
    }
}

#[test]
fn a_worker_in_a_task_costs_the_same_however_many_there_are() {
    let [one, many] = [1, 64].map(|workers| instructions_of_a_wake(workers, true).unwrap());
    assert!(many <= one + one / 20, "{one} with one, {many} with 64");
}
