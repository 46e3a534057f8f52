//! How an image is booted.

use core::time::Duration;
use std::path::Path;

use crate::board::Nic;
use crate::guest::Guest;
use crate::toolchain::is_there;
use crate::{Board, HilError, Image, Relay, Side, instructions};

/// How long a guest may live.
const LIFETIME: Duration = Duration::from_secs(120);

/// An image to be booted, and all that can be chosen for it.
///
/// An example is in the documentation of the crate.
#[derive(Clone, Debug)]
#[must_use = "it boots when it is started"]
pub struct Boot {
    image: Image,
    board: Board,
    name: String,
    arguments: Vec<String>,
    network: Network,
    counted: bool,
    lifetime: Duration,
}

#[derive(Clone, Debug)]
enum Network {
    /// That of the emulator: the guest sees this machine as 10.0.2.2 and gets its own address by DHCP. Ports of it are ports here.
    User { forwards: Vec<(u16, u16)> },
    /// A wire to another guest.
    Wire {
        netdev: String,
        address: &'static str,
    },
}

impl Boot {
    /// To be booted on `board`, without arguments, in the emulator's own network.
    ///
    /// There, this machine is 10.0.2.2 for the guest, and a DHCP server has 10.0.2.15 for it.
    pub fn new(image: &Image, board: Board) -> Self {
        Self {
            image: image.clone(),
            board,
            name: image.name(),
            arguments: Vec::new(),
            network: Network::User {
                forwards: Vec::new(),
            },
            counted: false,
            lifetime: LIFETIME,
        }
    }

    /// What to call it in errors. By default the name of the image.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Hands the guest one more word, without spaces: it gets all of them by semihosting, in one line, after the name of the guest.
    pub fn argument(mut self, word: impl Into<String>) -> Self {
        self.arguments.push(word.into());
        self
    }

    /// Makes `port` of the guest a port of this machine, which the system chooses: [`Guest::address_of`].
    ///
    /// The emulator accepts connections there before the guest listens. So wait until the guest says that it does.
    pub fn forward(self, port: u16) -> Self {
        self.forward_from(0, port)
    }

    /// Makes `port` of the guest port `here` of this machine.
    pub fn forward_from(mut self, here: u16, port: u16) -> Self {
        if let Network::User { forwards } = &mut self.network {
            forwards.push((here, port));
        } else {
            self.network = Network::User {
                forwards: vec![(here, port)],
            };
        }
        self
    }

    /// Puts it at an end of a wire, instead of into the emulator's network. Each end has its own hardware address.
    pub fn wire(mut self, wire: &Relay, side: Side) -> Self {
        self.network = Network::Wire {
            netdev: wire.netdev(side),
            address: match side {
                Side::Left => "52:54:00:00:77:01",
                Side::Right => "52:54:00:00:77:02",
            },
        };
        self
    }

    /// Counts the instructions that it executes: [`Guest::finish`] then knows their number.
    ///
    /// It needs a C compiler, `cc`.
    pub const fn count_instructions(mut self) -> Self {
        self.counted = true;
        self
    }

    /// How long it may live, whatever it and the test do: then it is killed. By default 2 minutes.
    pub const fn lifetime(mut self, limit: Duration) -> Self {
        self.lifetime = limit;
        self
    }

    /// Boots it.
    ///
    /// # Errors
    ///
    /// [`HilError::NoImage`] and [`HilError::NoQemu`]; [`HilError::NotConfigured`]: it has a network, but the board has none. What the emulator itself has to complain of, it tells a moment later: see [`Guest`].
    pub fn start(&self) -> Result<Guest, HilError> {
        if !self.image.path().exists() {
            let path = self.image.path().to_owned();
            return Err(HilError::NoImage { path });
        }
        let program = self.board.qemu;
        if !is_there(program, "--version") {
            return Err(HilError::NoQemu { program });
        }
        let folder =
            tempfile::tempdir().map_err(HilError::system("making a folder for a guest"))?;
        let mut options = self.options(folder.path())?;
        if self.counted {
            let plugin = instructions::compile(folder.path(), program)?;
            options.extend(["-plugin".to_owned(), plugin.display().to_string()]);
        }
        Guest::start(&self.name, program, &options, folder, self.lifetime)
    }

    fn options(&self, folder: &Path) -> Result<Vec<String>, HilError> {
        let mut options: Vec<String> = self.board.machine.iter().map(ToString::to_string).collect();
        let mut add = |name: &str, value: String| options.extend([name.to_owned(), value]);
        for quiet in ["-display", "-monitor", "-serial"] {
            add(quiet, "none".to_owned());
        }
        if self.board.counts_time {
            add("-icount", "shift=5".to_owned());
        }
        let monitor = folder.join(MONITOR);
        add(
            "-qmp",
            format!("unix:{},server=on,wait=off", monitor.display()),
        );
        let mut semihosting = "enable=on,target=native".to_owned();
        for word in [&self.name].into_iter().chain(&self.arguments) {
            // A comma ends an option, two are one.
            semihosting += &format!(",arg={}", word.replace(',', ",,"));
        }
        add("-semihosting-config", semihosting);
        add("-kernel", self.image.path().display().to_string());
        let (netdev, mac) = match &self.network {
            Network::User { forwards } if self.board.nic == Nic::None => {
                if !forwards.is_empty() {
                    return Err(HilError::NotConfigured(NO_NIC));
                }
                add("-nic", "none".to_owned());
                return Ok(options);
            }
            Network::Wire { .. } if self.board.nic == Nic::None => {
                return Err(HilError::NotConfigured(NO_NIC));
            }
            Network::User { forwards } => {
                let mut netdev = "user,id=n0".to_owned();
                for (here, there) in forwards {
                    netdev += &format!(",hostfwd=tcp:127.0.0.1:{here}-:{there}");
                }
                (netdev, "52:54:00:12:34:56")
            }
            Network::Wire { netdev, address } => (netdev.clone(), *address),
        };
        add("-netdev", netdev);
        match self.board.nic {
            Nic::None => {}
            Nic::BuiltIn(model) => {
                add("-net", format!("nic,netdev=n0,model={model},macaddr={mac}"));
            }
            Nic::Device(model) => add("-device", format!("{model},netdev=n0,mac={mac}")),
        }
        let capture = folder.join(CAPTURE);
        add(
            "-object",
            format!("filter-dump,id=d0,netdev=n0,file={}", capture.display()),
        );
        Ok(options)
    }
}

const NO_NIC: &str = "the board has no network controller";

/// Files in the folder of a guest.
pub(crate) const CAPTURE: &str = "network.pcap";
pub(crate) const MONITOR: &str = "monitor";
