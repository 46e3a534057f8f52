//! A server in a process of its own, at the other end of two pipes.

use core::time::Duration;
use std::env;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use clap::ValueEnum as _;
use tacket::{CloseOnEof, StapledStream, Stream, timeout};
use tacket_examples::echo;
use tacket_examples::telemetry::{self, Thermostat};
use tacket_std::{MonotonicClock, PipeReceiveStream, PipeSendStream};

use crate::identity::Identity;
use crate::options::Protocol;
use crate::visit::{Failure, Visit};

/// How long to look for the exit of a process before it is said to be alive.
const DEATH: Duration = Duration::from_millis(500);

/// Where a child that speaks TLS finds its certificate and key. Other users cannot see it, unlike a command line.
const IDENTITY: &str = "TACKET_TOUR_IDENTITY";

type Pipes = StapledStream<CloseOnEof<PipeSendStream>, PipeReceiveStream>;

/// A child process, killed when dropped.
pub(crate) struct Child {
    process: tacket_std::Child,
    clock: MonotonicClock,
}

impl Child {
    /// Starts the server of `protocol`, and staples its pipes. With an `identity` it speaks TLS there.
    pub(crate) fn start(
        visit: &Visit<'_>,
        protocol: Protocol,
        identity: Option<&Identity>,
    ) -> Result<(Self, Pipes), Failure> {
        let this = env::current_exe();
        let program = match (visit.child_program, &this) {
            (Some(program), _) => program,
            (None, Ok(program)) => program,
            (None, Err(error)) => return Err(Failure::new("looking for this program", error)),
        };
        let name = protocol.to_possible_value();
        let mut command = Command::new(program);
        command
            .arg("--child")
            .args(name.as_ref().map(|name| name.get_name()))
            .envs(identity.map(|identity| (IDENTITY, identity.pem())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = tacket_std::Child::spawn(&mut command).map_err(not_started)?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| not_started("it has no pipes"))?;
        let pipes = StapledStream::new(CloseOnEof::new(stdin), stdout);
        let clock = visit.clock;
        Ok((Self { process, clock }, pipes))
    }

    /// Awaits `client`, then demands that the child leaves without a complaint.
    pub(crate) async fn outlive<T>(
        mut self,
        client: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match client.await {
            Ok(value) => match self.exit().await? {
                status if status.success() => Ok(value),
                status => Err(Failure::Failed(format!(
                    "all was right until the child process ended with {status}"
                ))),
            },
            Err(Failure::Failed(reason)) => {
                let exit = timeout(&self.clock.clone(), DEATH, self.exit()).await;
                Err(Failure::Failed(match exit {
                    Ok(status) => format!("{reason}; the child process ended with {}", status?),
                    Err(_) => reason,
                }))
            }
            Err(unavailable) => Err(unavailable),
        }
    }

    async fn exit(&mut self) -> Result<ExitStatus, Failure> {
        let ended = self.process.wait().await;
        ended.map_err(|error| Failure::new("the child process", error))
    }
}

fn not_started(reason: impl core::fmt::Display) -> Failure {
    Failure::new("cannot start the child process", reason)
}

/// The child's own side: serves one client on standard input and output.
pub(crate) fn serve(protocol: Protocol) -> ExitCode {
    match tacket_std::run(serve_pipes(protocol)) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(Failure::Failed(reason))) => eprintln!("tour, child process: {reason}"),
        Ok(Err(Failure::Unavailable(reason))) => eprintln!("tour, child process: {reason}"),
        Err(error) => eprintln!("tour, child process: {error}"),
    }
    ExitCode::FAILURE
}

async fn serve_pipes(protocol: Protocol) -> Result<(), Failure> {
    let sending = CloseOnEof::new(PipeSendStream::from_stdout()?);
    let pipes = StapledStream::new(sending, PipeReceiveStream::from_stdin()?);
    match env::var(IDENTITY) {
        Ok(pem) => {
            let tls = Identity::from_pem(pem).server(pipes)?;
            serve_stream(protocol, tls).await
        }
        Err(_) => serve_stream(protocol, pipes).await,
    }
}

async fn serve_stream(protocol: Protocol, stream: impl Stream) -> Result<(), Failure> {
    match protocol {
        Protocol::Echo => echo::serve(stream, &mut Visit::buffer())
            .await
            .map(drop)
            .map_err(|error| Failure::new("echo server", error)),
        Protocol::Telemetry => {
            let clock = MonotonicClock::new();
            telemetry::serve(stream, &mut Thermostat::new(), &clock)
                .await
                .map(drop)
                .map_err(|error| Failure::new("telemetry server", error))
        }
    }
}
