//! A server in a process of its own, at the other end of two pipes.

use core::time::Duration;
use std::env;
use std::path::Path;
use std::process::{self, Command, ExitCode, ExitStatus, Stdio};

use clap::ValueEnum as _;
use tacket::{Clock as _, CloseOnEof, StapledStream, Stream, timeout};
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

const LOOK: Duration = Duration::from_millis(1);

type Pipes = StapledStream<CloseOnEof<PipeSendStream>, PipeReceiveStream>;

/// A child process, killed and reaped when dropped.
pub(crate) struct Child {
    process: process::Child,
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
        let process = Command::new(program)
            .arg("--child")
            .args(name.as_ref().map(|name| name.get_name()))
            .envs(identity.map(|identity| (IDENTITY, identity.pem())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| not_started(program, error))?;
        let mut child = Self {
            process,
            clock: visit.clock,
        };
        let pipes = child.process.stdin.take().zip(child.process.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| not_started(program, "it has no pipes"))?;
        let sending = CloseOnEof::new(PipeSendStream::new(stdin)?);
        let receiving = PipeReceiveStream::new(stdout)?;
        Ok((child, StapledStream::new(sending, receiving)))
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
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => self.clock.sleep_until(self.clock.now() + LOOK).await,
                Err(error) => return Err(Failure::new("waiting for the child process", error)),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both are harmless on one that has left.
        let _: Result<(), _> = self.process.kill();
        let _: Result<ExitStatus, _> = self.process.wait();
    }
}

fn not_started(program: &Path, reason: impl core::fmt::Display) -> Failure {
    let who = format!("cannot start the child process {}", program.display());
    Failure::new(&who, reason)
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
