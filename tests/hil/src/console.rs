//! The lines that a guest and the emulator print, as they come.

use alloc::sync::Arc;
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// How many of the last lines an error shows.
const LAST: usize = 25;

/// The longest line, in bytes. What is longer is taken for several.
const LONGEST: u64 = 8192;

/// The moment in which this time is over: some day, if there is no such moment.
pub(crate) fn after(limit: Duration) -> Instant {
    const SOME_DAY: Duration = Duration::from_secs(u32::MAX as u64);
    let now = Instant::now();
    now.checked_add(limit).unwrap_or_else(|| now + SOME_DAY)
}

/// The lines so far. Clones are handles to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Console {
    shared: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Debug, Default)]
struct Lines {
    all: Vec<String>,
    /// Up to where a caller has waited.
    seen: usize,
    sources: usize,
}

/// Why no line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoLine {
    /// The guest has ended.
    Ended,
    /// The time is up.
    TimedOut,
}

impl Console {
    /// Takes the lines of `source` from now on, on a thread of its own.
    pub(crate) fn listen(&self, source: impl Read + Send + 'static) {
        self.lines().sources += 1;
        let console = self.clone();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while matches!((&mut source).take(LONGEST).read_until(b'\n', &mut line), Ok(count) if count > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                console.lines().all.push(text);
                console.shared.1.notify_all();
                line.clear();
            }
            console.lines().sources -= 1;
            console.shared.1.notify_all();
        });
    }

    /// Waits for a line, among those not waited for yet, that contains `text`.
    pub(crate) fn wait_for(&self, text: &str, limit: Duration) -> Result<String, NoLine> {
        let deadline = after(limit);
        let mut lines = self.lines();
        loop {
            while let Some(line) = lines.all.get(lines.seen).cloned() {
                lines.seen += 1;
                if line.contains(text) {
                    return Ok(line);
                }
            }
            if lines.sources == 0 {
                return Err(NoLine::Ended);
            }
            lines = self.wait(lines, deadline)?;
        }
    }

    /// Waits until nothing more can come.
    pub(crate) fn wait_for_end(&self, limit: Duration) -> Result<(), NoLine> {
        let deadline = after(limit);
        let mut lines = self.lines();
        while lines.sources > 0 {
            lines = self.wait(lines, deadline)?;
        }
        Ok(())
    }

    /// Whether nothing more can come.
    pub(crate) fn has_ended(&self) -> bool {
        self.lines().sources == 0
    }

    fn wait<'a>(
        &self,
        lines: MutexGuard<'a, Lines>,
        deadline: Instant,
    ) -> Result<MutexGuard<'a, Lines>, NoLine> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NoLine::TimedOut);
        }
        let waited = self.shared.1.wait_timeout(lines, left);
        Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// All lines so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lines().all.clone()
    }

    /// The last ones.
    pub(crate) fn last(&self) -> Vec<String> {
        let mut all = self.all();
        all.split_off(all.len().saturating_sub(LAST))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
