//! What the user may choose.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use clap::Parser;

/// Gives back what it gets, in capital letters, until it is asked to stop by Ctrl-C or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "shout", max_term_width = 100)]
pub(crate) struct Options {
    /// Where to listen; at port 0 the system chooses one
    #[arg(value_name = "IP:PORT", default_value_t = (Ipv4Addr::LOCALHOST, 0).into())]
    pub(crate) address: SocketAddr,

    /// How long clients have to end their line once it is asked to stop
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub(crate) grace: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_fit_together() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }

    #[test]
    fn seconds_need_not_be_whole_and_must_not_be_negative() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["", "soon", "-1", "NaN", "1e99"] {
            seconds(wrong).expect_err(wrong);
        }
    }
}
