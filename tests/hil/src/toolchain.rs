//! The compiler for a target: that of rustup if it has the target, else Debian's, which brings the library as source.

use std::path::Path;
use std::process::Command;

use crate::{HilError, Target};

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/core";

/// What builds for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// `cargo` of the path, with the target's library installed.
    Installed,
    /// Debian's, which builds the library first and links with `lld`.
    Debian,
}

impl Toolchain {
    pub(crate) fn find(target: Target) -> Result<Self, HilError> {
        if has_target(target) {
            return Ok(Self::Installed);
        }
        let debian = [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_LIBRARY];
        if debian.iter().all(|path| Path::new(path).exists()) && is_there("lld", "-flavor") {
            return Ok(Self::Debian);
        }
        Err(HilError::NoCompiler { target })
    }

    /// The folder below `target` for what it builds: two compilers in one would undo each other's work.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Installed => "target",
            Self::Debian => "target/debian",
        }
    }

    /// `cargo build` for a target, with the environment that this compiler needs, and nothing left of the caller's.
    pub(crate) fn build(self, target: Target) -> Command {
        let mut command = Command::new(match self {
            Self::Installed => "cargo",
            Self::Debian => DEBIAN_CARGO,
        });
        for inherited in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC",
            "CARGO_BUILD_TARGET",
        ] {
            command.env_remove(inherited);
        }
        command.args(["build", "--release", "--locked", "--target", target.0]);
        if self == Self::Debian {
            let linker = target.0.replace('-', "_").to_uppercase();
            command
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env(format!("CARGO_TARGET_{linker}_LINKER"), "lld")
                .arg("-Zbuild-std=core");
        }
        command
    }
}

fn has_target(target: Target) -> bool {
    let Ok(output) = Command::new("rustc").args(["--print", "sysroot"]).output() else {
        return false;
    };
    let sysroot = String::from_utf8_lossy(&output.stdout);
    Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target.0)
        .join("lib")
        .exists()
}

/// Whether a program is installed. It is run with an option that ends it at once, and may complain.
pub(crate) fn is_there(program: &str, option: &str) -> bool {
    Command::new(program).arg(option).output().is_ok()
}
