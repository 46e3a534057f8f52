//! Why no connection came about.

use core::fmt;
use core::net::SocketAddr;

use embedded_io_async::ErrorKind;

use crate::{Error, Fault};

/// How many bytes of a host's name an error keeps.
const KEPT: usize = 64;

/// Why a connection to a name did not come about, with the error of each attempt.
///
/// It says which host was meant. Of a name of more than 64 bytes it has the beginning.
#[derive(Clone, Debug)]
pub struct OpenError<E, const A: usize = 8> {
    peer: Peer,
    cause: Cause<E, A>,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub(super) enum Cause<E, const A: usize> {
    Resolve(E),
    NoAddress,
    TooManyAddresses(usize),
    /// In the order of the attempts.
    Attempts([Option<(SocketAddr, E)>; A]),
}

impl<E, const A: usize> OpenError<E, A> {
    pub(super) const fn new(peer: Peer, cause: Cause<E, A>) -> Self {
        Self { peer, cause }
    }

    /// The addresses that were tried, in that order, and what went wrong with each. None, if it did not come to that.
    pub fn attempts(&self) -> impl Iterator<Item = (SocketAddr, &E)> {
        let attempts: &[_] = match &self.cause {
            Cause::Attempts(attempts) => attempts,
            _ => &[],
        };
        attempts
            .iter()
            .flatten()
            .map(|(address, error)| (*address, error))
    }

    /// The one error that there is: that of the resolver, or of the first attempt.
    fn first(&self) -> Option<&E> {
        match &self.cause {
            Cause::Resolve(error) => Some(error),
            _ => self.attempts().next().map(|(_, error)| error),
        }
    }
}

impl<E, const A: usize> fmt::Display for OpenError<E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = &self.peer;
        match &self.cause {
            Cause::Resolve(_) => write!(f, "the addresses of {peer} could not be asked for"),
            Cause::NoAddress => write!(f, "no results found for hostname lookup: {peer}"),
            Cause::TooManyAddresses(found) => {
                write!(f, "{peer} has {found} addresses, and there is room for {A}")
            }
            Cause::Attempts(_) => write!(f, "all attempts to connect to {peer} failed"),
        }
    }
}

impl<E: core::error::Error + 'static, const A: usize> core::error::Error for OpenError<E, A> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.first().map(|error| {
            let error: &(dyn core::error::Error + 'static) = error;
            error
        })
    }
}

impl<E: Error + 'static, const A: usize> embedded_io_async::Error for OpenError<E, A> {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl<E: Error + 'static, const A: usize> Error for OpenError<E, A> {
    /// Of several attempts: what all have in common, else [`Fault::Broken`].
    fn fault(&self) -> Fault {
        let first = match (&self.cause, self.first()) {
            (Cause::TooManyAddresses(_), _) => return Fault::Capacity,
            (_, None) => return Fault::Broken,
            (_, Some(first)) => first.fault(),
        };
        let is_common = self.attempts().all(|(_, error)| error.fault() == first);
        if is_common { first } else { Fault::Broken }
    }
}

/// A host and a port, as they are written.
#[derive(Clone)]
pub(super) struct Peer {
    host: [u8; KEPT],
    length: usize,
    is_cut: bool,
    port: u16,
}

impl Peer {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let length = host.floor_char_boundary(KEPT);
        let mut kept = [0; KEPT];
        for (place, byte) in kept.iter_mut().zip(host.bytes().take(length)) {
            *place = byte;
        }
        Self {
            host: kept,
            length,
            is_cut: length < host.len(),
            port,
        }
    }

    fn host(&self) -> &str {
        let host = self.host.get(..self.length).unwrap_or_default();
        core::str::from_utf8(host).unwrap_or_default()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.host(), self.port);
        match (host.contains(':'), self.is_cut) {
            (true, _) => write!(f, "[{host}]:{port}"),
            (false, true) => write!(f, "{host}...:{port}"),
            (false, false) => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
