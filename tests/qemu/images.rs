//! The images that the tests boot, and how.

use tacket_hil::{Board, Boot, HilError, Image, Target};
use tacket_tests::{HeapGuest, PARTS, Role, flash_of_part, part_image, tls_image};

/// An image of the examples.
pub(crate) fn example(target: Target, name: &str) -> Image {
    built(tacket_tests::example(target, name))
}

/// An image of the examples that has a heap.
pub(crate) fn heap_image(target: Target, name: &str) -> Image {
    built(tacket_tests::heap_image(target, name))
}

/// An image of the examples that looks names up.
pub(crate) fn names_image(target: Target, name: &str) -> Image {
    built(tacket_tests::names_image(target, name))
}

/// An image that is a test.
pub(crate) fn test_image(target: Target, name: &str) -> Image {
    built(tacket_tests::test_image(target, name))
}

/// An image that does without tacket what an example does.
pub(crate) fn direct_image(target: Target, name: &str) -> Image {
    built(tacket_tests::direct_image(target, name))
}

/// An image of the examples, on the board that they are tested on most.
pub(crate) fn boot(name: &str) -> Boot {
    Boot::new(&example(Target::THUMBV7M, name), Board::MPS2_AN385)
}

/// An image of the examples that has a heap, on the same board.
pub(crate) fn boot_heap(name: &str) -> Boot {
    Boot::new(&heap_image(Target::THUMBV7M, name), Board::MPS2_AN385)
}

/// An image that is a test, on the same board.
pub(crate) fn boot_test(name: &str) -> Boot {
    Boot::new(&test_image(Target::THUMBV7M, name), Board::MPS2_AN385)
}

/// An image that uses a part, on the same board.
pub(crate) fn boot_part(name: &str) -> Boot {
    let image = built(part_image(Target::THUMBV7M, name));
    Boot::new(&image, Board::MPS2_AN385)
}

/// An image that tests TLS against the contract.
fn tls_contract_image(target: Target, name: &str) -> Image {
    built(tacket_tests::tls_contract_image(target, name))
}

/// The same, on the board that the others are tested on. Nobody outside speaks with it, so its time need not be counted.
pub(crate) fn boot_tls_contract(name: &str) -> Boot {
    let image = tls_contract_image(Target::THUMBV7M, name);
    Boot::new(&image, Board::MPS2_AN385.in_real_time())
}

fn built(image: Result<Image, HilError>) -> Image {
    image.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_image_is_built_for_every_board_that_boots_it() {
    let [v6m, v7m, v7em, riscv] = [
        Target::THUMBV6M,
        Target::THUMBV7M,
        Target::THUMBV7EM,
        Target::RISCV32IMAC,
    ];
    for target in [v6m, v7m, v7em, riscv] {
        for name in [
            "echo_client",
            "echo_server",
            "telemetry_client",
            "telemetry_server",
            "telemetry_hub",
        ] {
            assert!(example(target, name).path().exists(), "{name}");
        }
    }
    for (target, names) in [
        (v6m, &["telemetry_tls_client"][..]),
        (
            v7m,
            &[
                "echo_tls_client",
                "echo_tls_client_2k",
                "telemetry_tls_client",
                "telemetry_tls_client_2k",
                "telemetry_tls_proxied",
            ],
        ),
        (v7em, &["telemetry_tls_client"]),
        (riscv, &["echo_tls_client", "telemetry_tls_client"]),
    ] {
        for name in names {
            assert!(example(target, name).path().exists(), "{name}");
        }
    }
    let by_name = names_image(v7m, "telemetry_tls_by_name");
    assert!(by_name.path().exists());
    for target in [v7m, riscv] {
        for name in [
            "echo_tls_client_heap",
            "page_tls_server",
            "telemetry_tls_client_heap",
            "telemetry_tls_server",
        ] {
            assert!(heap_image(target, name).path().exists(), "{name}");
        }
    }
    for name in ["contract", "loopback", "failing"] {
        assert!(test_image(v7m, name).path().exists(), "{name}");
    }
    assert!(tls_contract_image(v7m, "contract_tls").path().exists());
    for name in ["direct_echo", "direct_telemetry"] {
        assert!(direct_image(v7m, name).path().exists(), "{name}");
    }
    for name in ["tls_direct", "tls_guarded"] {
        tls_image(v7m, name).unwrap();
    }
    for role in [Role::Client, Role::Server] {
        for is_direct in [false, true] {
            HeapGuest::build(role, is_direct).unwrap();
        }
    }
    for (part, _) in PARTS {
        flash_of_part(part).unwrap();
    }
    for name in ["sizes", "wakes"] {
        part_image(v7m, name).unwrap();
    }
}
