//! Boots an image that was built elsewhere, shows what it prints, and leaves with its verdict.
//!
//! `cargo run -p tacket-hil --example own_image -- path/to/firmware.elf some=argument`

use std::env;
use std::process::ExitCode;

use tacket_hil::{Board, Boot, HilError, Image};

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let Some(path) = words.next() else {
        eprintln!("usage: own_image IMAGE [ARGUMENT]...");
        return ExitCode::from(2);
    };
    match boot(&path, words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn boot(path: &str, arguments: impl Iterator<Item = String>) -> Result<(), HilError> {
    let image = Image::built_elsewhere(path);
    let boot = Boot::new(&image, Board::MPS2_AN385);
    let guest = arguments.fold(boot, Boot::argument).start()?;
    for line in guest.finish()?.lines {
        println!("{line}");
    }
    Ok(())
}
