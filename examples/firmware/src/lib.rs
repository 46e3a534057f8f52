//! What the images share: a network of a chosen size.
#![no_std]

mod memory;

pub use memory::Memory;
