//! Fails: by a panic, or with `how=exit` by its verdict, or with `how=hang` by never coming to one.
#![no_std]
#![no_main]

use core::str::FromStr;

use tacket_board::{argument, exit, report};

enum How {
    Exit,
    Hang,
}

impl FromStr for How {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "exit" => Ok(Self::Exit),
            "hang" => Ok(Self::Hang),
            _ => Err(()),
        }
    }
}

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|_| {
        report!("about to fail");
        match argument("how") {
            Some(How::Exit) => exit(false),
            Some(How::Hang) => {}
            None => panic!("this image fails"),
        }
    })
}
