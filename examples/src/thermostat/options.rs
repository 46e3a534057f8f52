//! What the user may choose.

use core::net::{Ipv4Addr, SocketAddr};

use clap::{Parser, Subcommand};
use tacket_tls::Fingerprint;

/// A thermostat that speaks its telemetry protocol over DTLS: be one, or ask one.
#[derive(Debug, Parser)]
#[command(name = "thermostat", max_term_width = 100)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) role: Role,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Be a thermostat, with a new certificate, until Ctrl-C or SIGTERM
    Serve {
        /// Where clients find it; at port 0 the system chooses one
        ///
        /// Where this host has several addresses, name one of them instead of 0.0.0.0 or ::, with which answers go
        /// out from an address that the system chooses. A client that asked at another one passes them over.
        #[arg(value_name = "IP:PORT", default_value_t = (Ipv4Addr::LOCALHOST, 0).into())]
        address: SocketAddr,
    },
    /// Print the readings of a thermostat
    Ask(Question),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Question {
    /// Where it is
    #[arg(value_name = "IP:PORT")]
    pub(crate) address: SocketAddr,

    /// The fingerprint of its certificate, as it says at its start
    #[arg(value_name = "SHA-256", value_parser = fingerprint)]
    pub(crate) certificate: Fingerprint,

    /// First set it to so many degrees
    #[arg(long, value_name = "DEGREES", value_parser = thousandths, allow_negative_numbers = true)]
    pub(crate) set: Option<i32>,

    /// Then watch the temperature for so many samples, ten a second
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) samples: u16,
}

fn fingerprint(text: &str) -> Result<Fingerprint, &'static str> {
    Fingerprint::from_hex(text).ok_or("a fingerprint has 64 hexadecimal digits")
}

fn thousandths(text: &str) -> Result<i32, String> {
    let degrees: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    let thousandths = (degrees * 1000.0).round();
    // Truncates nothing: it is compared to what it was.
    let whole = thousandths as i32;
    if f64::from(whole) == thousandths {
        Ok(whole)
    } else {
        Err("it is not a temperature".to_owned())
    }
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
    fn degrees_are_thousandths_and_nothing_endless() {
        assert_eq!(thousandths("21.5"), Ok(21_500));
        assert_eq!(thousandths("-3"), Ok(-3_000));
        for wrong in ["", "warm", "NaN", "inf", "3e6"] {
            thousandths(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn a_fingerprint_is_all_of_it() {
        fingerprint(&"0A:".repeat(32)).expect("with colons");
        fingerprint(&"0a".repeat(31)).expect_err("too short");
    }
}
