//! Descriptors of processes, which become readable when the process ends.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A descriptor of a process.
#[derive(Debug)]
pub(crate) struct ProcessDescriptor(OwnedFd);

impl ProcessDescriptor {
    /// Opens that of the child `id`, which has not been reaped. `None` where the system has none, or keeps it back.
    pub(crate) fn open(id: u32) -> io::Result<Option<Self>> {
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        let Some(id) = id else { return Ok(None) };
        match pidfd_open(id, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(Self(descriptor))),
            Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}

impl event::Source for ProcessDescriptor {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}
