//! What can go wrong, said to people.

use core::fmt;
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use crate::Target;

/// Why firmware could not be built, booted, or did not do what was expected.
#[derive(Debug)]
#[non_exhaustive]
pub enum HilError {
    /// No compiler here builds for the target.
    NoCompiler {
        /// The target.
        target: Target,
    },
    /// The build failed.
    Build {
        /// Which image of which folder was to be built.
        image: String,
        /// What the compiler said, from the first error on.
        output: String,
    },
    /// There is no such image.
    NoImage {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// QEMU is not installed.
    NoQemu {
        /// The program that is missing.
        program: &'static str,
    },
    /// A port of this machine that was to be forwarded is in use.
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The guest ended, and said that something is wrong; or it ended before what was expected of it.
    Failed {
        /// Its last words, and all that is known.
        trace: Box<Trace>,
        /// Its exit code. `None` if it was killed.
        code: Option<i32>,
    },
    /// The guest did not do what was expected of it in time.
    Hung {
        /// What was expected.
        awaited: String,
        /// How long it was given.
        limit: Duration,
        /// Its last words, and all that is known.
        trace: Box<Trace>,
    },
    /// The guest has no such thing.
    NotConfigured(&'static str),
    /// The emulator refused a command, or its monitor does not answer.
    Monitor(String),
    /// The system failed.
    System {
        /// At what.
        doing: String,
        /// How.
        error: io::Error,
    },
}

impl HilError {
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |error| Self::System { doing, error }
    }
}

/// What is known of a guest that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// Its name.
    pub guest: String,
    /// The last lines that it and the emulator printed.
    pub lines: Vec<String>,
    /// What was on the network, in pcap format.
    pub capture: Option<PathBuf>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines.len() {
            0 => write!(f, "\n  it printed nothing")?,
            count => write!(f, "\n  the last {count} lines it printed:")?,
        }
        for line in &self.lines {
            write!(f, "\n  | {line}")?;
        }
        match &self.capture {
            Some(path) => write!(f, "\n  what was on the network: {}", path.display()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for HilError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCompiler { target } => write!(
                f,
                "no compiler here builds for {target}: `rustup target add {target}`, or on Debian \
                 `apt-get install rustc-web cargo-web rust-web-src lld`"
            ),
            Self::Build { image, output } => write!(f, "{image} cannot be built:\n{output}"),
            Self::NoImage { path } => write!(f, "there is no image {}", path.display()),
            Self::NoQemu { program } => write!(
                f,
                "{program} is not installed; on Debian: `apt-get install {}`",
                match *program {
                    "qemu-system-arm" => "qemu-system-arm",
                    _ => "qemu-system-misc (before Debian 13), or qemu-system-riscv",
                }
            ),
            Self::PortInUse { port } => {
                write!(
                    f,
                    "port {port} of this machine is in use: leave the choice to the system"
                )
            }
            Self::Failed { trace, code } => match code {
                Some(code) => write!(f, "{} ended with exit code {code}{trace}", trace.guest),
                None => write!(f, "{} was killed{trace}", trace.guest),
            },
            Self::Hung {
                awaited,
                limit,
                trace,
            } => write!(
                f,
                "{} hangs: after {} s still {awaited}{trace}",
                trace.guest,
                limit.as_secs_f32()
            ),
            Self::NotConfigured(what) => f.write_str(what),
            Self::Monitor(reason) => write!(f, "the emulator's monitor: {reason}"),
            Self::System { doing, error } => write!(f, "{doing}: {error}"),
        }
    }
}

impl core::error::Error for HilError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::System { error, .. } => Some(error),
            _ => None,
        }
    }
}
