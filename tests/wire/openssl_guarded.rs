//! Clients without a heap against `openssl s_server`.

use core::net::{Ipv4Addr, SocketAddr};

use rand_core_0_6::OsRng;
use tacket::{AsyncResource as _, SendStream as _};
use tacket_std::TcpStream;
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    Anchors, EngineError, GuardError, GuardSuite, GuardTrust, GuardedClientConfig, GuardedEngine,
    PeerIdentity, PreSharedKey, TlsError, TlsStorage, TlsStream, TlsVersion, Validity,
};

use crate::data::{receive_end, receive_exactly};
use crate::folder::Folder;
use crate::openssl::{assert_ended, openssl};
use crate::peer::Ours;
use crate::process::Process;

type Guarded<'b, C> = TlsStream<TcpStream, GuardedEngine<'b, C>>;

const KEY: &[u8; 16] = b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
const KEY_IN_HEX: &str = "0123456789abcdef0123456789abcdef";

/// Starts a server that sends lines back, reversed, and ends at the word `CLOSE`. Returns its address.
fn start(options: &[&str], folder: Folder) -> (Process, SocketAddr) {
    let arguments = [
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-naccept",
        "1",
        "-rev",
    ];
    let arguments = [&arguments[..], options].concat();
    let mut peer = openssl(TlsVersion::Tls13, &arguments, folder);
    let port: u16 = peer.wait_for("port", |peer| {
        let output = peer.output();
        let (_, port) = output.split_once("ACCEPT 127.0.0.1:")?;
        port.split_once('\n')?.0.parse().ok()
    });
    (peer, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Runs `test` on a client of the server at `address`.
async fn connect<C: GuardSuite>(
    address: SocketAddr,
    config: &GuardedClientConfig<'_, C>,
    test: impl for<'b> AsyncFnOnce(Guarded<'b, C>),
) {
    let mut storage = Box::new(TlsStorage::<{ TlsStorage::<512, 512>::ANY_SERVER }, 1024>::new());
    let tcp = TcpStream::connect(address).await.expect("it is there");
    let made = TlsStream::guarded_client(tcp, config, &mut OsRng, &mut storage);
    test(made.expect("random bytes")).await;
}

async fn converse<C: GuardSuite>(mut stream: Guarded<'_, C>) {
    let long = "1234567".repeat(300);
    for line in ["tacket", &long] {
        let sent = stream.send_all(format!("{line}\n").as_bytes()).await;
        sent.expect("the line can be sent");
        let back: String = line.chars().rev().chain(['\n']).collect();
        receive_exactly(&mut stream, back.as_bytes()).await;
    }
    stream.send_all(b"CLOSE\n").await.expect("sends");
    receive_end(&mut stream).await;
    stream.close().await.expect("closes");
}

#[test]
fn a_client_without_a_heap_and_s_server_understand_each_other() {
    for large in [false, true] {
        let (authority, folder) = (Authority::new(), Folder::new());
        let server = folder.write("server.pem", authority.server_pem());
        let (mut peer, address) = start(&["-cert", &server, "-key", &server], folder);
        let roots = [authority.root()];
        let ours = Ours::start(move || {
            let anchors = Anchors::from_certificates(&roots).expect("a root");
            let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
            let config = GuardedClientConfig::new(trust, NAME, Validity::Unchecked);
            let config = config.expect("a name");
            let ran = tacket_std::run(async {
                if large {
                    connect(address, &config.with_aes256(), async |stream| {
                        converse(stream).await
                    })
                    .await;
                } else {
                    connect(address, &config, async |stream| converse(stream).await).await;
                }
            });
            ran.expect("an event loop");
        });
        ours.finish();
        assert_ended(&mut peer, TlsVersion::Tls13);
    }
}

#[test]
fn a_client_and_s_server_that_know_a_key_need_no_certificate() {
    let options = ["-nocert", "-psk", KEY_IN_HEX, "-psk_identity", "device 7"];
    let suite = ["-ciphersuites", "TLS_AES_128_GCM_SHA256"];
    let options = [&options[..], &suite].concat();
    let (mut peer, address) = start(&options, Folder::new());
    let ours = Ours::start(move || {
        let key = PreSharedKey::new(b"device 7", KEY).expect("a key");
        let trust = GuardTrust::in_pre_shared_key(key);
        let config = GuardedClientConfig::new(trust, NAME, Validity::Unchecked);
        let config = config.expect("a name");
        let ran = tacket_std::run(connect(address, &config, async |mut stream| {
            stream.do_handshake().await.expect("both know the key");
            let known = stream.negotiated().expect("known");
            assert_eq!(known.identity(), PeerIdentity::PreSharedKey);
            converse(stream).await;
        }));
        ran.expect("an event loop");
    });
    ours.finish();
    assert_ended(&mut peer, TlsVersion::Tls13);
}

#[test]
fn a_client_that_knows_another_key_is_refused_by_s_server() {
    let options = ["-nocert", "-psk", KEY_IN_HEX, "-psk_identity", "device 7"];
    let (_peer, address) = start(&options, Folder::new());
    let ours = Ours::start(move || {
        let key = PreSharedKey::new(b"device 7", &[7; 16]).expect("a key");
        let trust = GuardTrust::in_pre_shared_key(key);
        let config = GuardedClientConfig::new(trust, NAME, Validity::Unchecked);
        let config = config.expect("a name");
        let ran = tacket_std::run(connect(address, &config, async |mut stream| {
            let refused = stream.do_handshake().await.expect_err("another key");
            let TlsError::Engine(EngineError::Guard(GuardError::Refused(alert))) = refused else {
                panic!("not refused by the server: {refused:?}")
            };
            assert!([47, 51].contains(&alert), "{alert}");
        }));
        ran.expect("an event loop");
    });
    ours.finish();
}
