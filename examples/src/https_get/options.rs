//! What the user may choose.

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::url::Url;

/// Fetches a page over HTTPS, also through a proxy, and prints it.
///
/// What was agreed with each server goes to standard error. A status other than 2xx is a failure.
#[derive(Debug, Parser)]
#[command(name = "https_get", max_term_width = 100)]
pub(crate) struct Options {
    /// The page, by its https:// address
    #[arg(value_name = "URL", value_parser = Url::page)]
    pub(crate) url: Url,

    /// Go through this proxy, which speaks https:// or http://
    #[arg(long, value_name = "URL", value_parser = Url::proxy)]
    pub(crate) proxy: Option<Url>,

    /// Trust the certificates in this PEM file instead of the usual authorities
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// The server is at this address, wherever its name leads; a proxy is told so too
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) connect: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_fit_together() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }
}
