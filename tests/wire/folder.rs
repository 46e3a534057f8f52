//! Files for a peer: certificates, settings, what it writes.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::path::PathBuf;

/// A folder of one test. Dropping it deletes it.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tacket-wire-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path }
    }

    /// The path of a file in it, as an argument of a command.
    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.path.join(name).into_os_string();
        path.into_string()
            .expect("the folder for temporary files has a name in Unicode")
    }

    /// Writes a file, and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.file(name);
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{path}: {error}"));
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let path = self.file(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be deleted stays where temporary files are.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
