//! Who hears what when a session is closed: each mode with each, whoever closes first, whatever nobody has received yet.

use core::fmt;

use futures_util::future::{join, try_join};
use tacket::testing::MemoryPipe;
use tacket::{
    AsyncResource, Error as _, Fault, HalfCloseable as _, IntoSplit, ReceiveStream, SendStream,
    StapledStream, Stream,
};
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::{TlsError, TlsStream};

use super::{Parties, connect, run};

use First::{Both, Client, Server};
use Mode::{Lax, Strict};

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Strict,
    /// `https_compatible`.
    Lax,
}

/// Who closes first. The other one receives to the end, and closes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Client,
    Server,
    /// Both close their sending halves before either receives.
    Both,
}

/// By whom there is data that was not received at the moment of the first close: nobody, the client, the server, both.
const UNREAD: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

type Row = (Mode, Mode, First, [(&'static str, &'static str); 4]);

/// The modes of client and server, who is first, and for each of [`UNREAD`] what the client hears and what the server does.
///
/// `-` has closed, and hears nothing more. `end` is the end. `cut` is `Truncated`. Data before them is complete.
#[rustfmt::skip]
const MATRIX: [Row; 12] = [
    // client server  first     nobody             the client                 the server                 both
    (Strict, Strict, Client, [("-", "end"),      ("-", "end"),              ("-", "data, end"),        ("-", "data, end")]),
    (Strict, Strict, Server, [("end", "-"),      ("data, end", "-"),        ("end", "-"),              ("data, end", "-")]),
    (Strict, Strict, Both,   [("end", "end"),    ("data, end", "end"),      ("end", "data, end"),      ("data, end", "data, end")]),
    // A strict one says its end, and whoever is not strict takes it as such.
    (Strict, Lax,    Client, [("-", "end"),      ("-", "end"),              ("-", "data, end"),        ("-", "data, end")]),
    (Strict, Lax,    Server, [("cut", "-"),      ("data, cut", "-"),        ("cut", "-"),              ("data, cut", "-")]),
    (Strict, Lax,    Both,   [("cut", "end"),    ("data, cut", "end"),      ("cut", "data, end"),      ("data, cut", "data, end")]),
    (Lax,    Strict, Client, [("-", "cut"),      ("-", "cut"),              ("-", "data, cut"),        ("-", "data, cut")]),
    (Lax,    Strict, Server, [("end", "-"),      ("data, end", "-"),        ("end", "-"),              ("data, end", "-")]),
    (Lax,    Strict, Both,   [("end", "cut"),    ("data, end", "cut"),      ("end", "data, cut"),      ("data, end", "data, cut")]),
    // Nobody says anything, and both take the transport's end for it.
    (Lax,    Lax,    Client, [("-", "end"),      ("-", "end"),              ("-", "data, end"),        ("-", "data, end")]),
    (Lax,    Lax,    Server, [("end", "-"),      ("data, end", "-"),        ("end", "-"),              ("data, end", "-")]),
    (Lax,    Lax,    Both,   [("end", "end"),    ("data, end", "end"),      ("end", "data, end"),      ("data, end", "data, end")]),
];

/// More than a record.
const LENGTH: usize = 20_000;

/// A case, for whoever reads that it failed.
#[derive(Clone, Copy)]
struct Case<'p> {
    parties: &'p Parties,
    modes: [Mode; 2],
    first: First,
    unread: (bool, bool),
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            modes: [client, server],
            first,
            unread,
            ..
        } = self;
        write!(
            f,
            "client {client:?}, server {server:?}, first {first:?}, unread {unread:?}"
        )
    }
}

/// The whole matrix, in both versions, over the transports that `open` makes.
fn examine<S: Stream + IntoSplit>(mut open: impl AsyncFnMut() -> (S, S)) {
    for version in [&TLS12, &TLS13] {
        let parties = Parties::speaking(version);
        for (client, server, first, expected) in MATRIX {
            for (unread, expected) in UNREAD.into_iter().zip(expected) {
                let modes = [client, server];
                let case = Case {
                    parties: &parties,
                    modes,
                    first,
                    unread,
                };
                let heard = run(async { case.run(open().await).await });
                let heard = (&*heard.0, &*heard.1);
                assert_eq!(heard, expected, "{case}, {:?}", version.version);
            }
        }
    }
}

impl Case<'_> {
    /// What both hear.
    async fn run<S: Stream + IntoSplit>(self, transports: (S, S)) -> (String, String) {
        let (mut client, mut server) = self.parties.acquainted(transports).await;
        if self.modes[0] == Lax {
            client = client.https_compatible();
        }
        if self.modes[1] == Lax {
            server = server.https_compatible();
        }
        if self.unread.0 {
            server.send_all(&[1; LENGTH]).await.expect("there is room");
        }
        if self.unread.1 {
            client.send_all(&[1; LENGTH]).await.expect("there is room");
        }
        match self.first {
            Client => ("-".to_owned(), one_after_the_other(client, server).await),
            Server => (one_after_the_other(server, client).await, "-".to_owned()),
            Both => both_at_once(client, server).await,
        }
    }
}

/// What `second` hears when `first` has closed. Then it closes too, and that never fails.
async fn one_after_the_other<S: Stream>(first: TlsStream<S>, mut second: TlsStream<S>) -> String {
    first.close().await.expect("closes");
    let heard = hear(&mut second).await;
    second.close().await.expect("closes");
    heard
}

async fn both_at_once<S: Stream + IntoSplit>(
    client: TlsStream<S>,
    server: TlsStream<S>,
) -> (String, String) {
    let (client_tx, mut client_rx) = client.into_split();
    let (server_tx, mut server_rx) = server.into_split();
    let closed = try_join(
        async { client_tx.close().await.map_err(|error| error.to_string()) },
        async { server_tx.close().await.map_err(|error| error.to_string()) },
    );
    closed.await.expect("close");
    join(hear(&mut client_rx), hear(&mut server_rx)).await
}

/// What is received, in the words of [`MATRIX`]. The last of it stays.
async fn hear<E: tacket::Error>(rx: &mut impl ReceiveStream<Error = TlsError<E>>) -> String {
    let (mut total, mut buf) = (0, [0; 3000]);
    let last = loop {
        match outcome(rx.receive_some(&mut buf).await) {
            Ok(count) => total += count,
            Err(last) => break last,
        }
    };
    for _ in 0..2 {
        assert_eq!(
            outcome(rx.receive_some(&mut buf).await),
            Err(last),
            "it changes"
        );
    }
    match total {
        0 => last.to_owned(),
        LENGTH => format!("data, {last}"),
        part => format!("{part} bytes, {last}"),
    }
}

fn outcome<E: tacket::Error>(received: Result<usize, TlsError<E>>) -> Result<usize, &'static str> {
    match received {
        Ok(0) => Err("end"),
        Ok(count) => Ok(count),
        Err(TlsError::Truncated) => Err("cut"),
        Err(error) if error.fault() == Fault::Broken => Err("broken"),
        Err(_) => Err("refused"),
    }
}

#[test]
fn every_close_over_memory_is_heard_as_the_matrix_says() {
    let [there, back] = [(); 2].map(|()| MemoryPipe::new(vec![0; 100_000]));
    examine(async || {
        let (left_tx, right_rx) = there.open().expect("the last pair is gone");
        let (right_tx, left_rx) = back.open().expect("the last pair is gone");
        (
            StapledStream::new(left_tx, left_rx),
            StapledStream::new(right_tx, right_rx),
        )
    });
}

#[test]
fn every_close_over_tcp_is_heard_as_the_matrix_says() {
    examine(connect);
}

/// Both sides close their whole streams at once: neither can hear anything more, and neither may fail.
#[test]
fn two_closes_at_once_fail_on_neither_side_whatever_the_modes() {
    for parties in Parties::of_each_version() {
        for (client, server, first, _) in MATRIX {
            for unread in UNREAD {
                if first != Both {
                    continue;
                }
                run(async {
                    let (mut one, mut other) = parties.acquainted(connect().await).await;
                    if unread.0 {
                        other.send_all(&[1; LENGTH]).await.expect("there is room");
                    }
                    if unread.1 {
                        one.send_all(&[1; LENGTH]).await.expect("there is room");
                    }
                    if client == Lax {
                        one = one.https_compatible();
                    }
                    if server == Lax {
                        other = other.https_compatible();
                    }
                    let (one, other) = join(one.close(), other.close()).await;
                    one.expect("closes");
                    other.expect("closes");
                });
            }
        }
    }
}

/// An end that was sent by itself, and then a close: the close adds nothing that the peer could notice.
#[test]
fn a_close_after_an_end_changes_nothing_for_the_peer_in_either_mode() {
    for parties in Parties::of_each_version() {
        for mode in [Strict, Lax] {
            run(async {
                let (mut client, mut server) = parties.acquainted(connect().await).await;
                if mode == Lax {
                    client = client.https_compatible();
                }
                client.send_all(&[1; LENGTH]).await.expect("sends");
                client.send_eof().await.expect("ends");
                client.close().await.expect("closes");
                assert_eq!(hear(&mut server).await, "data, end", "{mode:?}");
                server.close().await.expect("closes");
            });
        }
    }
}
