//! What strangers can cost an endpoint of DTLS: work for a datagram, and memory.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::{Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use embedded_io_async::ErrorType;
use futures_util::FutureExt as _;
use tacket::testing::SimError;
use tacket::{AsyncResource, Clock, Datagram, ReceiveDatagram, SendDatagram};
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    DtlsChannel, DtlsClientConfig, DtlsEndpoint, DtlsError, DtlsIdentity, DtlsServerConfig,
    DtlsTrust,
};

/// How many hellos are forged.
const FORGED: u32 = 100_000;
/// What a server takes from the allocator for one, and gives back: its answer, which waits to go. So it is for any, whatever came before.
const ALLOCATIONS: u64 = 2;
const BYTES: u64 = 256;
/// What it has at once for those that come in one go.
const MOST: u64 = 4 << 10;

/// A socket to which somebody sends the same hello, with another random, from one address after the other.
#[derive(Default)]
struct Forger {
    hello: Vec<u8>,
    number: Cell<u32>,
    left: Cell<u32>,
    /// Answers, and those of them that went where a hello came from, and were no longer.
    answers: Cell<u32>,
    right: Cell<u32>,
    /// Who waits for one.
    reader: Cell<Option<Waker>>,
    /// The first that was sent.
    first: RefCell<Vec<u8>>,
}

#[derive(Clone)]
struct Socket(Rc<Forger>);

fn address(number: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 | number), 4433))
}

impl ErrorType for Socket {
    type Error = SimError;
}

impl SendDatagram for Socket {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), SimError> {
        let forger = &self.0;
        if forger.hello.is_empty() {
            forger.first.borrow_mut().extend(data);
            return Ok(());
        }
        forger.answers.set(forger.answers.get() + 1);
        // In the order of coming.
        let is_right = peer == address(forger.answers.get()) && data.len() <= forger.hello.len();
        forger.right.set(forger.right.get() + u32::from(is_right));
        Ok(())
    }
}

impl ReceiveDatagram for Socket {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), SimError> {
        let forger = &self.0;
        poll_fn(|cx| match forger.left.get() {
            0 => {
                forger.reader.set(Some(cx.waker().clone()));
                Poll::Pending
            }
            left => {
                forger.left.set(left - 1);
                Poll::Ready(())
            }
        })
        .await;
        forger.number.set(forger.number.get() + 1);
        let number = forger.number.get();
        buf[..forger.hello.len()].copy_from_slice(&forger.hello);
        // Its random.
        buf[27..31].copy_from_slice(&number.to_be_bytes());
        Ok((forger.hello.len(), address(number)))
    }
}

impl Datagram for Socket {
    type Sending<'s> = Self;
    type Receiving<'s> = Self;

    fn split(&mut self) -> (Self, Self) {
        (self.clone(), self.clone())
    }
}

impl AsyncResource for Socket {
    async fn close(self) -> Result<(), SimError> {
        Ok(())
    }
}

/// No time passes.
struct Still;

impl Clock for Still {
    fn now(&self) -> Duration {
        Duration::from_secs(1000)
    }

    async fn sleep_until(&self, _: Duration) {
        core::future::pending().await
    }
}

/// The first hello of a client of ours.
fn hello(authority: &Authority) -> Vec<u8> {
    let forger = Rc::<Forger>::default();
    let endpoint = DtlsEndpoint::new(Socket(Rc::clone(&forger)), Still).expect("random bytes");
    let trust = DtlsTrust::in_roots([authority.root()]).expect("a root");
    let config = DtlsClientConfig::new(trust).expect("random bytes");
    let channel = endpoint.connect(address(1), &config, NAME).expect("open");
    assert!(channel.do_handshake().now_or_never().is_none());
    forger.first.take()
}

/// Without a cookie, and with one that is none of the server's.
#[test]
fn a_hundred_thousand_forged_hellos_leave_no_byte_behind_and_each_costs_the_same_little() {
    let authority = Authority::new();
    let first = hello(&authority);
    let mut repeated = first.clone();
    repeated.splice(60..61, [&[32][..], &[7; 32]].concat());
    for place in [12, 16, 24] {
        repeated[place] += 32;
    }
    for hello in [first, repeated] {
        let forger = Rc::new(Forger {
            hello,
            ..Forger::default()
        });
        let (certificate, key) = authority.certify(&[NAME], |_| {});
        let identity = DtlsIdentity::new(&certificate, &key).expect("they belong together");
        let config = DtlsServerConfig::new(identity);
        let server = DtlsEndpoint::new(Socket(Rc::clone(&forger)), Still).expect("random bytes");
        let handler = async |_: DtlsChannel<Socket>| {
            panic!("nobody is there");
            #[expect(unreachable_code, reason = "it says what a handler returns")]
            Ok::<_, DtlsError<SimError>>(())
        };
        let mut serving = pin!(server.serve(&config, 8, handler));
        let mut cx = Context::from_waker(Waker::noop());
        let mut flood = |count| {
            forger.left.set(count);
            if let Some(reader) = forger.reader.take() {
                reader.wake();
            }
            allocation_counter::measure(|| {
                // Some come in one go, and then it is polled again.
                for _ in 0..=count {
                    assert!(serving.as_mut().poll(&mut cx).is_pending());
                    if forger.left.get() == 0 {
                        break;
                    }
                }
            })
        };
        // What is made once is there.
        flood(1000);
        let cost = flood(FORGED);
        assert_eq!(forger.left.get(), 0);
        assert_eq!(forger.answers.get(), 1000 + FORGED);
        assert_eq!(forger.right.get(), 1000 + FORGED);
        let seen = server.statistics();
        assert_eq!(seen.cookies_sent, u64::from(1000 + FORGED));
        assert_eq!((seen.associations, seen.half_open), (0, 0));
        assert_eq!((cost.count_current, cost.bytes_current), (0, 0), "{cost:?}");
        let forged = u64::from(FORGED);
        assert!(cost.count_total <= forged * ALLOCATIONS, "{cost:?}");
        assert!(cost.bytes_total <= forged * BYTES, "{cost:?}");
        assert!(cost.bytes_max <= MOST, "{cost:?}");
    }
}
