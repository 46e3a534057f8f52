//! The boards of QEMU: start-up, executor, clock, network driver, console.
//!
//! One file in `boards/` is one board, chosen by the target; all others are written once, for all of them. An image needs
//!
//! * [`entry`] on its `main`, which calls [`run`] with a function that spawns its tasks;
//! * a network: [`start_network`] makes an embassy-net stack over the board's Ethernet;
//! * [`argument`], [`report!`] and [`exit`], its way to talk with whoever boots it.
#![no_std]

mod argument;
#[cfg_attr(target_arch = "arm", path = "boards/mps2.rs")]
#[cfg_attr(target_arch = "riscv32", path = "boards/virt.rs")]
mod board;
mod console;
pub mod ethernet;
mod executor;
mod network;
mod stack_usage;
mod static_ram;
mod time;

pub use argument::argument;
pub use board::{Ethernet, entry, ethernet, insecure_seed};
pub use console::exit;
pub use executor::run;
pub use network::start_network;
pub use stack_usage::StackUsage;
pub use static_ram::static_ram;

#[doc(hidden)]
pub use semihosting::println as __println;
