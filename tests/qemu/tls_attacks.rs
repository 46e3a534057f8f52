//! Firmware that speaks TLS, without a heap and with one, and peers that do not keep to the rules.

use embedded_io_async::{ErrorType, Write};
use tacket::{AsyncResource, HalfCloseable, SendStream, StapledStream};
use tacket_examples::telemetry::{self, Thermostat};
use tacket_hil::Boot;
use tacket_std::{MonotonicClock, TcpStream};
use tacket_tests::{
    ATTACKS_ON_CLIENTS, ATTACKS_ON_SERVERS, AttackOnClient, AttackOutcome, Authority,
    HostileClients, HostileServers, NAME, provision, trusting,
};
use tacket_tls::TlsStream;

use crate::images::{boot, boot_heap};
use crate::peers::{run_here, serve_one};
use crate::tls_server::{CORTEX_M3, assert_content, boot as boot_server, finish, serving};

/// Covers FRM-15.
#[test]
fn firmware_refuses_each_attack_says_why_and_does_not_panic() {
    assert_refuses(boot("telemetry_tls_client"), |(_, guarded, _)| *guarded);
}

/// Covers FRM-15.
#[test]
fn firmware_with_a_heap_refuses_each_attack_says_why_and_does_not_panic() {
    // The script knows one group of keys.
    let client = boot_heap("telemetry_tls_client_heap").argument("prefer=p256");
    assert_refuses(client, |(_, _, over_rustls)| *over_rustls);
}

/// Plays each attack to a guest.
fn assert_refuses(
    client: Boot,
    wanted: impl Fn(&(AttackOnClient, AttackOutcome, AttackOutcome)) -> AttackOutcome,
) {
    let (servers, clock) = (HostileServers::new(), MonotonicClock::new());
    let client = trusting(client, servers.root(), NAME);
    for row in ATTACKS_ON_CLIENTS {
        let (attack, wanted) = (row.0, wanted(row));
        let (mut guest, ()) = serve_one(
            |address| client.clone().argument(format!("server={address}")).start(),
            async |stream| servers.play(attack, wanted, stream, &clock).await,
        );
        if wanted == AttackOutcome::GoesOn {
            let said = guest.wait_for(" samples");
            said.unwrap_or_else(|error| panic!("{attack:?}: {error}"));
            guest
                .finish()
                .unwrap_or_else(|error| panic!("{attack:?}: {error}"));
            continue;
        }
        let said = guest.wait_for("the session failed: ");
        let said = said.unwrap_or_else(|error| panic!("{attack:?}: {error}"));
        assert!(
            wanted.is_of(&Err::<(), _>(said.clone())),
            "{attack:?}: {said}"
        );
        let lines = guest.lines();
        let panicked = lines.iter().any(|line| line.contains("panic"));
        assert!(!panicked, "{attack:?}: {lines:?}");
        assert!(guest.finish().is_err(), "{attack:?}");
    }
}

/// Covers FRM-17.
#[test]
fn a_server_refuses_each_attack_says_why_and_serves_the_next_client() {
    let authority = Authority::new();
    let clients = HostileClients::new(&authority.root());
    let (mut guest, address) = serving(boot_server(CORTEX_M3), &authority);
    for (attack, wanted) in ATTACKS_ON_SERVERS {
        run_here(async {
            let stream = TcpStream::connect(address).await.unwrap();
            clients.play(*attack, stream).await;
        });
        let said = guest.wait_for("a client failed: ");
        let said = said.unwrap_or_else(|error| panic!("{attack:?}: {error}"));
        assert!(said.contains(wanted), "{attack:?}: {said}");
    }
    assert_content(address, &authority);
    let failed = ATTACKS_ON_SERVERS.len();
    finish(guest, &format!("1 completed, {failed} failed"));
}

/// Hands on one byte at a time.
struct Bytewise<S>(S);

impl<S: ErrorType> ErrorType for Bytewise<S> {
    type Error = S::Error;
}

impl<S: Write> Write for Bytewise<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, S::Error> {
        let count = self.0.write(buf.get(..1).unwrap_or_default()).await?;
        self.0.flush().await?;
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.0.flush().await
    }
}

impl<S: SendStream> SendStream for Bytewise<S> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), S::Error> {
        self.0.wait_send_all_might_not_block().await
    }
}

impl<S: HalfCloseable> HalfCloseable for Bytewise<S> {
    async fn send_eof(&mut self) -> Result<(), S::Error> {
        self.0.send_eof().await
    }
}

impl<S: AsyncResource> AsyncResource for Bytewise<S> {
    async fn close(self) -> Result<(), S::Error> {
        self.0.close().await
    }
}

#[test]
fn firmware_is_content_with_a_server_whose_bytes_come_one_by_one() {
    let authority = Authority::new();
    let client = provision(boot("telemetry_tls_client"), &authority, NAME);
    let (config, clock) = (authority.server_config(), MonotonicClock::new());
    let (mut guest, served) = serve_one(
        |address| client.argument(format!("server={address}")).start(),
        async |stream| {
            let (tx, rx) = stream.into_split();
            let stream = StapledStream::new(Bytewise(tx), rx);
            let stream = TlsStream::server(stream, &config).unwrap();
            telemetry::serve(stream, &mut Thermostat::new(), &clock).await
        },
    );
    let served = served.unwrap();
    let summary = format!("{} requests, {} samples", served.requests, served.samples);
    guest.wait_for(&summary).unwrap();
    guest.finish().unwrap();
}
