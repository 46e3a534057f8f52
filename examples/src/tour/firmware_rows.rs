//! The rows with firmware: a microcontroller in QEMU at one end of the connection, this machine at the other.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::Path;

use futures_util::future::{Either, select};
use tacket::{Clock as _, Listener as _, LocalAddress as _};
use tacket_examples::echo;
use tacket_examples::telemetry::{self, Thermostat};
use tacket_hil::{Board, Boot, Firmware, Guest, HilError, Target};
use tacket_std::{TcpListener, TcpStream};

use crate::rows::listen;
use crate::visit::{Failure, Visit};

/// The port of this machine, as the guest sees it.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

const LOOK: Duration = Duration::from_millis(50);

/// The firmware serves.
pub(crate) async fn server(visit: &Visit<'_>) -> Result<Duration, Failure> {
    let [telemetry, echo] = boots(visit, ["telemetry_server", "echo_server"])?;

    let (mut guest, address) = start_server(telemetry, 8)?;
    let stream = TcpStream::connect(address).await?;
    let summary = visit.telemetry_client(stream);
    let summary = beside(&mut guest, visit, summary).await?;
    let (requests, samples) = (summary.requests, summary.samples);
    agree(
        guest,
        &format!("served {requests} requests, {samples} samples"),
    )?;

    let (mut guest, address) = start_server(echo, 7)?;
    let stream = TcpStream::connect(address).await?;
    let time = beside(&mut guest, visit, visit.echo_client(stream)).await?;
    agree(guest, &format!("echoed {} bytes", visit.bytes))?;
    Ok(time)
}

/// The firmware is the client.
pub(crate) async fn client(visit: &Visit<'_>) -> Result<Duration, Failure> {
    let [telemetry, echo] = boots(visit, ["telemetry_client", "echo_client"])?;

    let (mut guest, mut listener) = start_client(telemetry)?;
    let serving = async {
        let stream = listener.accept().await?;
        let mut thermostat = Thermostat::new();
        let served = telemetry::serve(stream, &mut thermostat, &visit.clock).await;
        served.map_err(|error| Failure::new("telemetry server", error))
    };
    let served = beside(&mut guest, visit, serving).await?;
    let (requests, samples) = (served.requests, served.samples);
    agree(guest, &format!("{requests} requests, {samples} samples"))?;

    let (mut guest, mut listener) = start_client(echo.argument(format!("bytes={}", visit.bytes)))?;
    let serving = async {
        let stream = listener.accept().await?;
        let start = visit.clock.now();
        let echoed = echo::serve(stream, &mut Visit::buffer()).await;
        let echoed = echoed.map_err(|error| Failure::new("echo server", error))?;
        visit.progress.show(echoed);
        Ok(visit.clock.now().saturating_sub(start))
    };
    let time = beside(&mut guest, visit, serving).await?;
    agree(guest, &format!("{} bytes came back", visit.bytes))?;
    Ok(time)
}

/// Images of the firmware beside this program's source, built if they are not yet, to be booted.
fn boots<const N: usize>(visit: &Visit<'_>, names: [&str; N]) -> Result<[Boot; N], Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware");
    let firmware = Firmware::in_folder(folder).package("tacket-firmware");
    let images = visit
        .progress
        .suspend(|| firmware.build_all(Target::THUMBV7M, names))?;
    Ok(images.map(|image| Boot::new(&image, Board::MPS2_AN385).lifetime(visit.limit)))
}

fn start_server(boot: Boot, port: u16) -> Result<(Guest, SocketAddr), Failure> {
    let mut guest = boot.argument("clients=1").forward(port).start()?;
    guest.wait_for("listening")?;
    let address = guest.address_of(port)?;
    Ok((guest, address))
}

fn start_client(boot: Boot) -> Result<(Guest, TcpListener), Failure> {
    let listener = listen()?;
    let server = SocketAddr::from((HERE, listener.local_addr()?.port()));
    let guest = boot.argument(format!("server={server}")).start()?;
    Ok((guest, listener))
}

/// Awaits this machine's side of a conversation, but not after the guest has failed.
async fn beside<T>(
    guest: &mut Guest,
    visit: &Visit<'_>,
    side: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let watching = async {
        loop {
            if let Err(error) = guest.check() {
                return error;
            }
            visit.clock.sleep_until(visit.clock.now() + LOOK).await;
        }
    };
    match select(core::pin::pin!(side), core::pin::pin!(watching)).await {
        Either::Left((result, _)) => result,
        Either::Right((error, _)) => Err(error.into()),
    }
}

/// Demands that the guest says this, and then ends content.
fn agree(mut guest: Guest, what: &str) -> Result<(), Failure> {
    guest.wait_for(what)?;
    guest.finish()?;
    Ok(())
}

impl From<HilError> for Failure {
    fn from(error: HilError) -> Self {
        Self::Failed(error.to_string())
    }
}
