//! The images of this repository's firmware, built when they are asked for.

use std::path::Path;

use tacket_hil::{Firmware, HilError, Image, Target};

/// Builds an image of the examples, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn example(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware", target, name)
}

/// Builds an image of the examples that has a heap, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn heap_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-heap", target, name)
}

/// Builds an image of the examples that looks names up, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn names_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-names", target, name)
}

/// Builds an image that is a test, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn test_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-tests", target, name)
}

/// Builds an image that does without tacket what an example does, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn direct_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-direct", target, name)
}

/// Builds an image that uses a part of tacket, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn part_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-parts", target, name)
}

/// Builds a client of TLS that is there to measure what it costs, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn tls_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-tls", target, name)
}

/// Builds an image that tests TLS against the contract, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn tls_contract_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-tls-contract", target, name)
}

/// Builds a client or a server of TLS on a heap that is there to measure what it costs, unless it is there.
///
/// # Errors
///
/// Those of [`Firmware::build`].
pub fn tls_heap_image(target: Target, name: &str) -> Result<Image, HilError> {
    build("tacket-firmware-tls-heap", target, name)
}

fn build(package: &str, target: Target, name: &str) -> Result<Image, HilError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/firmware");
    Firmware::in_folder(folder)
        .package(package)
        .build(target, name)
}
