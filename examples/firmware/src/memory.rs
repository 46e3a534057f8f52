//! A network, and all memory it needs.

use embassy_executor::Spawner;
use embassy_net::{Stack, StackResources};
use static_cell::{ConstStaticCell, StaticCell};
use tacket_board::Ethernet;
use tacket_embassy::{Net, Options, PoolState, PoolStorage};

/// The memory of a network: `TCP` sockets with `RX` bytes to receive into and `TX` bytes to send from each, on a stack with `PLACES` sockets.
///
/// The stack needs a place for each TCP socket, and one for DHCP.
///
/// ```ignore
/// static MEMORY: Memory<2, 4096, 4096, 3> = Memory::new();
/// ```
pub struct Memory<const TCP: usize, const RX: usize, const TX: usize, const PLACES: usize> {
    storage: ConstStaticCell<PoolStorage<TCP, RX, TX>>,
    state: StaticCell<PoolState<TCP>>,
    resources: StaticCell<StackResources<PLACES>>,
}

impl<const TCP: usize, const RX: usize, const TX: usize, const PLACES: usize>
    Memory<TCP, RX, TX, PLACES>
{
    const ENOUGH: () = assert!(PLACES > TCP, "a place for each socket, and for DHCP");

    /// The memory, unused.
    #[must_use]
    pub const fn new() -> Self {
        let () = Self::ENOUGH;
        Self {
            storage: ConstStaticCell::new(PoolStorage::new()),
            state: StaticCell::new(),
            resources: StaticCell::new(),
        }
    }

    /// Starts the network, with the two tasks that it needs, over `ethernet`.
    ///
    /// It has no address yet: the stack tells when ([`Stack::wait_config_up`]). Listening works before that, connecting does not.
    ///
    /// # Panics
    ///
    /// When a network was started already.
    pub fn start(
        &'static self,
        spawner: Spawner,
        ethernet: Ethernet,
        options: Options,
    ) -> (Net, Stack<'static>) {
        let resources = self.resources.init(StackResources::new());
        let stack = tacket_board::start_network(spawner, ethernet, resources);
        let state = self.state.init(PoolState::new());
        let net = Net::new(stack, self.storage.take(), state, options);
        spawner.spawn(run(net).expect("one network"));
        (net, stack)
    }
}

#[embassy_executor::task]
async fn run(net: Net) -> ! {
    net.run().await
}
