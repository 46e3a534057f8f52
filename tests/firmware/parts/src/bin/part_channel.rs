//! One part of tacket: see the library.
#![no_std]
#![no_main]

tacket_firmware_parts::image!(tacket_firmware_parts::channel());
