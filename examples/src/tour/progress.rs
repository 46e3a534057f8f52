//! Where a row stands, for whoever is watching.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const BAR: &str = "{prefix:<15} {bar:32} {binary_bytes:>10} of {binary_total_bytes}, {binary_bytes_per_sec} each way";

/// A bar on a terminal, lines anywhere else; on standard error.
pub(crate) struct Progress {
    row: &'static str,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn start(row: &'static str, bytes: u64) -> Self {
        let style = ProgressStyle::with_template(BAR);
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(row);
            bar
        });
        if bar.is_none() {
            line(row, "starts");
        }
        Self { row, bar }
    }

    /// So many bytes are verified.
    pub(crate) fn show(&self, verified: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(verified);
        }
    }

    /// Makes room on the terminal for what `work` shows there.
    #[cfg(unix)]
    pub(crate) fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(work),
            None => work(),
        }
    }

    pub(crate) fn finish(&self, outcome: &str) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => line(self.row, outcome),
        }
    }
}

/// Nobody may be reading any more, which is no reason to fail.
fn line(row: &str, text: &str) {
    use std::io::Write as _;
    let _: Result<(), _> = writeln!(std::io::stderr(), "{row}: {text}");
}
