//! Accepting connections, on sockets of every kind.

use core::future::poll_fn;
use core::task::Poll;
use std::io;

use socket2::Socket;

use crate::error::{IoError, Operation, is_ignorable_on_accept};
use crate::source::{Direction, Moved, Source};

/// How many connections in a row can fail before they are accepted until that is a failure of the listener.
const MOST_IGNORED: usize = 1000;

/// Rejects what does not listen, where the system can tell.
pub(crate) fn check_listens(socket: &Socket) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "linux"))]
    if !socket.is_listener()? {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the socket does not listen",
        ));
    }
    let _ = socket;
    Ok(())
}

/// A connection, as an operation of the system.
struct Accepted<S>(S);

impl<S> Moved for Accepted<S> {
    const CONVERSES: bool = false;

    fn moved(&self) -> usize {
        1
    }
}

/// Waits for a connection, and passes over those that failed before they were accepted.
pub(crate) async fn accept<L: mio::event::Source, S>(
    listener: &Source<L>,
    operation: impl Fn(&L) -> io::Result<S>,
) -> Result<S, IoError> {
    let mut ignored = 0;
    let accepted = poll_fn(|cx| {
        loop {
            let accept = |listener: &L| operation(listener).map(Accepted);
            match listener.poll_io(Direction::Read, cx, 1, accept) {
                Poll::Ready(Err(error))
                    if ignored < MOST_IGNORED && is_ignorable_on_accept(&error) =>
                {
                    ignored += 1;
                }
                accepted => return accepted,
            }
        }
    });
    match accepted.await {
        Ok(Accepted(socket)) => Ok(socket),
        Err(error) => Err(IoError::new(Operation::Accept, error)),
    }
}
