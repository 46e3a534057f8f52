//! Another process that is one part of a measurement. It lives no longer than its handle.

use core::net::SocketAddr;
use core::time::Duration;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use clap::{Args, Subcommand};

use crate::peers::PeerName;
use crate::plan::Setting;
use crate::speed::Failure;
use crate::speed::choices::name;
use crate::speed::role::{GO, LISTENING, Role};
use crate::speed::values::{Values, from_json};

#[derive(Debug, Subcommand)]
pub(crate) enum Play {
    /// Be one part of a measurement
    Part(PartOptions),
}

/// What one process of a measurement does.
#[derive(Clone, Debug, Args)]
pub(crate) struct PartOptions {
    pub(crate) role: Role,

    pub(crate) peer: PeerName,

    /// How many round trips, pieces or connections there are
    pub(crate) count: u64,

    /// How many bytes a piece has, or how many connections a crowd
    #[arg(long, default_value_t = 1)]
    pub(crate) size: usize,

    /// Run on this processor alone
    #[arg(long)]
    pub(crate) cpu: Option<usize>,

    /// Where the other end listens
    #[arg(long)]
    pub(crate) address: Option<SocketAddr>,

    /// Look at no clock for a round trip
    #[arg(long)]
    pub(crate) untimed: bool,

    #[command(flatten)]
    pub(crate) setting: Setting,
}

impl PartOptions {
    pub(crate) fn new(role: Role, peer: PeerName, count: u64) -> Self {
        Self {
            role,
            peer,
            count,
            size: 1,
            cpu: None,
            address: None,
            untimed: false,
            setting: Setting::default(),
        }
    }

    /// The words of a command line that says the same.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec![
            "part".to_owned(),
            name(self.role),
            name(self.peer),
            self.count.to_string(),
            format!("--size={}", self.size),
        ];
        words.extend(self.cpu.map(|cpu| format!("--cpu={cpu}")));
        words.extend(self.address.map(|address| format!("--address={address}")));
        words.extend(self.untimed.then(|| "--untimed".to_owned()));
        words.extend(self.setting.word());
        words
    }
}

/// How long a part may be silent. The longest measurement takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Part {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    words: String,
}

impl Part {
    pub(crate) fn start(options: &PartOptions) -> Result<Self, Failure> {
        let words = options.words();
        let mut child = Command::new(env::current_exe()?)
            .args(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            stdin,
            lines,
            words: words.join(" "),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it says next.
    pub(crate) fn line(&self) -> Result<String, Failure> {
        let line = self.lines.recv_timeout(PATIENCE);
        line.map_err(|error| format!("`{}` says nothing: {error}", self.words).into())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr, Failure> {
        let line = self.line()?;
        let address = line.strip_prefix(LISTENING);
        let address = address.ok_or_else(|| format!("`{}` said {line:?}", self.words))?;
        Ok(address.parse()?)
    }

    /// Waits until it says `place`.
    pub(crate) fn wait_for(&self, place: &str) -> Result<(), Failure> {
        match self.line()? {
            line if line == place => Ok(()),
            line => Err(format!("`{}` said {line:?}, not {place:?}", self.words).into()),
        }
    }

    pub(crate) fn go(&mut self) -> Result<(), Failure> {
        Ok(writeln!(self.stdin, "{GO}")?)
    }

    /// What it measured, once it is over.
    pub(crate) fn values(mut self) -> Result<Values, Failure> {
        let values = from_json(&self.line()?)?;
        let status = self.child.wait()?;
        match status.success() {
            true => Ok(values),
            false => Err(format!("`{}` ended with {status}", self.words).into()),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It fails only for what has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
