//! The contract on two embassy-net stacks, joined by a wire.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::try_join;
use tacket::Listener as _;
use tacket::testing::{
    Makers, check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{EmbassyClock, Net, Options, TcpListener, TcpStream};
use tacket_tests::{Patience, Recorder, examine_by};

const PORT: u16 = 7;

/// The sockets at each end, and the bytes of their buffers.
const SOCKETS: usize = 6;
const BUFFER: usize = 2048;

/// A network at each end of a wire, one of them listening.
struct Ends {
    client: Net,
    server: Net,
    listener: Cell<Option<TcpListener>>,
}

impl Ends {
    fn of(wire: &Wire, options: Options) -> Self {
        let client = wire.net::<SOCKETS, BUFFER, BUFFER, 1>(Side::Left, options);
        let server = wire.net::<SOCKETS, BUFFER, BUFFER, 1>(Side::Right, options);
        let listener = TcpListener::bind(server, Side::Right.port(PORT)).expect("a free port");
        Self {
            client,
            server,
            listener: Cell::new(Some(listener)),
        }
    }

    /// A connected pair: the client's end and the server's.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let mut listener = self.listener.take().expect("one pair at a time");
        let connecting = TcpStream::connect(self.client, Side::Right.port(PORT));
        let pair = try_join(connecting, listener.accept()).await;
        self.listener.set(Some(listener));
        pair.expect("a connection")
    }
}

fn patience() -> Patience {
    Patience {
        limit: Duration::from_secs(600),
        settle: Duration::from_millis(200),
        duplex_bytes: 1 << 16,
        ..Patience::system()
    }
}

/// Everything that a two-way stream with an end of its own has to keep.
fn examine(wire: &Wire, ends: &Ends, patience: Patience) -> Recorder {
    let mut scratch = Box::new([0; 1 << 16]);
    let clock = EmbassyClock::new();
    let make = async || ends.connect().await;
    wire.run(examine_by(&clock, &mut scratch, patience, async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
        check_two_way_stream(e, Makers::new(make, make)).await;
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    }))
}

#[test]
fn embassy_streams_keep_the_contract() {
    let wire = Wire::new(1, Impairments::none());
    let ends = Ends::of(&wire, Options::new());
    examine(&wire, &ends, patience()).assert_clean(&[]);
}
