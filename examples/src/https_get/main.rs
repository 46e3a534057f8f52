//! Fetches a page over HTTPS: a protocol function over TLS, or over TLS in a tunnel that is TLS itself.
//!
//! `cargo run --release --bin https_get -- --help` shows the choices.

#![allow(
    clippy::large_futures,
    reason = "a desktop program has the stack for them"
)]

mod options;
mod url;

use core::error::Error;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Write as _};
use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use tacket::{Stream, timeout};
use tacket_examples::http;
use tacket_std::{MonotonicClock, TcpStream};
use tacket_tls::pki_types::CertificateDer;
use tacket_tls::pki_types::pem::PemObject as _;
use tacket_tls::{ClientConfig, Negotiated, TlsStream};
use webpki::EndEntityCert;

use crate::options::Options;
use crate::url::{Scheme, Url};

/// How long any single step may take.
const LIMIT: Duration = Duration::from_secs(30);

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    match fetch(&Options::parse()) {
        Ok(200..=299) => return ExitCode::SUCCESS,
        Ok(status) => say(&format!("the server answers with status {status}")),
        Err(error) => say(&error.to_string()),
    }
    ExitCode::FAILURE
}

/// Fetches and prints what is wanted. Returns the status.
fn fetch(options: &Options) -> Result<u16, Failure> {
    let trusted = trust(options.ca.as_deref())?.with_alpn(&[b"http/1.1"]);
    // Looking up names blocks, so it is done before anything else goes on.
    let addresses = match (&options.proxy, options.connect) {
        (Some(proxy), _) => look_up(proxy)?,
        (None, Some(address)) => vec![address],
        (None, None) => look_up(&options.url)?,
    };
    let clock = MonotonicClock::new();
    let fetcher = Fetcher {
        options,
        trusted,
        clock,
    };
    tacket_std::run(fetcher.fetch(&addresses))?
}

fn trust(file: Option<&Path>) -> Result<ClientConfig, Failure> {
    let Some(file) = file else {
        let usual = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
        return Ok(ClientConfig::with_roots(usual)?);
    };
    let named = |error: &dyn Error| format!("{}: {error}", file.display());
    let pem = std::fs::read(file).map_err(|error| named(&error))?;
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let roots = roots.map_err(|error| named(&error))?;
    Ok(ClientConfig::with_roots(roots).map_err(|error| named(&error))?)
}

fn look_up(url: &Url) -> Result<Vec<SocketAddr>, Failure> {
    let addresses = (url.host.as_str(), url.port).to_socket_addrs();
    let addresses = addresses.map_err(|error| format!("looking up {}: {error}", url.host))?;
    Ok(addresses.collect())
}

struct Fetcher<'a> {
    options: &'a Options,
    trusted: ClientConfig,
    clock: MonotonicClock,
}

impl Fetcher<'_> {
    async fn fetch(&self, addresses: &[SocketAddr]) -> Result<u16, Failure> {
        let tcp = self.connect(addresses).await?;
        match &self.options.proxy {
            None => self.fetch_over(tcp).await,
            Some(proxy) if proxy.scheme == Scheme::Http => {
                self.fetch_over(self.tunnel(tcp).await?).await
            }
            Some(proxy) => {
                let secure = self.secure("proxy", tcp, proxy).await?;
                self.fetch_over(self.tunnel(secure).await?).await
            }
        }
    }

    /// Connects to the first of `addresses` that answers.
    async fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
        let mut failure = Failure::from("the name leads nowhere");
        for &address in addresses {
            let connecting = TcpStream::connect(address);
            match self.within_limit("connecting", connecting).await {
                Ok(tcp) => {
                    say(&format!("connected to {address}"));
                    return Ok(tcp);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Asks the proxy at the other end of `stream` for a tunnel to the server.
    async fn tunnel<S: Stream + 'static>(&self, stream: S) -> Result<S, Failure> {
        let target = match self.options.connect {
            Some(address) => address.to_string(),
            None => self.options.url.authority(),
        };
        let mut buffer = [0; 4096];
        let tunnel = http::connect(stream, &target, &mut buffer);
        self.within_limit("asking for a tunnel", tunnel).await
    }

    /// Speaks TLS over `transport`, with the server of `url`.
    ///
    /// The stream insists on TLS's own end, although this is HTTPS. `http::get` says why.
    async fn secure<S: Stream + 'static>(
        &self,
        who: &str,
        transport: S,
        url: &Url,
    ) -> Result<TlsStream<S>, Failure> {
        let mut tls = TlsStream::client(transport, &self.trusted, url.host.as_str())?;
        self.within_limit("the handshake", tls.do_handshake())
            .await?;
        introduce(who, &tls.negotiated()?);
        Ok(tls)
    }

    /// Fetches the page over what leads to its server.
    async fn fetch_over<S: Stream + 'static>(&self, transport: S) -> Result<u16, Failure> {
        let url = &self.options.url;
        let tls = self.secure("server", transport, url).await?;
        let mut buffer = vec![0; 16 * 1024];
        let host = url.host_field();
        let getting = http::get(tls, &host, &url.target, &mut buffer);
        let mut page = self.within_limit("the answer", getting).await?;
        let mut out = io::stdout().lock();
        loop {
            let receiving = page.receive_some(&mut buffer);
            let count = self.within_limit("the page", receiving).await?;
            if count == 0 {
                break;
            }
            out.write_all(buffer.get(..count).unwrap_or_default())?;
        }
        out.flush()?;
        let status = page.status();
        self.within_limit("closing", page.close()).await?;
        Ok(status)
    }

    async fn within_limit<T, E: Error + 'static>(
        &self,
        step: &str,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        match timeout(&self.clock, LIMIT, future).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(format!("{step} takes longer than {} s", LIMIT.as_secs()).into()),
        }
    }
}

/// Says what was agreed with a server.
fn introduce(who: &str, negotiated: &Negotiated) {
    let (version, suite) = (negotiated.version(), negotiated.cipher_suite());
    let protocol = negotiated.alpn_protocol().map(String::from_utf8_lossy);
    let protocol = protocol.as_deref().unwrap_or("none");
    say(&format!("{who}: {version}, {suite}, ALPN {protocol}"));
    let chain = negotiated.peer_certificates();
    let own = chain.first().map(EndEntityCert::try_from);
    let names: Vec<_> = match &own {
        Some(Ok(certificate)) => certificate.valid_dns_names().collect(),
        _ => Vec::new(),
    };
    let names = match names.as_slice() {
        [] => "no DNS name".to_owned(),
        names => names.join(", "),
    };
    say(&format!(
        "{who}: certificate for {names}; chain of {}",
        chain.len()
    ));
}

/// To standard error. Nobody may be reading there.
fn say(text: &str) {
    let _: Result<(), _> = writeln!(io::stderr(), "https_get: {text}");
}
