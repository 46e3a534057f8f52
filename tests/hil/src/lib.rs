//! Firmware in QEMU as part of a test: build it, boot it, wire it, talk to it, and read its verdict.
//!
//! * [`Firmware`] is a folder with a cargo workspace; it [builds](Firmware::build) [`Image`]s. An image that was built elsewhere
//!   [will do](Image::built_elsewhere) too.
//! * [`Boot`] says how: on which [`Board`], with which arguments, on which network. [`Boot::start`] returns a running [`Guest`].
//! * A [`Guest`] tells what it prints, line by line, and how it ended. All waiting has a limit, and nothing outlives the guest's
//!   handle or the test's process.
//! * A [`Relay`] is a wire between two guests, which can lose frames, by a seed, and be cut.
//!
//! What happened on the network is kept in a file for Wireshark when a guest fails, and the error says where.
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use tacket_hil::{Board, Boot, Firmware, Target};
//!
//! # fn test() -> Result<(), Box<dyn core::error::Error>> {
//! let image = Firmware::in_folder("examples/firmware").build(Target::THUMBV7M, "echo_server")?;
//! let mut guest = Boot::new(&image, Board::MPS2_AN385)
//!     .argument("clients=1")
//!     .forward(7)
//!     .start()?;
//! guest.wait_for("listening")?;
//! let mut stream = TcpStream::connect(guest.address_of(7)?)?;
//! stream.write_all(b"hello")?;
//! stream.shutdown(std::net::Shutdown::Write)?;
//! let mut echo = String::new();
//! stream.read_to_string(&mut echo)?;
//! assert_eq!(echo, "hello");
//! guest.finish()?; // it left by itself, and said that all was well
//! # Ok(())
//! # }
//! ```
//!
//! It needs a Unix system, QEMU 7.2 or newer, and a compiler for the target: that of rustup with the target installed, or Debian's.

extern crate alloc;

mod board;
mod boot;
mod console;
mod error;
mod firmware;
mod guest;
mod image;
mod instructions;
mod leash;
mod monitor;
mod progress;
mod relay;
mod toolchain;

pub use board::Board;
pub use boot::Boot;
pub use error::{HilError, Trace};
pub use firmware::Firmware;
pub use guest::{Finished, Guest};
pub use image::{Image, Target};
pub use relay::{Relay, Side};
