//! The protocols of one row, measured and verified.

use core::fmt::Display;
use core::time::Duration;
use std::path::Path;

use futures_util::future::try_join;
use tacket::{Clock, Stream};
use tacket_examples::echo;
use tacket_examples::telemetry::{self, Summary, Thermostat};
use tacket_std::{IoError, MonotonicClock};

use crate::progress::Progress;

const SEED: u64 = 0x7ac_4e7;

const BUFFER: usize = 64 * 1024;

/// What a row has to work with.
pub(crate) struct Visit<'a> {
    /// How many bytes to echo.
    pub(crate) bytes: u64,
    /// How long a row may take.
    #[cfg(unix)]
    pub(crate) limit: Duration,
    pub(crate) clock: MonotonicClock,
    pub(crate) progress: Progress,
    /// The server program of rows with a child process, if it is not this one.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only pipes have one"))]
    pub(crate) child_program: Option<&'a Path>,
}

/// Why a row was not verified.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is wrong.
    Failed(String),
    /// This system does not have what the row needs.
    #[cfg_attr(unix, expect(dead_code, reason = "nothing is missing here"))]
    Unavailable(&'static str),
}

impl Failure {
    pub(crate) fn new(who: &str, error: impl Display) -> Self {
        Self::Failed(format!("{who}: {error}"))
    }
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Visit<'_> {
    /// A buffer of the size that all rows use.
    pub(crate) fn buffer() -> Vec<u8> {
        vec![0; BUFFER]
    }

    /// A telemetry session between both ends of a connection.
    pub(crate) async fn telemetry(
        &self,
        client: impl Stream,
        server: impl Stream,
    ) -> Result<(), Failure> {
        Self::telemetry_by(&self.clock, client, server).await
    }

    /// The same, by another clock.
    pub(crate) async fn telemetry_by(
        clock: &impl Clock,
        client: impl Stream,
        server: impl Stream,
    ) -> Result<(), Failure> {
        let mut thermostat = Thermostat::new();
        let asking = async {
            let summary = telemetry::session(client, clock).await;
            summary.map_err(|error| Failure::new("telemetry client", error))
        };
        let serving = async {
            let served = telemetry::serve(server, &mut thermostat, clock).await;
            served.map_err(|error| Failure::new("telemetry server", error))
        };
        let (summary, served) = try_join(asking, serving).await?;
        if (summary.requests, summary.samples) == (served.requests, served.samples) {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "the telemetry server saw it otherwise: {summary:?} and {served:?}"
        )))
    }

    /// The client's side of a telemetry session.
    pub(crate) async fn telemetry_client(&self, stream: impl Stream) -> Result<Summary, Failure> {
        telemetry::session(stream, &self.clock)
            .await
            .map_err(|error| Failure::new("telemetry client", error))
    }

    /// The whole load, echoed between both ends of a connection. Returns the time it took.
    pub(crate) async fn echo(
        &self,
        client: impl Stream,
        server: impl Stream,
    ) -> Result<Duration, Failure> {
        let mut buffer = Self::buffer();
        let serving = async {
            let echoed = echo::serve(server, &mut buffer).await;
            echoed.map_err(|error| Failure::new("echo server", error))
        };
        let (time, echoed) = try_join(self.echo_client(client), serving).await?;
        if echoed == self.bytes {
            return Ok(time);
        }
        Err(Failure::Failed(format!(
            "the echo server counts {echoed} bytes instead of {}",
            self.bytes
        )))
    }

    /// The whole load, sent to an echo server and verified on its way back. Returns the time it took.
    pub(crate) async fn echo_client(&self, stream: impl Stream) -> Result<Duration, Failure> {
        let (mut sending, mut receiving) = (Self::buffer(), Self::buffer());
        let start = self.clock.now();
        echo::exchange(
            stream,
            self.bytes,
            SEED,
            &mut sending,
            &mut receiving,
            |verified| self.progress.show(verified),
        )
        .await
        .map_err(|error| Failure::new("echo client", error))?;
        Ok(self.clock.now().saturating_sub(start))
    }
}
