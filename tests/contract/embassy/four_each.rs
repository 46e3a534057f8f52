//! Small pools, for tests of what happens when they are empty.

use core::cell::Cell;
use std::rc::Rc;

use futures_util::future::try_join;
use tacket::Listener as _;
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{EmbassyClock, Net, NetError, Options, TcpListener, TcpStream};

use super::ends::PORT;

pub(super) const CLOCK: EmbassyClock = EmbassyClock::new();

/// A wire, and a pool of 4 sockets at each end.
pub(super) fn four_each(options: Options) -> (Wire, Net, Net) {
    let wire = Wire::new(4, Impairments::none());
    let client = wire.net::<4, 1024, 1024, 0>(Side::Left, options);
    let server = wire.net::<4, 1024, 1024, 0>(Side::Right, options);
    (wire, client, server)
}

pub(super) fn listen(server: Net) -> TcpListener {
    TcpListener::bind(server, Side::Right.port(PORT)).expect("a free port")
}

pub(super) async fn connect(client: Net) -> Result<TcpStream, NetError> {
    TcpStream::connect(client, Side::Right.port(PORT)).await
}

pub(super) async fn pair(client: Net, listener: &mut TcpListener) -> (TcpStream, TcpStream) {
    let pair = try_join(connect(client), listener.accept()).await;
    pair.expect("a connection")
}

/// The usage of a pool whose sockets are all free, with its marks and counters as they are.
pub(super) fn assert_all_free(net: Net) {
    let usage = net.usage();
    assert_eq!(
        (
            usage.in_use,
            usage.bytes_in_use,
            usage.armed,
            usage.lingering,
            usage.aborting
        ),
        (0, 0, 0, 0, 0),
        "{usage:?}"
    );
}

/// The flags of a TCP packet over version 4 of IP.
pub(super) fn flags(packet: &[u8]) -> u8 {
    packet[20 + 13]
}

pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;

/// Counts the resets that `side` sends from now on.
pub(super) fn count_resets(wire: &Wire, side: Side) -> Rc<Cell<u32>> {
    let resets = Rc::new(Cell::new(0));
    let count = Rc::clone(&resets);
    wire.filter(move |from, packet| {
        if from == side && flags(packet) & RST != 0 {
            count.set(count.get() + 1);
        }
        true
    });
    resets
}
