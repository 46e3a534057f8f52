//! A folder of firmware, and building it.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use crate::progress::Progress;
use crate::toolchain::Toolchain;
use crate::{HilError, Image, Target};

/// A folder with a cargo workspace, or a package, of firmware.
#[derive(Clone, Debug)]
pub struct Firmware {
    folder: PathBuf,
    package: Option<String>,
}

impl Firmware {
    /// The firmware in this folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            package: None,
        }
    }

    /// Only this package of it, so that no other decides on the features of its dependencies.
    #[must_use]
    pub fn package(mut self, name: impl Into<String>) -> Self {
        self.package = Some(name.into());
        self
    }

    /// Builds one of its images, in release mode; `image` is the name of the binary. What is built already is left as it is.
    ///
    /// Its `.cargo/config.toml` holds, and so does its `Cargo.lock`. Shows what goes on where standard error is a terminal.
    ///
    /// # Errors
    ///
    /// [`HilError::NoCompiler`] and [`HilError::Build`], with what the compiler said.
    pub fn build(&self, target: Target, image: &str) -> Result<Image, HilError> {
        let [built] = self.build_all(target, [image])?;
        Ok(built)
    }

    /// The same for several images at once.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_all<const N: usize>(
        &self,
        target: Target,
        images: [&str; N],
    ) -> Result<[Image; N], HilError> {
        let toolchain = Toolchain::find(target, &self.folder)?;
        let output = self.folder.join(toolchain.folder());
        let output = match env::current_dir() {
            Ok(here) => here.join(output),
            Err(_) => output,
        };
        let mut command = toolchain.build(target);
        command
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &output)
            .args(images.iter().flat_map(|image| ["--bin", image]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(package) = &self.package {
            command.args(["--package", package]);
        }
        let what = format!("{} for {target}", images.join(", "));
        let progress = Progress::start(format!("building {what}"));
        let mut child = command.spawn().map_err(HilError::system(format!(
            "starting cargo in {}",
            self.folder.display()
        )))?;
        let mut lines = Vec::new();
        for line in child
            .stderr
            .take()
            .map(BufReader::new)
            .into_iter()
            .flat_map(|said| said.split(b'\n'))
            .map_while(Result::ok)
        {
            let line = String::from_utf8_lossy(&line).into_owned();
            progress.show(&line);
            lines.push(line);
        }
        let status = child
            .wait()
            .map_err(HilError::system("waiting for cargo"))?;
        progress.finish();
        if status.success() {
            let folder = output.join(target.0).join("release");
            return Ok(images.map(|image| Image::built_elsewhere(folder.join(image))));
        }
        let from = lines.iter().position(|line| line.starts_with("error"));
        let said = lines.split_off(from.unwrap_or_default());
        Err(HilError::Build {
            image: format!("{what} in {}", self.folder.display()),
            output: said.join("\n"),
        })
    }
}
