//! The rows of the tour: one kind of stream each.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use clap::ValueEnum;
use futures_util::future::try_join;
use tacket::testing::{MemoryPair, MemoryPipe};
use tacket::{Connect as _, Listen as _, Listener as _, LocalAddress as _, StapledStream, Stream};
use tacket_embassy::NetError;
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_std::{IoError, TcpListener, TcpStream};

#[cfg(unix)]
use crate::firmware_rows::{client as firmware_client, server as firmware_server};
use crate::tls_rows;
use crate::visit::{Failure, Visit};

/// A kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// A pair of streams in memory
    Memory,
    /// Two one-way pipes in memory for each direction, stapled
    Stapled,
    /// TCP on this machine
    Tcp,
    /// TCP between two microcontroller network stacks in this process
    Embassy,
    /// The pipes of a child process, stapled
    Pipes,
    /// TLS over TCP
    Tls,
    /// TLS through a proxy that is spoken to in TLS
    TlsInTls,
    /// TLS over the pipes of a child process
    TlsPipes,
    /// TCP to a microcontroller in QEMU, which serves
    FirmwareServer,
    /// TCP from a microcontroller in QEMU
    FirmwareClient,
}

impl Row {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Stapled => "stapled",
            Self::Tcp => "tcp",
            Self::Embassy => "embassy",
            Self::Pipes => "pipes",
            Self::Tls => "tls",
            Self::TlsInTls => "tls-in-tls",
            Self::TlsPipes => "tls-pipes",
            Self::FirmwareServer => "firmware-server",
            Self::FirmwareClient => "firmware-client",
        }
    }

    /// Whether it needs what not every machine has: an emulator, and a compiler for its target.
    pub(crate) const fn is_firmware(self) -> bool {
        matches!(self, Self::FirmwareServer | Self::FirmwareClient)
    }

    /// From the protocols down.
    pub(crate) const fn layers(self) -> &'static [&'static str] {
        match self {
            Self::Memory => &["echo, telemetry", "memory pair"],
            Self::Stapled => &["echo, telemetry", "StapledStream", "memory pipes"],
            Self::Tcp => &["echo, telemetry", "TCP"],
            Self::Embassy => &["echo, telemetry", "TCP of embassy-net", "wire in memory"],
            Self::Pipes => &["echo, telemetry", "StapledStream", "child's pipes"],
            Self::Tls => &["echo, telemetry", "TLS", "TCP"],
            Self::TlsInTls => &["echo, telemetry", "TLS", "tunnel", "TLS", "TCP"],
            Self::TlsPipes => &["echo, telemetry", "TLS", "StapledStream", "child's pipes"],
            Self::FirmwareServer | Self::FirmwareClient => {
                &["echo, telemetry", "TCP", "Cortex-M3 in QEMU"]
            }
        }
    }

    /// Runs the protocols over this kind of stream. Returns the time that the echo took.
    pub(crate) async fn take(self, visit: &Visit<'_>) -> Result<Duration, Failure> {
        match self {
            Self::Memory => memory(visit).await,
            Self::Stapled => stapled(visit).await,
            Self::Tcp => tcp(visit).await,
            Self::Embassy => embassy(visit),
            Self::Pipes => pipes(visit).await,
            Self::Tls => tls_rows::tls(visit).await,
            Self::TlsInTls => tls_rows::tls_in_tls(visit).await,
            Self::TlsPipes => tls_rows::tls_pipes(visit).await,
            Self::FirmwareServer => firmware_server(visit).await,
            Self::FirmwareClient => firmware_client(visit).await,
        }
    }
}

async fn memory(visit: &Visit<'_>) -> Result<Duration, Failure> {
    let pair = MemoryPair::new(Visit::buffer(), Visit::buffer());
    let (client, server) = pair.open().ok_or_else(still_open)?;
    visit.telemetry(client, server).await?;
    let (client, server) = pair.open().ok_or_else(still_open)?;
    visit.echo(client, server).await
}

async fn stapled(visit: &Visit<'_>) -> Result<Duration, Failure> {
    let (there, back) = (
        MemoryPipe::new(Visit::buffer()),
        MemoryPipe::new(Visit::buffer()),
    );
    let (client, server) = staple_crosswise(&there, &back)?;
    visit.telemetry(client, server).await?;
    let (client, server) = staple_crosswise(&there, &back)?;
    visit.echo(client, server).await
}

fn staple_crosswise<'p>(
    there: &'p MemoryPipe<Vec<u8>>,
    back: &'p MemoryPipe<Vec<u8>>,
) -> Result<(impl Stream + 'p, impl Stream + 'p), Failure> {
    let (to_server, from_client) = there.open().ok_or_else(still_open)?;
    let (to_client, from_server) = back.open().ok_or_else(still_open)?;
    let client = StapledStream::new(to_server, from_server);
    let server = StapledStream::new(to_client, from_client);
    Ok((client, server))
}

fn still_open() -> Failure {
    Failure::Failed("an end of the first connection was left behind".to_owned())
}

async fn tcp(visit: &Visit<'_>) -> Result<Duration, Failure> {
    let mut listener = listen()?;
    let (client, server) = connect(&mut listener).await?;
    visit.telemetry(client, server).await?;
    let (client, server) = connect(&mut listener).await?;
    visit.echo(client, server).await
}

/// The wire drives both stacks, and what runs on them, in its own time. Only the measured time is that of this machine.
fn embassy(visit: &Visit<'_>) -> Result<Duration, Failure> {
    const BUFFER: usize = 16 * 1024;
    let wire = Wire::new(1, Impairments::none());
    let client = wire.net::<2, BUFFER, BUFFER, 0>(Side::Left, tacket_embassy::Options::new());
    let server = wire.net::<2, BUFFER, BUFFER, 0>(Side::Right, tacket_embassy::Options::new());
    wire.run(async {
        let there = Side::Right.port(7);
        let mut listener = server.listen(there).await.map_err(on_embassy)?;
        let connection = try_join(client.connect(there), listener.accept()).await;
        let (near, far) = connection.map_err(on_embassy)?;
        Visit::telemetry_by(&client, near, far).await?;
        let connection = try_join(client.connect(there), listener.accept()).await;
        let (near, far) = connection.map_err(on_embassy)?;
        visit.echo(near, far).await
    })
}

fn on_embassy(error: NetError) -> Failure {
    Failure::new("network stack", error)
}

/// On this machine, wherever there is room.
pub(crate) fn listen() -> Result<TcpListener, IoError> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

pub(crate) async fn connect(listener: &mut TcpListener) -> Result<(TcpStream, TcpStream), IoError> {
    let address = listener.local_addr()?;
    try_join(TcpStream::connect(address), listener.accept()).await
}

#[cfg(unix)]
async fn pipes(visit: &Visit<'_>) -> Result<Duration, Failure> {
    use crate::child::Child;
    use crate::options::Protocol;

    let (child, stream) = Child::start(visit, Protocol::Telemetry, None)?;
    child.outlive(visit.telemetry_client(stream)).await?;
    let (child, stream) = Child::start(visit, Protocol::Echo, None)?;
    child.outlive(visit.echo_client(stream)).await
}

#[cfg(not(unix))]
async fn pipes(_: &Visit<'_>) -> Result<Duration, Failure> {
    Err(Failure::Unavailable("no pipes on this system yet"))
}

#[cfg(not(unix))]
async fn firmware_server(_: &Visit<'_>) -> Result<Duration, Failure> {
    Err(Failure::Unavailable("no guests on this system yet"))
}

#[cfg(not(unix))]
async fn firmware_client(_: &Visit<'_>) -> Result<Duration, Failure> {
    Err(Failure::Unavailable("no guests on this system yet"))
}
