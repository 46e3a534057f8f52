//! A thermostat over DTLS: the telemetry protocol in datagrams, over one socket of a server that tells clients apart by their addresses.
//!
//! `cargo run --release --bin thermostat -- serve` says where it is, and the fingerprint of its certificate;
//! `cargo run --release --bin thermostat -- ask ADDRESS FINGERPRINT` prints its readings.

#![allow(
    clippy::large_futures,
    reason = "a desktop program has the stack for them"
)]

mod options;

use core::cell::RefCell;
use core::error::Error;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU16;
use core::pin::pin;
use core::time::Duration;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use futures_util::TryFutureExt as _;
use futures_util::future::{Either, select, try_join};
use tacket::{AsyncResource as _, LocalAddress as _, timeout};
use tacket_examples::telemetry::datagrams::{Client, serve};
use tacket_examples::telemetry::{Access, Entry, Sample, Thermostat};
use tacket_std::{MonotonicClock, StopSignal, UdpSocket};
use tacket_tls::{
    DtlsChannel, DtlsClientConfig, DtlsEndpoint, DtlsIdentity, DtlsServerConfig, DtlsTrust,
};

use crate::options::{Options, Question, Role};

/// How many clients are served at the same time.
const CLIENTS: usize = 100;
/// How long a handshake may take, and how long a client may say nothing: six times as long as one that only listens does.
const HANDSHAKE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);
/// Between two samples, in milliseconds.
const INTERVAL: NonZeroU16 = NonZeroU16::new(100).expect("not 0");

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.role {
        Role::Serve { address } => tacket_std::run(be_one(*address)),
        Role::Ask(question) => tacket_std::run(ask(question)),
    };
    let failure = match done {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    };
    say(&failure.to_string());
    ExitCode::FAILURE
}

/// Serves until it is asked to stop. Then every client is told that this is the end.
async fn be_one(address: SocketAddr) -> Result<(), Failure> {
    let mut signal = StopSignal::new()?; // before anybody can connect
    let identity = new_identity()?;
    let certificate = identity.fingerprint();
    let socket = UdpSocket::bind(address)?;
    let address = socket.local_addr()?;
    let endpoint = DtlsEndpoint::new(socket, MonotonicClock::new())?;
    say(&format!(
        "listening on {address}, certificate {certificate}"
    ));

    let config = DtlsServerConfig::new(identity);
    let thermostat = RefCell::new(Thermostat::new());
    let handler = async |channel: DtlsChannel<UdpSocket>| {
        let clock = MonotonicClock::new();
        timeout(&clock, HANDSHAKE, channel.do_handshake()).await??;
        serve(channel, &mut &thermostat, &clock, SILENCE).await?;
        Ok::<_, Failure>(())
    };
    let serving = endpoint
        .serve(&config, CLIENTS, handler)
        .map_err(Failure::from);
    let stopping = async {
        signal.received().await?;
        endpoint.clone().close().await?;
        Ok(())
    };
    let (served, ()) = try_join(serving, stopping).await?;
    say(&format!("served {} clients", served.completed));
    Ok(())
}

/// Asks a thermostat, and prints what it says. However that ends, the thermostat is told.
async fn ask(question: &Question) -> Result<(), Failure> {
    let clock = MonotonicClock::new();
    let local = match question.address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let endpoint = DtlsEndpoint::new(UdpSocket::bind(local)?, clock)?;
    let trust = DtlsTrust::in_certificates([question.certificate])?;
    let name = question.address.ip().to_string();
    let channel = endpoint.connect(question.address, &DtlsClientConfig::new(trust)?, &name)?;
    match timeout(&clock, HANDSHAKE, channel.do_handshake()).await {
        Ok(done) => done?,
        Err(_) => return Err(format!("nobody answers at {}", question.address).into()),
    }
    let mut client = Client::new(channel, &clock);
    let asked = until_stopped(converse(&mut client, question)).await;
    let told = client.close().await;
    let closed = endpoint.close().await;
    match asked {
        Err(failure) if !is_unread(&*failure) => return Err(failure),
        _ => {}
    }
    told?;
    Ok(closed?)
}

/// Awaits `asking`, but no longer than this program may.
async fn until_stopped(asking: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut signal = StopSignal::new()?;
    match select(pin!(asking), pin!(signal.received())).await {
        Either::Left((asked, _)) => asked,
        Either::Right((received, _)) => {
            received?;
            Err("stopped".into())
        }
    }
}

/// Sets what is to be set, and prints all that is asked for.
async fn converse(
    client: &mut Client<'_, DtlsChannel<UdpSocket>, MonotonicClock>,
    question: &Question,
) -> Result<(), Failure> {
    if let Some(value) = question.set {
        client.set(Thermostat::SETPOINT, value).await?;
    }
    let mut entries = Vec::new();
    client.list(|entry| entries.push(entry)).await?;
    for Entry { name, access } in entries {
        let value = degrees(client.read(name).await?);
        match access {
            Access::Writable { least, greatest } => {
                let (least, greatest) = (degrees(least), degrees(greatest));
                print(&format!("{name} {value}, from {least} to {greatest}"))?;
            }
            _ => print(&format!("{name} {value}"))?,
        }
    }
    let Some(count) = NonZeroU16::new(question.samples) else {
        return Ok(());
    };
    let reading = Thermostat::TEMPERATURE;
    client.subscribe(reading, INTERVAL, count).await?;
    while let Some(Sample { sequence, value }) = client.next_sample().await? {
        print(&format!("sample {sequence}: {}", degrees(value)))?;
    }
    Ok(())
}

/// One that nobody knows yet.
fn new_identity() -> Result<DtlsIdentity, Failure> {
    let made = rcgen::generate_simple_self_signed(["thermostat.example".to_owned()])?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    Ok(DtlsIdentity::from_pem(&certificate, &key)?)
}

fn degrees(thousandths: i32) -> String {
    format!("{:.3}", f64::from(thousandths) / 1000.0)
}

fn print(line: &str) -> Result<(), io::Error> {
    writeln!(io::stdout(), "{line}")
}

/// Whether nobody reads what is printed any more, who has seen enough then.
fn is_unread(failure: &(dyn Error + 'static)) -> bool {
    let failure = failure.downcast_ref::<io::Error>();
    failure.is_some_and(|failure| failure.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells the user. Nobody may be listening.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}
