//! Clients without a heap against `openssl s_server`.

use core::net::{Ipv4Addr, SocketAddr};

use rand_core_0_6::OsRng;
use tacket::{AsyncResource as _, ReceiveStream as _, SendStream as _};
use tacket_std::{IoError, TcpStream};
use tacket_tests::{Authority, NAME, sec1};
use tacket_tls::{
    Anchors, ClientCertificate, EngineError, GuardAes128, GuardError, GuardSuite, GuardTrust,
    GuardedClientConfig, GuardedEngine, MaxFragment, PeerIdentity, PreSharedKey, TlsError,
    TlsStorage, TlsStream, TlsVersion, Validity,
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

/// Starts a server of `authority` that goes by these options too, and a client of it whose configuration `change` has changed.
fn against_s_server(
    options: &[&str],
    folder: Folder,
    change: impl for<'c> FnOnce(GuardedClientConfig<'c>) -> GuardedClientConfig<'c> + Send + 'static,
    test: impl for<'b> AsyncFnOnce(Guarded<'b, GuardAes128>) + Send + 'static,
) -> (Process, Ours) {
    let authority = Authority::new();
    let server = folder.write("server.pem", authority.server_pem());
    let options = [&["-cert", &server, "-key", &server], options].concat();
    let (peer, address) = start(&options, folder);
    let ours = Ours::start(move || {
        let roots = [authority.root()];
        let anchors = Anchors::from_certificates(&roots).expect("a root");
        let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
        let config = GuardedClientConfig::new(trust, NAME, Validity::Unchecked);
        let config = change(config.expect("a name"));
        tacket_std::run(connect(address, &config, test)).expect("an event loop");
    });
    (peer, ours)
}

/// The server has refused, by this alert.
fn assert_refused(outcome: Result<(), TlsError<IoError>>, alert: u8) {
    let wanted = EngineError::Guard(GuardError::Refused(alert));
    match outcome {
        Err(TlsError::Engine(error)) => assert_eq!(error, wanted),
        other => panic!("not refused by the server: {other:?}"),
    }
}

#[test]
fn s_server_demands_a_certificate_and_gets_one() {
    for shown in [true, false] {
        let (clients, folder) = (Authority::new(), Folder::new());
        let (certificate, key) = clients.certify(&["client.example"], |_| {});
        let trusted = folder.write("clients.pem", clients.root_pem());
        let options = ["-Verify", "1", "-verify_return_error", "-CAfile", &trusted];
        let (mut peer, ours) = against_s_server(
            &options,
            folder,
            move |config| {
                if !shown {
                    return config;
                }
                let der: &'static [u8] = certificate.to_vec().leak();
                let proof = ClientCertificate::new(der, sec1(key.secret_der()));
                config.with_certificate(proof.expect("they belong together"))
            },
            async move |mut stream| {
                if shown {
                    return converse(stream).await;
                }
                let refused = stream.receive_some(&mut [0; 9]).await;
                assert_refused(refused.map(drop), 116);
            },
        );
        ours.finish();
        if shown {
            assert_ended(&mut peer, TlsVersion::Tls13);
        }
    }
}

/// Its answers are what was offered, or it refuses.
#[test]
fn s_server_answers_which_protocol_it_takes_and_how_long_records_are() {
    for (protocol, is_known) in [("mqtt", true), ("h2", false)] {
        let (mut peer, ours) = against_s_server(
            &["-alpn", protocol],
            Folder::new(),
            |config| {
                let config = config.with_alpn(&[b"coap", b"mqtt"]).expect("protocols");
                config.with_max_fragment(MaxFragment::Of1024)
            },
            async move |mut stream| {
                if is_known {
                    return converse(stream).await;
                }
                let refused = stream.do_handshake().await;
                assert_refused(refused, 120);
            },
        );
        ours.finish();
        if is_known {
            assert_ended(&mut peer, TlsVersion::Tls13);
        }
    }
}
