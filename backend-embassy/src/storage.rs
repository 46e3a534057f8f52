//! The memory of a pool.

use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use heapless::Vec;

use crate::Options;
use crate::backlog::{FIRST_DYNAMIC_PORT, ListenerRecord};
use crate::clock::ticks;
use crate::pool::{Common, Patience, Pool};
use crate::slot::Slot;
use crate::udp::{DatagramBuffers, DatagramSlot};
use crate::usage::Counters;

/// The stack counts microseconds, in 63 bits.
const LONGEST_SILENCE: Duration = Duration::from_secs(u32::MAX as u64);

/// The buffers of a pool: of `TCP` sockets with `RX` bytes to receive into and `TX` bytes to send from each, and of `UDP` sockets
/// with as many bytes each way, for up to 8 datagrams. Those are nothing without the feature `udp`.
///
/// It is meant for a `static`: a `ConstStaticCell` of the crate `static_cell`, so that it is never on the stack. An example is at
/// [`Net`](crate::Net).
pub struct PoolStorage<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize = 0> {
    tcp: [Buffers<RX, TX>; TCP],
    udp: [DatagramBuffers<RX, TX>; UDP],
}

struct Buffers<const RX: usize, const TX: usize> {
    receive: [u8; RX],
    send: [u8; TX],
}

impl<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize>
    PoolStorage<TCP, RX, TX, UDP>
{
    /// The buffers, empty.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tcp: [const { Buffers::new() }; TCP],
            udp: [const { DatagramBuffers::new() }; UDP],
        }
    }
}

/// What a pool knows of its `TCP` and `UDP` sockets: on a 32-bit target some 170 bytes, and 100 for each TCP socket, more with
/// `proto-ipv6`.
///
/// It is meant for a `static` too, a `StaticCell`. An example is at [`Net`](crate::Net).
pub struct PoolState<const TCP: usize, const UDP: usize = 0> {
    common: Common,
    slots: Vec<Slot, TCP>,
    listeners: [ListenerRecord; TCP],
    datagrams: Vec<DatagramSlot, UDP>,
    pool: Option<Pool>,
}

impl<const TCP: usize, const UDP: usize> PoolState<TCP, UDP> {
    /// Without sockets yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            common: Common::new(),
            slots: Vec::new(),
            listeners: [const { ListenerRecord::new() }; TCP],
            datagrams: Vec::new(),
            pool: None,
        }
    }

    /// Makes the sockets.
    pub(crate) fn fill<const RX: usize, const TX: usize>(
        &'static mut self,
        stack: Stack<'static>,
        storage: &'static mut PoolStorage<TCP, RX, TX, UDP>,
        options: Options,
    ) -> &'static Pool {
        let silence = options
            .silence
            .map(|limit| ticks(limit.min(LONGEST_SILENCE)));
        self.common.patience = Patience {
            silence,
            keep_alive: silence.map(|limit| limit / 4),
        };
        for Buffers { receive, send } in &mut storage.tcp {
            let socket = TcpSocket::new(stack, receive, send);
            // There are as many places as buffers.
            let slot = Slot::new(socket, &self.common);
            let _ = self.slots.push(slot);
        }
        for buffers in &mut storage.udp {
            let _ = self.datagrams.push(DatagramSlot::new(stack, buffers));
        }
        self.pool.insert(Pool {
            stack,
            slots: &self.slots,
            datagrams: &self.datagrams,
            listeners: &self.listeners,
            options,
            socket_bytes: RX + TX,
            task: &self.common.task,
            next_order: Cell::new(0),
            next_port: Cell::new(FIRST_DYNAMIC_PORT),
            counters: Counters::default(),
        })
    }
}

impl<const RX: usize, const TX: usize> Buffers<RX, TX> {
    const fn new() -> Self {
        Self {
            receive: [0; RX],
            send: [0; TX],
        }
    }
}

impl<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize> Default
    for PoolStorage<TCP, RX, TX, UDP>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const TCP: usize, const UDP: usize> Default for PoolState<TCP, UDP> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize> fmt::Debug
    for PoolStorage<TCP, RX, TX, UDP>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolStorage").finish_non_exhaustive()
    }
}

impl<const TCP: usize, const UDP: usize> fmt::Debug for PoolState<TCP, UDP> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolState")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
