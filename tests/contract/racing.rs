//! Connecting to a name, by a timetable: what each address does, and when, on a clock that jumps.

use core::cell::{Cell, RefCell};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use embedded_io_async::ErrorType;
use futures_util::future::join;
use socket2::SockRef;
use tacket::testing::{MemoryError, MemoryPair, MemoryStream, VirtualClock};
use tacket::{
    AsyncResource as _, Clock, Connect, ConnectOptions, Error as _, Fault, Listener as _,
    LocalAddress as _, OpenError, ReceiveStream as _, Resolve, SendStream as _, open_tcp_stream,
    timeout,
};
use tacket_std::{MonotonicClock, Net, TcpListener, TcpStream};

type Stream = MemoryStream<'static, [u8; 4]>;

/// What comes of an attempt, and after how many milliseconds.
#[derive(Clone, Copy)]
enum Answer {
    Ok(u64),
    Err(u64),
}

use Answer::{Err as Fails, Ok as Connects};

/// A network with one name, whose addresses do this.
#[derive(Default)]
struct Timetable {
    clock: VirtualClock,
    rows: Vec<(IpAddr, Answer)>,
    /// Which rows were tried, and when.
    starts: RefCell<Vec<(usize, u64)>>,
    /// Attempts under way.
    open: Cell<usize>,
    /// Where attempts came from.
    locals: RefCell<Vec<IpAddr>>,
}

/// An attempt, as long as it is under way.
struct Attempt<'a>(&'a Cell<usize>);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Timetable {
    fn new(rows: &[(&str, Answer)]) -> Self {
        let rows = rows
            .iter()
            .map(|(ip, answer)| (ip.parse().expect("an address"), *answer));
        Self {
            rows: rows.collect(),
            ..Self::default()
        }
    }

    /// Connects. Returns the row that won and when, or the error.
    #[expect(clippy::result_large_err, reason = "it has the error of each attempt")]
    fn open(&self, options: ConnectOptions) -> Result<(usize, u64), OpenError<MemoryError>> {
        let opening = open_tcp_stream(self, "example.com", 443, options);
        let mut stream = self.clock.run(opening)?;
        assert_eq!(self.open.get(), 0, "the others are given up");
        let mut buf = [0; 4];
        self.clock
            .run(stream.receive_some(&mut buf))
            .expect("its row");
        Ok((usize::from(buf[0]), self.millis()))
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis()).expect("a few")
    }

    fn starts(&self) -> Vec<(usize, u64)> {
        self.starts.borrow().clone()
    }
}

impl ErrorType for Timetable {
    type Error = MemoryError;
}

impl Clock for Timetable {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.clock.sleep_until(deadline).await;
    }
}

impl Resolve for Timetable {
    async fn resolve(&self, host: &str, addresses: &mut [IpAddr]) -> Result<usize, MemoryError> {
        if host == "unknown" {
            return Err(MemoryError::Closed);
        }
        let places = addresses.iter_mut().zip(&self.rows);
        places.for_each(|(place, (ip, _))| *place = *ip);
        Ok(self.rows.len())
    }
}

impl Connect for Timetable {
    type Stream = Stream;

    async fn connect(&self, peer: SocketAddr) -> Result<Stream, MemoryError> {
        let mut rows = self.rows.iter().enumerate();
        let (row, (_, answer)) = rows.find(|(_, (ip, _))| *ip == peer.ip()).expect("a row");
        self.starts.borrow_mut().push((row, self.millis()));
        self.open.set(self.open.get() + 1);
        let _attempt = Attempt(&self.open);
        let (Connects(millis) | Fails(millis)) = *answer;
        let end = self.now() + Duration::from_millis(millis);
        self.sleep_until(end).await;
        if let Fails(_) = answer {
            return Err(MemoryError::Broken);
        }
        let pair = Box::leak(Box::new(MemoryPair::new([0; 4], [0; 4])));
        let (stream, mut peer) = pair.open().expect("it is new");
        peer.send_all(&[u8::try_from(row).expect("a few")]).await?;
        Ok(stream)
    }

    async fn connect_from(&self, local: IpAddr, peer: SocketAddr) -> Result<Stream, MemoryError> {
        self.locals.borrow_mut().push(local);
        match local.is_ipv4() == peer.is_ipv4() {
            true => self.connect(peer).await,
            false => Err(MemoryError::Capacity),
        }
    }
}

const A4: &str = "192.0.2.1";
const B4: &str = "192.0.2.2";
const C4: &str = "192.0.2.3";
const D4: &str = "192.0.2.4";
const A6: &str = "2001:db8::1";
const B6: &str = "2001:db8::2";
const DEFAULT: ConnectOptions = ConnectOptions::new();

/// Covers HEB-03.
#[test]
fn the_second_attempt_is_by_another_version_of_ip_if_there_is_one() {
    for (listed, tried) in [
        (&[A4, B4, C4, A6, B6][..], &[A4, A6, B4, C4, B6][..]),
        (&[A4, A6, B4, B6], &[A4, A6, B4, B6]),
        (&[A6, B6, A4], &[A6, A4, B6]),
        (&[A4, B4, C4], &[A4, B4, C4]),
        (&[A6], &[A6]),
    ] {
        let rows: Vec<_> = listed.iter().map(|ip| (*ip, Fails(1))).collect();
        let table = Timetable::new(&rows);
        let error = table.open(DEFAULT).unwrap_err();
        let ips: Vec<_> = error
            .attempts()
            .map(|(peer, _)| peer.ip().to_string())
            .collect();
        assert_eq!(ips, tried);
    }
}

/// Covers HEB-07.
#[test]
fn one_address_takes_as_long_as_it_takes() {
    assert_eq!(
        Timetable::new(&[(A4, Connects(123))])
            .open(DEFAULT)
            .unwrap(),
        (0, 123)
    );
    let slow = Timetable::new(&[(A4, Connects(100_000))]);
    assert_eq!(slow.open(DEFAULT).unwrap(), (0, 100_000));
    let failing = Timetable::new(&[(A4, Fails(123))]);
    let error = failing.open(DEFAULT).unwrap_err();
    assert_eq!((failing.millis(), error.fault()), (123, Fault::Broken));
}

/// Covers HEB-06, HEB-08.
#[test]
fn a_later_attempt_can_win_and_the_earlier_ones_are_given_up() {
    let table = Timetable::new(&[
        (A4, Connects(1000)),
        (B4, Connects(1000)),
        (C4, Connects(200)),
    ]);
    assert_eq!(table.open(DEFAULT).unwrap(), (2, 700));
    assert_eq!(table.starts(), [(0, 0), (1, 250), (2, 500)]);
}

/// Covers HEB-09.
#[test]
fn after_the_first_success_no_attempt_starts() {
    let table = Timetable::new(&[
        (A4, Connects(1000)),
        (B4, Connects(100)),
        (C4, Connects(200)),
    ]);
    assert_eq!(table.open(DEFAULT).unwrap(), (1, 350));
    assert_eq!(table.starts(), [(0, 0), (1, 250)]);
}

/// Covers HEB-05, HEB-10.
#[test]
fn an_attempt_starts_when_the_one_before_has_failed_or_had_its_time() {
    let rows = [
        (A4, Fails(100)),
        (B4, Fails(200)),
        (C4, Connects(10_000)),
        (D4, Connects(250)),
    ];
    let table = Timetable::new(&rows);
    assert_eq!(table.open(DEFAULT).unwrap(), (3, 800));
    assert_eq!(table.starts(), [(0, 0), (1, 100), (2, 300), (3, 550)]);
}

/// Covers HEB-05. Without a delay there is one attempt at a time.
#[test]
fn without_a_stagger_an_attempt_starts_only_when_the_one_before_has_failed() {
    let table = Timetable::new(&[
        (A4, Fails(60_000)),
        (B4, Connects(60_000)),
        (C4, Connects(1)),
    ]);
    let one_by_one = ConnectOptions::new().stagger(None);
    assert_eq!(table.open(one_by_one).unwrap(), (1, 120_000));
    assert_eq!(table.starts(), [(0, 0), (1, 60_000)]);
}

/// Covers HEB-12.
#[test]
fn an_attempt_that_fails_at_once_costs_no_time() {
    let rows = [
        (A6, Connects(10_000)),
        (A4, Fails(0)),
        (B6, Connects(100)),
        (B4, Fails(0)),
    ];
    let table = Timetable::new(&rows);
    let options = ConnectOptions::new().stagger(Some(Duration::from_secs(1)));
    assert_eq!(table.open(options).unwrap(), (2, 1100));
    assert_eq!(table.starts(), [(0, 0), (1, 1000), (2, 1000)]);
}

/// Covers HEB-11.
#[test]
fn when_all_fail_the_error_has_that_of_each_in_order() {
    let table = Timetable::new(&[(A4, Fails(300)), (B4, Fails(10)), (C4, Fails(0))]);
    let error = table.open(DEFAULT).unwrap_err();
    let attempts: Vec<_> = error
        .attempts()
        .map(|(peer, error)| (peer, *error))
        .collect();
    let expected = [A4, B4, C4].map(|ip| {
        let peer = SocketAddr::new(ip.parse().unwrap(), 443);
        (peer, MemoryError::Broken)
    });
    assert_eq!(attempts, expected);
    assert_eq!(table.millis(), 300);
    let said = error.to_string();
    assert_eq!(said, "all attempts to connect to example.com:443 failed");
    assert_eq!(error.fault(), Fault::Broken);
}

/// Covers HEB-13.
#[test]
fn dropped_it_gives_up_all_attempts() {
    let rows = [A4, B4, C4, D4].map(|ip| (ip, Connects(10_000)));
    let table = Timetable::new(&rows);
    let opening = open_tcp_stream(&table, "example.com", 443, DEFAULT);
    let five = Duration::from_secs(5);
    let cut = table.clock.run(timeout(&table, five, async {
        let watching = async {
            table.sleep_until(Duration::from_secs(4)).await;
            assert_eq!(table.open.get(), 4);
        };
        join(opening, watching).await.0.is_ok()
    }));
    assert!(cut.is_err());
    assert_eq!((table.open.get(), table.clock.now()), (0, five));
}

/// Covers HEB-02, HEB-04.
#[test]
fn a_name_without_an_address_and_one_with_too_many_are_told_with_host_and_port() {
    let nobody = Timetable::new(&[]);
    let open = |host: &str, port| {
        let opening = open_tcp_stream(&nobody, host, port, DEFAULT);
        nobody.clock.run(opening).map(drop).unwrap_err()
    };
    let nothing = "no results found for hostname lookup: ";
    let long = "x".repeat(64);
    for (host, port, told) in [
        ("127.0.0.1", 80, "127.0.0.1:80".to_owned()),
        ("example.com", 443, "example.com:443".to_owned()),
        ("::1", 80, "[::1]:80".to_owned()),
        (&format!("{long}yz"), 1, format!("{long}...:1")),
    ] {
        assert_eq!(open(host, port).to_string(), format!("{nothing}{told}"));
    }
    let unknown = open("unknown", 7);
    assert_eq!(
        unknown.to_string(),
        "the addresses of unknown:7 could not be asked for"
    );
    assert_eq!(unknown.fault(), Fault::Closed);
    let source = core::error::Error::source(&unknown).unwrap();
    assert_eq!(source.to_string(), MemoryError::Closed.to_string());

    let many: Vec<_> = (1..=9).map(|n| format!("192.0.2.{n}")).collect();
    let rows: Vec<_> = many.iter().map(|ip| (ip.as_str(), Connects(1))).collect();
    let table = Timetable::new(&rows);
    let error = table.open(DEFAULT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "example.com:443 has 9 addresses, and there is room for 8"
    );
    assert_eq!(error.fault(), Fault::Capacity);
    let opening = open_tcp_stream(&table, "example.com", 443, DEFAULT.addresses::<9>());
    assert!(table.clock.run(opening).is_ok());
}

/// Covers HEB-15.
#[test]
fn an_unspecified_local_address_allows_only_its_version_of_ip() {
    let table = Timetable::new(&[(A6, Connects(1)), (A4, Connects(1))]);
    let local = Ipv4Addr::UNSPECIFIED.into();
    assert_eq!(
        table.open(ConnectOptions::new().local(local)).unwrap(),
        (1, 1)
    );
    assert_eq!(*table.locals.borrow(), [local, local]);
}

/// Covers HEB-14, HEB-16 and HEB-17.
#[test]
fn on_a_real_network_it_connects_from_the_address_that_was_given() {
    let clock = MonotonicClock::new();
    let test = async {
        let network = Net::new();
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let local: IpAddr = [127, 0, 0, 5].into();
        for options in [
            DEFAULT,
            DEFAULT.local(local),
            DEFAULT.local(Ipv4Addr::UNSPECIFIED.into()),
        ] {
            let opening = open_tcp_stream(&network, "127.0.0.1", port, options);
            let (stream, accepted) = join(opening, listener.accept()).await;
            let (mut stream, mut accepted): (TcpStream, _) = (stream.unwrap(), accepted.unwrap());
            assert!(SockRef::from(&stream).tcp_nodelay().unwrap());
            if options == DEFAULT.local(local) {
                assert_eq!(stream.local_addr().unwrap().ip(), local);
                assert_eq!(accepted.peer_addr().unwrap().ip(), local);
            }
            stream.send_all(b"hello").await.unwrap();
            assert_eq!(accepted.receive_some(&mut [0; 8]).await.unwrap(), 5);
            stream.close().await.unwrap();
        }
        // Not one of this machine, and one of another version.
        for local in ["192.0.2.1", "::1"] {
            let options = DEFAULT.local(local.parse().unwrap());
            let opening = open_tcp_stream(&network, "127.0.0.1", port, options);
            let error = opening.await.map(drop).unwrap_err();
            assert_eq!(error.fault(), Fault::InvalidInput, "{error:?}");
            assert_eq!(error.attempts().count(), 1);
        }
    };
    let limited = timeout(&clock, Duration::from_secs(20), test);
    tacket_std::run(limited).unwrap().expect("it hangs");
}
