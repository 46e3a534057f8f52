//! What is, and is not, linked into the images.

use std::path::Path;
use std::{env, fs};

use object::{Object as _, ObjectSymbol as _};
use tacket_hil::Target;

use crate::images::{example, heap_image, names_image, test_image};

/// Parts of the names that an allocator has in a program.
const ALLOCATOR: [&str; 4] = ["__rust_alloc", "__rust_realloc", "__rg_alloc", "malloc"];

/// The symbols of a program that belong to an allocator.
fn allocator_symbols(program: &Path) -> Vec<String> {
    let data = fs::read(program).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let names: Vec<String> = file
        .symbols()
        .filter_map(|symbol| Some(symbol.name().ok()?.to_owned()))
        .collect();
    assert!(names.len() > 100, "{program:?} is stripped");
    let is_allocator = |name: &String| ALLOCATOR.iter().any(|part| name.contains(part));
    names.into_iter().filter(is_allocator).collect()
}

/// Covers FRM-07.
#[test]
fn no_allocator_is_linked_into_the_firmware() {
    let examples = [
        "echo_client",
        "echo_server",
        "telemetry_client",
        "telemetry_server",
        "telemetry_hub",
        "echo_tls_client",
        "echo_tls_client_2k",
        "telemetry_tls_client",
        "telemetry_tls_client_2k",
        "telemetry_tls_proxied",
    ]
    .map(|name| example(Target::THUMBV7M, name));
    let others = [
        test_image(Target::THUMBV7M, "contract"),
        names_image(Target::THUMBV7M, "telemetry_tls_by_name"),
        example(Target::THUMBV6M, "echo_server"),
        example(Target::THUMBV7EM, "echo_server"),
        example(Target::RISCV32IMAC, "echo_server"),
        example(Target::RISCV32IMAC, "telemetry_tls_client"),
    ];
    for image in examples.iter().chain(&others) {
        let found = allocator_symbols(image.path());
        assert!(found.is_empty(), "{}: {found:?}", image.path().display());
    }
}

#[test]
fn an_allocator_would_be_found() {
    let server = heap_image(Target::THUMBV7M, "telemetry_tls_server");
    for program in [env::current_exe().unwrap().as_path(), server.path()] {
        assert!(!allocator_symbols(program).is_empty(), "{program:?}");
    }
}
