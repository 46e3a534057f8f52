//! Who is measured.

use crate::peers::PeerName;
use crate::plan::Setting;
use crate::speed::Failure;
use crate::speed::choices::name;
use crate::speed::part::{Part, PartOptions};
use crate::speed::role::{CONNECTED, FIRST, Role};
use crate::speed::system;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contender {
    pub(crate) peer: PeerName,
    pub(crate) setting: Setting,
}

impl Contender {
    /// Its name in what is printed.
    pub(crate) fn label(self) -> String {
        format!("{}{}", name(self.peer), self.setting.suffix())
    }

    pub(crate) fn part(self, role: Role, count: u64) -> PartOptions {
        PartOptions {
            setting: self.setting,
            ..PartOptions::new(role, self.peer, count)
        }
    }

    /// A server on the one processor, and a crowd of clients, connected and waiting, on the other. Returns what memory the server
    /// has got for each but the first, in KiB.
    pub(crate) fn crowd(
        self,
        connections: usize,
        rounds: u64,
        [here, there]: [usize; 2],
    ) -> Result<(Part, Part, f64), Failure> {
        let mut server = self.part(Role::Serve, 0);
        server.cpu = Some(here);
        let server = Part::start(&server)?;
        let mut crowd = PartOptions::new(Role::Crowd, PeerName::RawMio, rounds);
        crowd.cpu = Some(there);
        crowd.size = connections;
        crowd.address = Some(server.address()?);
        let mut crowd = Part::start(&crowd)?;

        crowd.wait_for(FIRST)?;
        let memory = system::memory_of(server.id())?;
        crowd.go()?;
        crowd.wait_for(CONNECTED)?;
        let memory = system::memory_of(server.id())? - memory;
        Ok((server, crowd, memory / 1024.0 / (connections - 1) as f64))
    }
}

/// How much that is.
pub(crate) fn gigabytes(size: usize, count: u64) -> f64 {
    size as f64 * count as f64 / 1e9
}
