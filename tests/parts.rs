//! What each part of tacket costs in firmware, measured on the images of `tests/firmware/parts`.

use tacket_hil::{Board, Boot, HilError, Target};

use crate::Sizes;
use crate::images::part_image;

const TARGET: Target = Target::THUMBV7M;
const BOARD: Board = Board::MPS2_AN385;

/// The programs that use one part each, the one that uses none first; and what each of them has beside another one.
pub const PARTS: [(&str, &str); 12] = [
    ("nothing", "start-up, executor and console"),
    ("timeout", "`timeout` around a future, and the clock"),
    ("uart", "a foreign stream, without tacket"),
    ("staple", "two of those as one `Stream`"),
    ("channel", "`Channel`, from one future to another"),
    ("embassy_channel", "embassy-sync's channel, without an end"),
    ("generator", "`Generator`"),
    (
        "length_prefixed",
        "`MessageSender` and `MessageReceiver`, length-prefixed",
    ),
    ("delimited", "the same, delimited"),
    ("serve_one", "`Server` with one worker"),
    ("serve_four", "`Server` with four workers"),
    ("listeners", "`Server` of two `Listeners`"),
];

/// How many bytes of flash the program of a part takes.
///
/// # Errors
///
/// The image cannot be built.
///
/// # Panics
///
/// It cannot be read.
#[expect(clippy::expect_used, reason = "documented")]
pub fn flash_of_part(part: &str) -> Result<u64, HilError> {
    let image = part_image(TARGET, &format!("part_{part}"))?;
    Ok(Sizes::of(image.path()).expect("an image").flash)
}

/// What the image `sizes` reports: the kind of each thing, what it is, and how many bytes it takes.
///
/// # Errors
///
/// Those of building and booting.
pub fn sizes_of_parts() -> Result<Vec<(String, String, u64)>, HilError> {
    let mut guest = Boot::new(&part_image(TARGET, "sizes")?, BOARD).start()?;
    guest.wait_for("that is all")?;
    let lines = guest.lines();
    guest.finish()?;
    let read = |line: &String| {
        let (kind, rest) = line.split_once(' ')?;
        let (bytes, name) = rest.split_once(' ')?;
        Some((kind.to_owned(), name.to_owned(), bytes.parse().ok()?))
    };
    Ok(lines.iter().filter_map(read).collect())
}

/// How many instructions it takes that a byte goes to one of so many handlers and back, each handler in a task of its own, or all in one.
///
/// # Errors
///
/// Those of building and booting.
pub fn instructions_of_a_wake(workers: u64, in_tasks: bool) -> Result<u64, HilError> {
    const ROUNDS: [u64; 2] = [640, 1920];
    let image = part_image(TARGET, "wakes")?;
    let mut counts = [0; 2];
    for (count, rounds) in counts.iter_mut().zip(ROUNDS) {
        let boot = Boot::new(&image, BOARD)
            .argument(format!("workers={workers}"))
            .argument(format!("tasks={}", u8::from(in_tasks)))
            .argument(format!("rounds={rounds}"));
        let finished = boot.count_instructions().start()?.finish()?;
        *count = finished.instructions.unwrap_or_default();
    }
    let [few, many] = counts;
    let [short, long] = ROUNDS;
    Ok((many - few) / (long - short))
}
