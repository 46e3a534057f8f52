//! The memory of a pool.

use core::cell::Cell;
use core::fmt;

use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::PacketMetadata;
use heapless::Vec;

use crate::clock::ticks;
use crate::pool::{ListenerRecord, Pool, Wake};
use crate::slot::Slot;
use crate::udp::DatagramSlot;
use crate::usage::Counters;
use crate::{Net, Options};

/// How many datagrams a socket keeps in each direction, if their bytes fit.
const DATAGRAMS: usize = 8;

/// The memory of a pool: `TCP` sockets with `RX` bytes to receive into and `TX` bytes to send from each, and `UDP` sockets with
/// buffers of the same sizes, for 8 datagrams each way.
///
/// It is meant for a `static`, for instance in a `StaticCell` of the crate `static_cell`, made there by its `init_with`; and it
/// is all the memory that the pool has. The stack needs a place for each socket: `StackResources<{ TCP + UDP + 1 }>`, where 1
/// is for the resolver of names (and another 1 is for DHCP, if that is used).
///
/// ```
/// use tacket_embassy::PoolStorage;
///
/// let bytes = size_of::<PoolStorage<4, 1536, 1536>>();
/// # #[cfg(target_pointer_width = "64")]
/// assert!(bytes < 4 * (1536 + 1536 + 250) + 250);
/// ```
pub struct PoolStorage<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize = 0> {
    receive: [[u8; RX]; TCP],
    send: [[u8; TX]; TCP],
    task: Wake,
    slots: Vec<Slot, TCP>,
    listeners: [ListenerRecord; TCP],
    datagram_buffers: [DatagramBuffers<RX, TX>; UDP],
    datagrams: Vec<DatagramSlot, UDP>,
    pool: Option<Pool>,
}

struct DatagramBuffers<const RX: usize, const TX: usize> {
    receive_meta: [PacketMetadata; DATAGRAMS],
    receive: [u8; RX],
    send_meta: [PacketMetadata; DATAGRAMS],
    send: [u8; TX],
}

impl<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize>
    PoolStorage<TCP, RX, TX, UDP>
{
    /// The memory, unused.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            receive: [[0; RX]; TCP],
            send: [[0; TX]; TCP],
            task: Wake::new(),
            slots: Vec::new(),
            listeners: [const { ListenerRecord::new() }; TCP],
            datagram_buffers: [const { DatagramBuffers::new() }; UDP],
            datagrams: Vec::new(),
            pool: None,
        }
    }

    /// Makes the sockets.
    pub(crate) fn make_net(&'static mut self, stack: Stack<'static>, options: Options) -> Net {
        let silence = options.silence.map(ticks);
        for (receive, send) in self.receive.iter_mut().zip(&mut self.send) {
            let socket = TcpSocket::new(stack, receive, send);
            // There are as many places as buffers.
            let _ = self.slots.push(Slot::new(socket, &self.task, silence));
        }
        for buffers in &mut self.datagram_buffers {
            let _ = self.datagrams.push(DatagramSlot::new(
                stack,
                &mut buffers.receive_meta,
                &mut buffers.receive,
                &mut buffers.send_meta,
                &mut buffers.send,
            ));
        }
        Net::over(self.pool.insert(Pool {
            stack,
            slots: &self.slots,
            datagrams: &self.datagrams,
            listeners: &self.listeners,
            options,
            socket_bytes: RX + TX,
            task: &self.task,
            next_order: Cell::new(0),
            next_port: Cell::new(Pool::FIRST_PORT),
            counters: Counters::default(),
        }))
    }
}

impl<const RX: usize, const TX: usize> DatagramBuffers<RX, TX> {
    const fn new() -> Self {
        Self {
            receive_meta: [PacketMetadata::EMPTY; DATAGRAMS],
            receive: [0; RX],
            send_meta: [PacketMetadata::EMPTY; DATAGRAMS],
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

impl<const TCP: usize, const RX: usize, const TX: usize, const UDP: usize> fmt::Debug
    for PoolStorage<TCP, RX, TX, UDP>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolStorage").finish_non_exhaustive()
    }
}
