//! The images that the tests boot, and how.

use std::path::Path;

use tacket_hil::{Board, Boot, Firmware, Image, Target};

/// An image of the examples.
pub(crate) fn example(target: Target, name: &str) -> Image {
    build("../examples/firmware", "tacket-firmware", target, name)
}

/// An image that is a test.
pub(crate) fn test_image(target: Target, name: &str) -> Image {
    build(
        "../examples/firmware",
        "tacket-firmware-tests",
        target,
        name,
    )
}

/// An image of the examples, on the board that they are tested on most.
pub(crate) fn boot(name: &str) -> Boot {
    Boot::new(&example(Target::THUMBV7M, name), Board::MPS2_AN385)
}

/// An image that is a test, on the same board.
pub(crate) fn boot_test(name: &str) -> Boot {
    Boot::new(&test_image(Target::THUMBV7M, name), Board::MPS2_AN385)
}

fn build(folder: &str, package: &str, target: Target, name: &str) -> Image {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let built = Firmware::in_folder(folder)
        .package(package)
        .build(target, name);
    built.unwrap_or_else(|error| panic!("{error}"))
}
