//! What is left of the datagrams without the feature `udp`: nothing, of no size.

use embassy_net::Stack;

/// No memory.
pub(crate) struct DatagramBuffers<const RX: usize, const TX: usize>;

impl<const RX: usize, const TX: usize> DatagramBuffers<RX, TX> {
    pub(crate) const fn new() -> Self {
        Self
    }
}

/// No socket.
#[derive(Debug)]
pub(crate) struct DatagramSlot;

impl DatagramSlot {
    pub(crate) const fn new<const RX: usize, const TX: usize>(
        _: Stack<'static>,
        _: &'static mut DatagramBuffers<RX, TX>,
    ) -> Self {
        Self
    }
}
