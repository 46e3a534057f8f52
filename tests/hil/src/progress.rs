//! What takes long, for whoever is watching.

use core::time::Duration;
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget};

/// A line that moves on a terminal, and nothing anywhere else; on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn start(what: String) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar.set_message(what.clone());
            bar
        });
        Self { what, bar }
    }

    pub(crate) fn show(&self, now: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {}", self.what, now.trim()));
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
