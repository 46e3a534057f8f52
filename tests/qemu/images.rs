//! The images that the tests boot, each built once.

use std::path::Path;

use tacket_hil::{Firmware, Image, Target};

/// An image of the examples.
pub(crate) fn example(target: Target, name: &str) -> Image {
    build("../examples/firmware", "tacket-firmware", target, name)
}

fn build(folder: &str, package: &str, target: Target, name: &str) -> Image {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let built = Firmware::in_folder(folder)
        .package(package)
        .build(target, name);
    built.unwrap_or_else(|error| panic!("{error}"))
}
