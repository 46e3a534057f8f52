//! TLS over the TCP of any network, without a heap.

use core::fmt::{self, Write as _};
use core::net::IpAddr;

use embedded_tls::CryptoRngCore;
use rustls_pki_types::{self as pki_types, ServerName};
use tacket::{Clock, Connect, ConnectOptions, OpenError, Resolve, open_tcp_stream};

use super::engine::GuardedEngine;
use super::settings::GuardedClientConfig;
use super::storage::TlsStorage;
use super::suite::GuardSuite;
use crate::error::ConfigError;
use crate::open_error::OpenTlsError;
use crate::stream::TlsStream;

/// Connects to `port` of the host that `config` names by [`open_tcp_stream`], and makes that a client by
/// [`guarded_client`](TlsStream::guarded_client).
///
/// The handshake is that of the first use, or of [`do_handshake`](TlsStream::do_handshake): only there a server that is not trusted
/// is refused. The race is one of connections: the first to come about wins, whoever has answered.
///
/// # Errors
///
/// [`OpenTlsError::Transport`]: no connection came about. [`OpenTlsError::Config`]: there are no random bytes; the connection is
/// dropped then.
///
/// # Cancel safety
///
/// Safe. Dropped, it gives up all attempts to connect.
///
/// # Examples
///
/// ```
/// use tacket::{AsyncResource, ConnectOptions, Network, SendStream};
/// use tacket_tls::{CryptoRngCore, GuardedClientConfig, TlsStorage, open_guarded_tls_over_tcp_stream};
///
/// /// Sends a line to port 7000 of the host that is known.
/// async fn report<N: Network>(
///     network: &N,
///     config: &GuardedClientConfig<'_>,
///     rng: &mut dyn CryptoRngCore,
///     storage: &mut TlsStorage<16_645, 1024>,
/// ) -> Option<()> {
///     let two = ConnectOptions::new().addresses::<2>();
///     let opening = open_guarded_tls_over_tcp_stream(network, 7000, two, config, rng, storage);
///     let mut stream = opening.await.ok()?;
///     stream.send_all(b"all is well\n").await.ok()?;
///     stream.close().await.ok()
/// }
/// ```
pub async fn open_guarded_tls_over_tcp_stream<
    'b,
    N,
    C: GuardSuite,
    const RX: usize,
    const TX: usize,
    const A: usize,
>(
    network: &N,
    port: u16,
    options: ConnectOptions<A>,
    config: &'b GuardedClientConfig<'b, C>,
    rng: &mut dyn CryptoRngCore,
    storage: &'b mut TlsStorage<RX, TX>,
) -> Result<TlsStream<N::Stream, GuardedEngine<'b, C>>, OpenTlsError<OpenError<N::Error, A>>>
where
    N: Connect + Resolve + Clock,
{
    let mut text = Text::new();
    let host = host(&config.name, &mut text).ok_or(ConfigError::InvalidName)?;
    let opened = open_tcp_stream(network, host, port, options).await;
    let transport = opened.map_err(OpenTlsError::Transport)?;
    Ok(TlsStream::guarded_client(transport, config, rng, storage)?)
}

/// The host that a certificate has to be for, as a network takes it.
fn host<'n>(name: &'n ServerName<'_>, text: &'n mut Text) -> Option<&'n str> {
    match name {
        ServerName::DnsName(name) => Some(name.as_ref()),
        ServerName::IpAddress(address) => {
            let address: IpAddr = match address {
                pki_types::IpAddr::V4(address) => (*address.as_ref()).into(),
                pki_types::IpAddr::V6(address) => (*address.as_ref()).into(),
            };
            write!(text, "{address}").ok()?;
            text.as_str()
        }
        _ => None,
    }
}

/// An address in its usual notation.
struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

/// Of eight groups of four digits, with what is between them.
const LONGEST: usize = 8 * 5 - 1;

impl Text {
    const fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
        }
    }

    fn as_str(&self) -> Option<&str> {
        str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_written_as_a_network_takes_it() {
        let names = [
            "server.example",
            "192.0.2.255",
            "2001:db8::1",
            "1111:2222:3333:4444:5555:6666:7777:8888",
        ];
        for text in names {
            let name = ServerName::try_from(text).expect("a name");
            assert_eq!(host(&name, &mut Text::new()), Some(text));
        }
    }
}
