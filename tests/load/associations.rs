//! Associations of DTLS: as many as there is memory for, all at work at once, and what each of them takes.
//!
//! The server is in this process, so that every byte that it takes from the allocator is counted; its clients are in another, as many sockets of UDP.

use alloc::sync::Arc;
use core::future::poll_fn;
use core::net::{Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tacket::{AsyncResource as _, LocalAddress as _};
use tacket_std::{MonotonicClock, UdpSocket};
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    DtlsChannel, DtlsEndpoint, DtlsError, DtlsIdentity, DtlsPsk, DtlsServerConfig, Fingerprint,
};

use crate::part::Part;
use crate::usage::{check_descriptors, most_memory_kib};
use crate::{number, tell};

/// Those of the clients, which are a program of their own.
const KEY: [u8; 32] = [7; 32];
const IDENTITY: &str = "sensor 17";

/// How the ends know each other, and by which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Key,
    Certificate,
    Certificate13,
}

impl Way {
    const ALL: [Self; 3] = [Self::Key, Self::Certificate, Self::Certificate13];

    const fn name(self) -> &'static str {
        match self {
            Self::Key => "a pre-shared key, DTLS 1.2",
            Self::Certificate => "a certificate, DTLS 1.2",
            Self::Certificate13 => "a certificate, DTLS 1.3",
        }
    }
}

fn scale() -> u64 {
    match std::env::var_os("TACKET_LONG") {
        None => 200,
        Some(_) => 10_000,
    }
}

const GIBIBYTE: u64 = 1 << 30;
/// How many have room in a gibibyte at least, each with its handler.
const ROOM: u64 = 40_000;
/// What is left of each that has gone: places in tables, which do not shrink.
const EACH_LEFT: i64 = 1 << 10;
/// And what may be left of those who come then: nothing of each.
const ALLOWANCE: i64 = 4 << 10;
/// Of how many who are gone an endpoint knows the hellos, and what each may take in tables that double.
const HELLOS: i64 = 4096;
const EACH_HELLO: i64 = 512;
/// How long something takes at most.
const PATIENCE: Duration = Duration::from_secs(600);

#[test]
fn associations_of_one_endpoint_work_all_at_once_and_a_gibibyte_has_room_for_forty_thousand() {
    let associations = scale();
    check_descriptors(associations + 100);
    let mut table = String::new();
    for way in Way::ALL {
        let measured = measure(way, associations);
        tell(&measured);
        let each = number(&measured, "bytes_each");
        let room = GIBIBYTE / each;
        table += &format!("| {} | {each} | {room} |\n", way.name());
        assert!(room >= ROOM, "{measured}");
    }
    let mut stdout = io::stdout().lock();
    write!(
        stdout,
        "\n| {associations} associations at once | bytes of each | in a gibibyte |\n| --- | --- | --- |\n{table}"
    )
    .expect("somebody listens");
}

fn measure(way: Way, associations: u64) -> Value {
    let server = Server::start(way);
    let clients = |count| {
        let is_13 = way == Way::Certificate13;
        let part = Part::fleet(server.address, count, server.pinned(), is_13);
        let here = part.hear(PATIENCE);
        assert_eq!(number(&here, "wrong"), 0, "{here}");
        assert_eq!(number(&here, "here"), count, "{here}");
        server.wait_for(count);
        part
    };
    // What is made once is there.
    let first = clients(1);
    let left = first.end("finish", PATIENCE);
    assert_eq!(number(&left, "wrong"), 0, "{left}");
    server.wait_for(0);
    let idle = server.live();

    let start = Instant::now();
    let mut all = clients(associations);
    let seconds = start.elapsed().as_secs_f64();
    let full = server.live();
    let messages = server.messages();
    all.tell("go");
    let said = all.hear(PATIENCE);
    assert_eq!(number(&said, "answered"), associations, "{said}");
    assert_eq!(number(&said, "wrong"), 0, "{said}");
    assert!(server.messages() - messages >= associations);
    // They are still all there.
    assert_eq!(server.associations(), associations);
    let worked = server.live();
    let end = all.end("finish", PATIENCE);
    assert_eq!(number(&end, "wrong"), 0, "{end}");
    server.wait_for(0);
    let after = server.live();
    // Half as many: then no table grows because of those who have gone, but that of their hellos.
    let again = clients(associations / 2);
    again.end("finish", PATIENCE);
    server.wait_for(0);
    let after_again = server.live();
    server.stop();

    let count = i64::try_from(associations).expect("few");
    let unknown = (count / 2).min(HELLOS - count.min(HELLOS));
    assert!(
        after <= idle + count * EACH_LEFT,
        "{after} bytes, {idle} before"
    );
    assert!(
        after_again <= after + ALLOWANCE + unknown * EACH_HELLO,
        "{after_again} bytes, {after} before"
    );
    json!({
        "test": "associations",
        "way": way.name(),
        "associations": associations,
        "seconds_to_come": seconds,
        "bytes_each": (full.max(worked) - idle) / count,
        "bytes": { "idle": idle, "full": full, "worked": worked, "after": after, "after_again": after_again },
        "most_memory_kib": most_memory_kib(),
    })
}

// ------------------------------------------------------------ the server

/// A server on a thread of its own, and what it has from the allocator.
struct Server {
    address: SocketAddr,
    pinned: Option<Fingerprint>,
    shared: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    live: AtomicI64,
    associations: AtomicU64,
    messages: AtomicU64,
}

impl Server {
    fn start(way: Way) -> Self {
        let (config, pinned) = config(way);
        let (tell, told): (Sender<SocketAddr>, Receiver<_>) = channel();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::<Seen>::default();
        let seen = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let run = tacket_std::run(async {
                let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                let socket = UdpSocket::bind(any).expect("a free port");
                let port = socket.local_addr().expect("its address").port();
                tell.send(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
                    .expect("the test listens");
                let endpoint = DtlsEndpoint::new(socket, MonotonicClock::new());
                serve(&endpoint.expect("random bytes"), &config, &seen, stopped).await;
            });
            run.expect("an event loop");
        });
        Self {
            address: told.recv().expect("it starts"),
            pinned,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn pinned(&self) -> Option<String> {
        self.pinned.map(|pinned| pinned.to_string())
    }

    fn live(&self) -> i64 {
        self.shared.live.load(Ordering::SeqCst)
    }

    fn messages(&self) -> u64 {
        self.shared.messages.load(Ordering::SeqCst)
    }

    fn associations(&self) -> u64 {
        self.shared.associations.load(Ordering::SeqCst)
    }

    /// Waits until it has so many.
    fn wait_for(&self, associations: u64) {
        let start = Instant::now();
        while self.associations() != associations {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.shared);
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn stop(mut self) {
        let stop = self.stop.take().expect("it was not stopped");
        stop.send(()).expect("it serves");
        let thread = self.thread.take().expect("it runs");
        thread.join().expect("it ends well");
    }
}

fn config(way: Way) -> (DtlsServerConfig, Option<Fingerprint>) {
    if way == Way::Key {
        let key = DtlsPsk::new(IDENTITY, KEY).expect("a key");
        return (DtlsServerConfig::with_psks([key]).expect("a key"), None);
    }
    let (certificate, key) = Authority::new().certify(&[NAME], |_| {});
    let pinned = Fingerprint::new(Sha256::digest(&certificate).into());
    let identity = DtlsIdentity::new(&certificate, &key).expect("they belong together");
    let config = DtlsServerConfig::new(identity);
    match way {
        Way::Certificate13 => (
            config.with_dtls13().expect("it has certificates"),
            Some(pinned),
        ),
        _ => (config, Some(pinned)),
    }
}

/// Sends every message back, and counts what the endpoint and its handlers have from the allocator.
async fn serve(
    endpoint: &DtlsEndpoint<UdpSocket>,
    config: &DtlsServerConfig,
    seen: &Seen,
    stopped: oneshot::Receiver<()>,
) {
    let handler = async |channel: DtlsChannel<UdpSocket>| {
        let mut message = [0; 64];
        while let Some(length) = channel.receive(&mut message).await? {
            seen.messages.fetch_add(1, Ordering::SeqCst);
            let text = message.get(..length).unwrap_or_default();
            channel.send(text).await?;
        }
        Ok::<_, DtlsError<_>>(())
    };
    let mut serving = pin!(endpoint.serve(config, usize::MAX, handler));
    let counted = poll_fn(|cx| {
        let mut polled = None;
        let counted = allocation_counter::measure(|| polled = Some(serving.as_mut().poll(cx)));
        seen.live.fetch_add(counted.bytes_current, Ordering::SeqCst);
        let statistics = endpoint.statistics();
        let associations = u64::try_from(statistics.associations).expect("few");
        seen.associations.store(associations, Ordering::SeqCst);
        polled.expect("it was polled")
    });
    match select(pin!(counted), stopped).await {
        Either::Left((served, _)) => panic!("it serves no more: {served:?}"),
        Either::Right(_) => {}
    }
    let endpoint = endpoint.clone();
    endpoint.close().await.expect("closes");
}
