//! Fails: by a panic, or with `how=exit` by its verdict, or with `how=hang` by never coming to one.
#![no_std]
#![no_main]

use tacket_board::{Arguments, exit, report};

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|_| {
        report!("about to fail");
        match Arguments::load().text("how") {
            Some("exit") => exit(false),
            Some("hang") => {}
            _ => panic!("this image fails"),
        }
    })
}
