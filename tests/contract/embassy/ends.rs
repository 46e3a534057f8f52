//! A network at each end of a wire.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::try_join;
use tacket::testing::{
    Makers, check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket::{Clock as _, Listener as _};
use tacket_embassy::testing::{Side, Wire};
use tacket_embassy::{EmbassyClock, Net, NetError, Options, TcpListener, TcpStream};
use tacket_tests::{Patience, Recorder, examine_by};

pub(super) const PORT: u16 = 7;

/// The sockets at each end, and the bytes of each of their buffers.
pub(super) const SOCKETS: usize = 16;
pub(super) const BUFFER: usize = 2048;

/// A network at each end of a wire, the right one listening.
pub(super) struct Ends {
    pub(super) client: Net,
    #[expect(dead_code, reason = "later")]
    pub(super) server: Net,
    listener: Cell<Option<TcpListener>>,
}

impl Ends {
    pub(super) fn of(wire: &Wire, options: Options) -> Self {
        let client = wire.net::<SOCKETS, BUFFER, BUFFER, 1>(Side::Left, options);
        let server = wire.net::<SOCKETS, BUFFER, BUFFER, 1>(Side::Right, options);
        let listener = TcpListener::bind(server, Side::Right.port(PORT)).expect("a free port");
        Self {
            client,
            server,
            listener: Cell::new(Some(listener)),
        }
    }

    /// A connected pair: the client's end and the server's. It tries again while earlier connections still hold every socket.
    pub(super) async fn connect(&self) -> (TcpStream, TcpStream) {
        let mut lent = Lent {
            listener: self.listener.take(),
            owner: &self.listener,
        };
        let listener = lent.listener.as_mut().expect("one pair at a time");
        let connecting = async {
            loop {
                match TcpStream::connect(self.client, Side::Right.port(PORT)).await {
                    Err(NetError::PoolExhausted | NetError::Refused) => sleep(1000).await,
                    connected => return connected,
                }
            }
        };
        let pair = try_join(connecting, listener.accept()).await;
        pair.expect("a connection")
    }
}

/// A listener that returns to its owner, even if what uses it is dropped.
struct Lent<'a> {
    listener: Option<TcpListener>,
    owner: &'a Cell<Option<TcpListener>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.owner.set(self.listener.take());
    }
}

/// Sleeps, in virtual time.
pub(super) async fn sleep(milliseconds: u64) {
    let clock = EmbassyClock::new();
    clock
        .sleep_until(clock.now() + Duration::from_millis(milliseconds))
        .await;
}

/// Everything that a two-way stream with an end of its own has to keep. Time costs nothing here, so there is a lot of it.
pub(super) fn examine<const SCRATCH: usize>(wire: &Wire, ends: &Ends) -> Recorder {
    let patience = Patience {
        limit: Duration::from_secs(200_000),
        settle: Duration::from_secs(60),
        duplex_bytes: 8 * SCRATCH as u64,
    };
    let mut scratch = Box::new([0; SCRATCH]);
    let clock = EmbassyClock::new();
    let make = async || ends.connect().await;
    wire.run(examine_by(&clock, &mut scratch, patience, async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
        check_two_way_stream(e, Makers::new(make, make)).await;
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    }))
}
