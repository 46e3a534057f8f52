//! A server that stops gracefully: it gives back what it gets, in capital letters.
//!
//! `cargo run --release --bin shout` listens on a free port and says which. Ctrl-C, or SIGTERM, stops it: nobody else is accepted, and whoever
//! is in the midst of a line has some time to end it. A second Ctrl-C ends it at once.

#![allow(
    clippy::large_futures,
    reason = "a desktop program has the stack for them"
)]

mod options;

use core::error::Error;
use core::time::Duration;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select, try_join};
use tacket::{LocalAddress as _, ServeEvent, Server, Stream, timeout};
use tacket_std::{MonotonicClock, StopSignal, TcpListener};

use crate::options::Options;

/// How much of what one client says is given back at once.
const BUFFER: usize = 4 << 10;
/// How long somebody between two lines is listened to once it is asked to stop.
const MOMENT: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    match tacket_std::run(serve(&Options::parse())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&*error),
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn Error) -> ExitCode {
    say(&error.to_string());
    ExitCode::FAILURE
}

/// Serves until it is asked to stop and the last client is done, or the time for that is over.
async fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut signal = StopSignal::new()?; // before anybody can connect
    let listener = TcpListener::bind(options.address)?;
    say(&format!("listening on {}", listener.local_addr()?));

    let stopping = signal.received().map(|received| received.is_ok()).shared();
    let handler = async |stream| shout(stream, stopping.clone()).await;
    let report = |event| match event {
        ServeEvent::Failed(error) => say(&format!("a client is lost: {error}")),
        ServeEvent::Full(error) => say(&format!("no room for another client: {error}")),
        _ => {}
    };
    let server =
        Server::<_, _, _, _>::with_report(listener, MonotonicClock::new(), handler, report);
    let stop = async {
        stopping.clone().await;
        server.stop(options.grace);
        say("stopping");
        Ok(())
    };
    let (served, ()) = try_join(server.run_unbounded(), stop).await?;
    say(&format!(
        "served {}, cut short {}",
        served.completed, served.cut
    ));
    Ok(())
}

/// Gives back what comes, in capital letters, to the end of the stream, or to the end of the lines that had begun when `stopping` was
/// ready.
async fn shout<S: Stream>(
    mut stream: S,
    stopping: impl Future<Output = bool> + Clone + Unpin,
) -> Result<(), S::Error> {
    let mut buffer = [0; BUFFER];
    let mut is_between_lines = true;
    loop {
        let receiving = stream.receive_some(&mut buffer);
        let count = if is_between_lines {
            // A receive that is dropped has taken nothing.
            match select(core::pin::pin!(receiving), stopping.clone()).await {
                Either::Left((count, _)) => count?,
                // What has arrived by now is not lost: nobody may have looked yet.
                Either::Right((_, receiving)) => {
                    let clock = MonotonicClock::new();
                    let look = timeout(&clock, MOMENT, receiving).await;
                    look.unwrap_or(Ok(0))?
                }
            }
        } else {
            receiving.await?
        };
        let heard = buffer.get_mut(..count).unwrap_or_default();
        let Some(last) = heard.last() else {
            return stream.close().await;
        };
        is_between_lines = *last == b'\n';
        heard.make_ascii_uppercase();
        stream.send_all(heard).await?;
    }
}

/// Tells the user. Nobody may be listening.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}
