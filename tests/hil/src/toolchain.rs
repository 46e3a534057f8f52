//! The compiler for a target: that of rustup if it has the target, else Debian's, which brings the library as source.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::{HilError, Target};

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/core";

/// By which rustup's programs tell each other the toolchain of the folder that they were called in.
const TOOLCHAIN: &str = "RUSTUP_TOOLCHAIN";

/// What builds for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// `cargo` of the path, with the target's library installed.
    Installed,
    /// Debian's, which builds the library first and links with `lld`.
    Debian,
}

impl Toolchain {
    /// The one for what is in `folder`, which may name a toolchain of rustup.
    pub(crate) fn find(target: Target, folder: &Path) -> Result<Self, HilError> {
        if has_target(target, folder) {
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
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            TOOLCHAIN,
        ] {
            command.env_remove(inherited);
        }
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let is_flags = text.starts_with("CARGO_TARGET_") && text.ends_with("_RUSTFLAGS");
            if is_flags || text.starts_with("CARGO_PROFILE_") {
                command.env_remove(name);
            }
        }
        command.args(["build", "--release", "--locked", "--color=never"]);
        command.args(["--target", target.0]);
        if self == Self::Debian {
            let linker = target.0.replace('-', "_").to_uppercase();
            command
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env(format!("CARGO_TARGET_{linker}_LINKER"), "lld")
                .arg("-Zbuild-std=core,alloc");
        }
        command
    }
}

fn has_target(target: Target, folder: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(folder);
    let Ok(output) = rustc.env_remove(TOOLCHAIN).output() else {
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
