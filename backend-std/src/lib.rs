//! Tacket on the desktop: sockets, pipes, timers and an executor over `mio`.
//!
//! [`run`] drives a future on the calling thread; [`TaskGroup`] runs several inside it, [`spawn`] starts tasks beside it, and
//! [`run_on_all_cores`] does all of that once a processor. Everything belongs to the thread that made it, and nothing here locks, or
//! allocates, for an operation. SPEED.md, beside this crate's manifest, has what that comes to, beside a loop by hand, tokio, smol and threads.
//!
//! [`Net`] is all of it as a [`tacket::Network`], for programs that run on a microcontroller too; what it gives out,
//! [`TcpStream`], [`TcpListener`] and [`UdpSocket`], can be made without it. Only a lookup of a name allocates, and starts a thread.
//! On Unix there are `UnixStream`, `UnixListener` and pipes.
//!
//! [`Child`] is a process that this one starts, with its pipes; [`StopSignal`] hears of Ctrl-C, for a server that is to finish what it has begun.
//!
//! # Beside tokio and smol
//!
//! What waits for a socket, a pipe, a child, a signal or a time of this crate is woken by [`run`], so it has to be awaited inside one, on its own
//! thread. Elsewhere an operation that would have to wait is [`Fault::Unsupported`](tacket::Fault::Unsupported), and does not hang; a
//! [`MonotonicClock`], which has no errors, panics, and so does [`spawn`]. A `block_on` of another executor inside a `run` blocks that `run`'s
//! thread, and with it whatever would have woken it: await there instead.
//!
//! * Whatever is woken by wakers alone can be awaited inside `run`: channels and locks of tokio, smol and others, from any thread; and a
//!   `LocalExecutor` of smol or a `LocalSet` of tokio can be between `run` and streams of this crate.
//! * Sockets and timers of smol (`async-io`) work inside `run`, because a thread of their own wakes them. Those of tokio do while a runtime of tokio runs
//!   on other threads and has been entered (`Runtime::enter`).
//! * A protocol needs none of this to run on tokio or smol: it takes any [`tacket::Stream`], and the halves of a socket of theirs are one, each wrapped
//!   in [`tacket::Foreign`], and stapled.
//! * `std`'s sockets become those of this crate by `TryFrom`; the other way round, streams do by [`into_std`](TcpStream::into_std), and the port
//!   of a listener by [`to_std`](TcpListener::to_std).
//!
//! # Systems
//!
//! Linux is what the tests run on. macOS and FreeBSD share its code paths; on Windows there are no pipes yet.
//!
//! ```
//! use tacket::{AsyncResource, Listener, LocalAddress, ReceiveStream, SendStream};
//! use tacket_std::{IoError, TaskGroup, TcpListener, TcpStream};
//!
//! tacket_std::run(async {
//!     let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
//!     let address = listener.local_addr()?;
//!     TaskGroup::run(async |group| {
//!         group.spawn(async move {
//!             let mut stream = listener.accept().await?;
//!             stream.send_all(b"hello").await?;
//!             stream.close().await
//!         });
//!         let mut stream = TcpStream::connect(address).await?;
//!         let mut buf = [0; 16];
//!         assert_eq!(stream.receive_some(&mut buf).await?, 5);
//!         assert_eq!(stream.receive_some(&mut buf).await?, 0); // the end
//!         stream.close().await
//!     })
//!     .await
//! })??;
//! # Ok::<(), IoError>(())
//! ```

extern crate alloc;

mod accept;
mod all_cores;
mod catch_panic;
mod clock;
mod endpoint;
mod error;
mod exit;
mod net;
#[cfg(unix)]
mod pipe;
mod process;
#[cfg(any(target_os = "android", target_os = "linux"))]
mod process_descriptor;
mod reactor;
mod readiness;
mod reaper;
mod resolve;
mod retry;
mod run;
mod signal;
#[cfg(unix)]
mod signal_unix;
#[cfg(windows)]
mod signal_windows;
mod socket;
mod socket_halves;
mod socket_kind;
mod source;
mod spawn;
mod task_group;
mod tasks;
mod tcp;
mod tcp_listener;
mod timer;
mod udp;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod unix_listener;
mod wake;

pub use all_cores::run_on_all_cores;
pub use catch_panic::{CatchPanic, CatchPanicError};
pub use clock::MonotonicClock;
pub use error::IoError;
pub use net::Net;
#[cfg(unix)]
pub use pipe::{PipeReceiveStream, PipeSendStream};
pub use process::Child;
pub use run::run;
pub use signal::StopSignal;
pub use socket::SocketStream;
pub use socket_halves::{SocketReceiving, SocketSending};
pub use socket_kind::Tcp;
#[cfg(unix)]
pub use socket_kind::Unix;
pub use spawn::{SpawnedTask, spawn};
pub use task_group::TaskGroup;
pub use tcp::{OwnedTcpReceiving, OwnedTcpSending, TcpReceiving, TcpSending, TcpStream};
pub use tcp_listener::TcpListener;
pub use udp::{UdpReceiving, UdpSending, UdpSocket};
#[cfg(unix)]
pub use unix::{OwnedUnixReceiving, OwnedUnixSending, UnixReceiving, UnixSending, UnixStream};
#[cfg(unix)]
pub use unix_listener::UnixListener;
