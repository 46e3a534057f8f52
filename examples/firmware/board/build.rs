//! Puts the memory map of the board where the linker looks for it.

use std::path::PathBuf;
use std::{env, fs};

/// The boards: which targets they are for, and the file `src/boards/*.x` with their memory.
const BOARDS: &[(&str, &str)] = &[("thumb", "mps2"), ("riscv32", "virt")];

fn main() {
    let target = env::var("TARGET").expect("cargo sets it");
    let Some((_, board)) = BOARDS.iter().find(|(arch, _)| target.starts_with(arch)) else {
        panic!("there is no board for {target}; README.md says how to add one");
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let memory = format!("src/boards/{board}.x");
    fs::copy(&memory, out.join("memory.x")).expect("the memory map of the board");
    // Interrupts have no names of their own here: the table is in the board's file.
    fs::write(out.join("device.x"), "").expect("the output folder can be written to");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed={memory}");
    println!("cargo:rerun-if-changed=build.rs");
}
