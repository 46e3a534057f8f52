//! Our TLS streams against the command `openssl`, which can do what few peers do: update keys, and die.

use core::cell::Cell;
use core::fmt::Write as _;
use core::net::{Ipv4Addr, SocketAddr};
use core::ops::Range;
use core::time::Duration;
use std::sync::mpsc::{self, Receiver, Sender};

use futures_util::future::join;
use tacket::{Clock as _, SendStream as _, Split as _};
use tacket_std::{MonotonicClock, TcpStream};
use tacket_tests::{Authority, NAME};
use tacket_tls::rustls::{AlertDescription, Error};
use tacket_tls::{EngineError, TlsError, TlsStream, TlsVersion};

use crate::data::{receive_end, receive_exactly};
use crate::folder::Folder;
use crate::peer::{LIMIT, Ours};
use crate::process::Process;
use crate::tls::{VERSIONS, close, negotiated, part, receive_a_truncation};

/// Where a peer notes the messages of TLS that it sends (`>>>`) and receives (`<<<`).
const MESSAGES: &str = "messages";
const SENT_END: &str = ">>> TLS 1.3, Alert [length 0002], warning close_notify";

type Stream = TlsStream<TcpStream>;

/// Starts `openssl` with `arguments`, for one version of TLS.
pub(crate) fn openssl(version: TlsVersion, arguments: &[&str], folder: Folder) -> Process {
    let version = match version {
        TlsVersion::Tls12 => "-tls1_2",
        _ => "-tls1_3",
    };
    let messages = folder.file(MESSAGES);
    let noting = [version, "-msg", "-msgfile", &messages];
    Process::start("openssl", &[arguments, &noting].concat(), folder)
}

/// Starts `openssl s_server`, and `ours` as its client.
fn against_s_server(
    version: TlsVersion,
    options: &[&str],
    ours: impl AsyncFnOnce(Stream) + Send + 'static,
) -> (Process, Ours) {
    let (authority, folder) = (Authority::new(), Folder::new());
    let server = folder.write("server.pem", authority.server_pem());
    let arguments = ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"];
    let proving = ["-cert", &server, "-key", &server];
    let arguments = [&arguments[..], &proving, options].concat();
    let mut peer = openssl(version, &arguments, folder);
    let port: u16 = peer.wait_for("port", |peer| {
        let output = peer.output();
        let (_, port) = output.split_once("ACCEPT 127.0.0.1:")?;
        port.split_once('\n')?.0.parse().ok()
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let config = authority.client_config();
    let ours = Ours::start(move || {
        let connected = tacket_std::run(async {
            let tcp = TcpStream::connect(address).await.expect("it is there");
            ours(TlsStream::client(tcp, &config, NAME).expect("a name")).await;
        });
        connected.expect("an event loop");
    });
    (peer, ours)
}

/// Starts `ours` as a server, and `openssl s_client`, which demands a certificate that `trusted` has signed.
fn against_s_client_that_trusts(
    trusted: &Authority,
    version: TlsVersion,
    authority: &Authority,
    ours: impl AsyncFnOnce(Stream) + Send + 'static,
) -> (Process, Ours) {
    let config = authority.server_config();
    let (ours, port) = Ours::serve(async move |tcp| {
        ours(TlsStream::server(tcp, &config).expect("a configuration")).await;
    });
    let folder = Folder::new();
    let root = folder.write("root.pem", trusted.root_pem());
    let address = format!("127.0.0.1:{port}");
    let arguments = ["s_client", "-brief", "-connect", &address];
    let checking = ["-verify_return_error", "-CAfile", &root];
    let name = ["-servername", NAME, "-verify_hostname", NAME];
    let arguments = [&arguments[..], &checking, &name].concat();
    (openssl(version, &arguments, folder), ours)
}

fn against_s_client(
    version: TlsVersion,
    ours: impl AsyncFnOnce(Stream) + Send + 'static,
) -> (Process, Ours) {
    let authority = Authority::new();
    against_s_client_that_trusts(&authority, version, &authority, ours)
}

/// Numbered lines of 16 bytes. None begins with a letter, which the peers would take for a command.
fn lines(numbers: Range<usize>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        writeln!(text, "{number:015}").expect("a string has room");
        text
    })
}

/// What each side sends, a megabyte each.
const THEIRS: Range<usize> = 0..65_536;
const OURS: Range<usize> = 100_000..165_536;

/// Sends our lines while receiving theirs.
async fn exchange(stream: &mut Stream) {
    let (mut tx, mut rx) = stream.split();
    let sending = async {
        let sent = tx.send_all(lines(OURS).as_bytes()).await;
        sent.expect("our lines can be sent");
    };
    join(sending, receive_exactly(&mut rx, lines(THEIRS).as_bytes())).await;
}

/// Checks that the peer has received these lines and no other.
fn assert_received(peer: &Process, numbers: Range<usize>) {
    let mut received = peer.output();
    // `s_server` shows them among facts about the session, and comments on them.
    for comment in ["SSL_do_handshake -> 1\n", "Read BLOCK\n"] {
        received = received.replace(comment, "");
    }
    let is_ours = |line: &&str| line.len() == 15 && line.bytes().all(|b| b.is_ascii_digit());
    let received = received.lines().filter(is_ours);
    let sent = lines(numbers);
    assert!(
        received.eq(sent.lines()),
        "{peer}: lines are missing, wrong or too many"
    );
}

/// Checks that the peer sent its end. TLS 1.2 hides it from the notes.
pub(crate) fn assert_ended(peer: &mut Process, version: TlsVersion) {
    assert!(peer.wait().success(), "{peer}: it failed");
    if version == TlsVersion::Tls13 {
        assert!(peer.read(MESSAGES).contains(SENT_END), "{peer}: no end");
    }
}

/// Covers SSL-01.
#[test]
fn our_client_and_s_server_exchange_data_until_our_end() {
    for version in VERSIONS {
        let (mut peer, ours) = against_s_server(version, &[], async move |mut stream| {
            exchange(&mut stream).await;
            assert_eq!(negotiated(&stream).version(), version);
            part(stream).await;
        });
        peer.say(&lines(THEIRS));
        ours.finish();
        assert_ended(&mut peer, version);
        assert_received(&peer, OURS);
    }
}

#[test]
fn our_server_and_s_client_exchange_data_until_our_end() {
    for version in VERSIONS {
        let (mut peer, ours) = against_s_client(version, async move |mut stream| {
            exchange(&mut stream).await;
            assert_eq!(negotiated(&stream).version(), version);
            part(stream).await;
        });
        peer.say(&lines(THEIRS));
        ours.finish();
        assert_ended(&mut peer, version);
        assert_received(&peer, OURS);
    }
}

/// Covers SSL-15.
#[test]
fn the_end_of_s_client_is_an_end() {
    for version in VERSIONS {
        let (mut peer, ours) = against_s_client(version, async |mut stream| {
            receive_exactly(&mut stream, lines(THEIRS).as_bytes()).await;
            receive_end(&mut stream).await;
            close(stream).await;
        });
        peer.say(&lines(THEIRS));
        peer.say_no_more();
        ours.finish();
        assert_ended(&mut peer, version);
    }
}

/// Covers SSL-15.
#[test]
fn the_end_of_s_server_is_an_end() {
    for version in VERSIONS {
        // It sends lines back, reversed, and ends at this word.
        let (mut peer, ours) = against_s_server(version, &["-rev"], async |mut stream| {
            send(&mut stream, "tacket\n").await;
            receive_exactly(&mut stream, b"tekcat\n").await;
            send(&mut stream, "CLOSE\n").await;
            receive_end(&mut stream).await;
            close(stream).await;
        });
        ours.finish();
        assert_ended(&mut peer, version);
    }
}

/// Covers SSL-12.
#[test]
fn s_server_follows_our_updates_of_keys() {
    const ROUNDS: usize = 5;
    let (mut peer, ours) = against_s_server(TlsVersion::Tls13, &["-rev"], async |mut stream| {
        for _ in 0..ROUNDS {
            stream.update_keys().await.expect("TLS 1.3 can do that");
            send(&mut stream, "tacket\n").await;
            // Under keys that it has updated as well.
            receive_exactly(&mut stream, b"tekcat\n").await;
        }
        send(&mut stream, "CLOSE\n").await;
        receive_end(&mut stream).await;
        close(stream).await;
    });
    ours.finish();
    assert_ended(&mut peer, TlsVersion::Tls13);
    for direction in ["<<<", ">>>"] {
        let message = format!("{direction} TLS 1.3, Handshake [length 0005], KeyUpdate");
        let count = peer.read(MESSAGES).matches(&message).count();
        assert_eq!(count, ROUNDS, "{peer}: {direction}");
    }
}

async fn send(stream: &mut Stream, text: &str) {
    let sent = stream.send_all(text.as_bytes()).await;
    sent.expect("it can be sent");
}

/// Hears and answers the peer, and then finds out that it died.
async fn outlive(mut stream: Stream, heard: Sender<()>) {
    receive_exactly(&mut stream, lines(0..1).as_bytes()).await;
    send(&mut stream, &lines(1..2)).await;
    heard.send(()).expect("somebody listens");
    receive_a_truncation(&mut stream).await;
    close(stream).await;
}

/// Kills the peer when both sides have read everything there is. So the system ends its connection in an orderly way.
fn kill((mut peer, ours): (Process, Ours), heard: &Receiver<()>) {
    peer.say(&lines(0..1));
    heard.recv_timeout(LIMIT).expect("our side has heard");
    peer.wait_for("answer", |peer| {
        peer.output().contains(&lines(1..2)).then_some(())
    });
    peer.kill();
    ours.finish();
}

/// Covers SSL-20.
#[test]
fn the_death_of_s_server_is_a_truncation() {
    for version in VERSIONS {
        let (tell, heard) = mpsc::channel();
        let ours = async |stream| outlive(stream, tell).await;
        kill(against_s_server(version, &[], ours), &heard);
    }
}

/// Covers SSL-20.
#[test]
fn the_death_of_s_client_is_a_truncation() {
    for version in VERSIONS {
        let (tell, heard) = mpsc::channel();
        let ours = async |stream| outlive(stream, tell).await;
        kill(against_s_client(version, ours), &heard);
    }
}

#[test]
fn a_client_that_refuses_our_certificate_says_why() {
    for version in VERSIONS {
        let (ours, other) = (Authority::new(), Authority::new());
        let refused = async |mut stream: Stream| {
            match stream.do_handshake().await {
                Err(TlsError::Engine(EngineError::Rustls(Error::AlertReceived(alert)))) => {
                    assert_eq!(alert, AlertDescription::UnknownCA);
                }
                other => panic!("{other:?}"),
            }
            close(stream).await;
        };
        let (mut peer, ours) = against_s_client_that_trusts(&other, version, &ours, refused);
        ours.finish();
        assert!(!peer.wait().success(), "{peer}: it is content");
    }
}

/// The commands to a peer that make it update its keys, and how often we have been asked to update ours after each: by
/// the large letter.
const UPDATES: [(&str, usize); 3] = [("K\n", 1), ("k\n", 1), ("K\n", 2)];

/// The lines that the peer sends before, between and after the updates.
const BETWEEN: usize = 1_000;

fn part_of_theirs(number: usize) -> String {
    lines(number * BETWEEN..(number + 1) * BETWEEN)
}

/// Sends lines until all of theirs have come, and tells when each part of them is there. Then tells how many it has sent.
async fn go_on_through_updates(mut stream: Stream, there: Sender<usize>) {
    let (mut tx, mut rx) = stream.split();
    let (enough, mut sent) = (Cell::new(false), OURS.start);
    let sending = async {
        let clock = MonotonicClock::new();
        while !enough.get() {
            let next = sent + 50;
            let text = lines(sent..next);
            tx.send_all(text.as_bytes())
                .await
                .expect("our lines can be sent");
            sent = next;
            // Not faster than the peer can print.
            clock
                .sleep_until(clock.now() + Duration::from_millis(1))
                .await;
        }
    };
    let receiving = async {
        for number in 0..=UPDATES.len() {
            receive_exactly(&mut rx, part_of_theirs(number).as_bytes()).await;
            there.send(number).expect("somebody listens");
        }
        enough.set(true);
    };
    join(sending, receiving).await;
    there.send(sent).expect("somebody listens");
    part(stream).await;
}

/// Lets the peer update its keys while data goes both ways.
fn update_keys((mut peer, ours): (Process, Ours), there: &Receiver<usize>) {
    let count = |peer: &Process, direction: &str| {
        let message = format!("{direction} TLS 1.3, Handshake [length 0005], KeyUpdate");
        peer.read(MESSAGES).matches(&message).count()
    };
    let next = || there.recv_timeout(LIMIT).expect("our side goes on");
    peer.say(&part_of_theirs(0));
    assert_eq!(next(), 0);
    for (number, (command, answers)) in (1..).zip(UPDATES) {
        // It has nothing else to read now: only so it sees a command in this.
        peer.say(command);
        peer.wait_for("update of keys", |peer| {
            let updates = (count(peer, ">>>"), count(peer, "<<<"));
            (updates == (number, answers)).then_some(())
        });
        peer.say(&part_of_theirs(number));
        assert_eq!(next(), number);
    }
    let sent = next();
    ours.finish();
    assert_ended(&mut peer, TlsVersion::Tls13);
    assert_received(&peer, OURS.start..sent);
}

/// Covers SSL-12.
#[test]
fn s_server_may_update_its_keys_while_data_goes_both_ways() {
    let (tell, there) = mpsc::channel();
    let ours = async |stream| go_on_through_updates(stream, tell).await;
    update_keys(against_s_server(TlsVersion::Tls13, &[], ours), &there);
}

/// Covers SSL-12.
#[test]
fn s_client_may_update_its_keys_while_data_goes_both_ways() {
    let (tell, there) = mpsc::channel();
    let ours = async |stream| go_on_through_updates(stream, tell).await;
    update_keys(against_s_client(TlsVersion::Tls13, ours), &there);
}
