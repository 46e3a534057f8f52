//! Firmware that can be booted.

use std::path::{Path, PathBuf};

/// Firmware that can be booted: an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    path: PathBuf,
}

impl Image {
    /// The image in this file, whoever built it. It is looked for when it is booted.
    pub fn built_elsewhere(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is called: the name of its file.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// What a compiler builds for: a target without an operating system, by its Rust name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target(pub(crate) &'static str);

impl Target {
    /// Cortex-M0, -M0+ and -M1, and all other Cortex-M.
    pub const THUMBV6M: Self = Self("thumbv6m-none-eabi");
    /// Cortex-M3.
    pub const THUMBV7M: Self = Self("thumbv7m-none-eabi");
    /// Cortex-M4 and -M7 with a floating-point unit.
    pub const THUMBV7EM: Self = Self("thumbv7em-none-eabihf");
    /// RISC-V of 32 bits with atomics.
    pub const RISCV32IMAC: Self = Self("riscv32imac-unknown-none-elf");

    /// Any other target of Rust.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }
}

impl core::fmt::Display for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}
