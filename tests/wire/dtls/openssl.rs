//! Against the programs of OpenSSL, by DTLS 1.2.

use std::sync::mpsc;

use tacket::AsyncResource as _;
use tacket_std::MonotonicClock;
use tacket_tests::{Authority, NAME};
use tacket_tls::{DtlsClientConfig, DtlsError, DtlsProblem, DtlsPsk, DtlsServerConfig};

use super::{Channel, at, client, endpoint, identity, part, trusting};
use crate::folder::Folder;
use crate::peer::{LIMIT, Ours};
use crate::process::Process;

/// Starts `openssl s_server`, which sends back what lines it gets, reversed.
fn s_server(options: &[&str], folder: Folder) -> (Process, u16) {
    let arguments = ["s_server", "-accept", "127.0.0.1:0", "-dtls1_2", "-listen"];
    let arguments = [&arguments[..], options].concat();
    let mut peer = Process::start("openssl", &arguments, folder);
    let port: u16 = peer.wait_for("port", |peer| {
        let output = peer.output();
        let (_, port) = output.split_once("ACCEPT 127.0.0.1:")?;
        port.split_once('\n')?.0.parse().ok()
    });
    (peer, port)
}

/// Both send a line and receive the other's.
async fn swap_lines(channel: Channel, peer_sent: &str) {
    channel.send(b"ours\n").await.expect("sends");
    let mut message = [0; 100];
    let received = channel.receive(&mut message).await.expect("receives");
    let received = received.map(|length| part(&message, length));
    assert_eq!(received, Some(peer_sent.as_bytes()));
    channel.close().await.expect("closes");
}

/// Each side has sent a line that the other must have got.
fn talk(mut peer: Process, ours: Ours) {
    peer.wait_for("our line", |peer| {
        peer.output().contains("ours\n").then_some(())
    });
    peer.say("theirs\n");
    ours.finish();
}

#[test]
fn our_client_talks_with_s_server() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let pem = folder.write("server.pem", authority.server_pem());
    let (peer, port) = s_server(&["-cert", &pem, "-key", &pem], folder);
    let config = DtlsClientConfig::new(trusting(&authority)).expect("random bytes");
    let ours = client(at(port), config, async |channel| {
        swap_lines(channel, "theirs\n").await;
    });
    talk(peer, ours);
}

#[test]
fn our_client_shows_s_server_its_certificate() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let pem = folder.write("server.pem", authority.server_pem());
    let root = folder.write("root.pem", authority.root_pem());
    let demanding = ["-Verify", "1", "-verify_return_error", "-CAfile", &root];
    let options = [&["-cert", &pem, "-key", &pem][..], &demanding].concat();
    let (peer, port) = s_server(&options, folder);
    let config = DtlsClientConfig::new(trusting(&authority)).expect("random bytes");
    let config = config
        .with_identity(identity(&authority))
        .expect("it has certificates");
    let ours = client(at(port), config, async |channel| {
        swap_lines(channel, "theirs\n").await;
    });
    talk(peer, ours);
}

#[test]
fn our_client_and_s_server_know_the_same_key() {
    let key = "07".repeat(32);
    let options = ["-nocert", "-psk", &key, "-psk_identity", "sensor 17"];
    let options = [&options[..], &["-cipher", "PSK-AES128-CCM8"]].concat();
    let (peer, port) = s_server(&options, Folder::new());
    let config = DtlsClientConfig::with_psk(DtlsPsk::new("sensor 17", [7; 32]).expect("a key"));
    let ours = client(at(port), config, async |channel| {
        swap_lines(channel, "theirs\n").await;
    });
    talk(peer, ours);
}

/// Starts a server that handles one client with `handler`, and `openssl s_client`.
fn against_s_client(
    config: DtlsServerConfig,
    options: &[&str],
    folder: Folder,
    handler: impl AsyncFn(Channel) + Send + 'static,
) -> (Process, Ours) {
    let (tell, told) = mpsc::channel();
    let ours = Ours::start(move || {
        let run = tacket_std::run(async {
            let (endpoint, port) = endpoint();
            tell.send(port).expect("somebody listens");
            let handler = async |channel: Channel| {
                handler(channel).await;
                endpoint.clone().close().await
            };
            let serving = endpoint.serve(&config, 4, handler);
            let served = tacket::timeout(&MonotonicClock::new(), LIMIT, serving).await;
            served.expect("it takes too long").expect("it was closed");
        });
        run.expect("an event loop");
    });
    let port = told.recv_timeout(LIMIT).expect("a port");
    let address = format!("127.0.0.1:{port}");
    let arguments = ["s_client", "-dtls1_2", "-brief", "-connect", &address];
    let arguments = [&arguments[..], options].concat();
    (Process::start("openssl", &arguments, folder), ours)
}

fn verifying(root: &str) -> [&str; 5] {
    [
        "-verify_return_error",
        "-CAfile",
        root,
        "-verify_hostname",
        NAME,
    ]
}

#[test]
fn our_server_talks_with_s_client() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let root = folder.write("root.pem", authority.root_pem());
    let config = DtlsServerConfig::new(identity(&authority));
    let (peer, ours) = against_s_client(config, &verifying(&root), folder, async |channel| {
        swap_lines(channel, "theirs\n").await;
    });
    talk(peer, ours);
}

#[test]
fn our_server_demands_a_certificate_of_s_client() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let root = folder.write("root.pem", authority.root_pem());
    let pem = folder.write("client.pem", authority.server_pem());
    let config = DtlsServerConfig::new(identity(&authority))
        .with_clients(trusting(&authority))
        .expect("it has certificates");
    let options = [&verifying(&root)[..], &["-cert", &pem, "-key", &pem]].concat();
    let (peer, ours) = against_s_client(config, &options, folder, async |channel| {
        swap_lines(channel, "theirs\n").await;
    });
    talk(peer, ours);
}

#[test]
fn our_server_refuses_s_client_that_shows_no_certificate_or_one_of_somebody_else() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for shows_one in [false, true] {
        let folder = Folder::new();
        let root = folder.write("root.pem", authority.root_pem());
        let pem = folder.write("client.pem", stranger.server_pem());
        let config = DtlsServerConfig::new(identity(&authority))
            .with_clients(trusting(&authority))
            .expect("it has certificates");
        let shown = ["-cert", &pem, "-key", &pem];
        let shown = if shows_one { &shown[..] } else { &[] };
        let options = [&verifying(&root)[..], shown].concat();
        let (_peer, ours) = against_s_client(config, &options, folder, async move |channel| {
            let Err(DtlsError::Problem(refused)) = channel.do_handshake().await else {
                panic!("it is content");
            };
            let is_untrusted = matches!(refused, DtlsProblem::Untrusted(_));
            assert_eq!(is_untrusted, shows_one, "{refused}");
        });
        ours.finish();
    }
}

#[test]
fn our_server_and_s_client_know_the_same_key() {
    let key = "07".repeat(32);
    let options = ["-psk", &key, "-psk_identity", "sensor 17"];
    let options = [&options[..], &["-cipher", "PSK-AES128-CCM8"]].concat();
    let config = DtlsServerConfig::with_psks([DtlsPsk::new("sensor 17", [7; 32]).expect("a key")])
        .expect("a key");
    let (peer, ours) = against_s_client(config, &options, Folder::new(), async |channel| {
        swap_lines(channel, "theirs\n").await;
    });
    talk(peer, ours);
}
