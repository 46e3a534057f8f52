//! All memory of a program: its network, its sessions of TLS, and how many clients it serves at once.

use embassy_executor::Spawner;
use embassy_net::{Stack, StackResources};
use static_cell::{ConstStaticCell, StaticCell};
use tacket_board::Ethernet;
use tacket_embassy::{Net, Options, PoolState, PoolStorage};

use crate::ledger::{Ledger, Part};

/// The memory of a program: a network of `TCP` sockets with `RX` bytes to receive into and `TX` bytes to send from each, on a stack with `PLACES`
/// sockets, and beside it `P`.
///
/// The stack needs a place for each TCP socket, one for DHCP, and one for DNS where that is used. `P` is nothing, a
/// [`TlsStorage`](tacket_tls::TlsStorage) or two, or the number of [`Handlers`].
///
/// ```ignore
/// static ECHO: Memory<2, 4096, 4096, 3> = Memory::new();
/// static CLIENT: Memory<1, 1024, 1024, 2, TlsStorage<16_645, 1024>> = Memory::new();
/// static SERVER: Memory<8, 1024, 1024, 9, Handlers<3>> = Memory::new();
/// ```
pub struct Memory<
    const TCP: usize,
    const RX: usize,
    const TX: usize,
    const PLACES: usize,
    P: 'static = (),
> {
    storage: ConstStaticCell<PoolStorage<TCP, RX, TX>>,
    state: StaticCell<PoolState<TCP>>,
    resources: StaticCell<StackResources<PLACES>>,
    part: ConstStaticCell<P>,
}

impl<const TCP: usize, const RX: usize, const TX: usize, const PLACES: usize, P: Part>
    Memory<TCP, RX, TX, PLACES, P>
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
            part: ConstStaticCell::new(P::EMPTY),
        }
    }

    /// What there is beside the network.
    ///
    /// # Panics
    ///
    /// When it was taken already.
    pub fn take(&'static self) -> &'static mut P {
        self.part.take()
    }

    /// Begins to report how many bytes everything takes. The tasks of the program are to be added.
    #[must_use = "the sum is still to be told"]
    pub fn ledger(&'static self) -> Ledger {
        let buffers = size_of::<PoolStorage<TCP, RX, TX>>();
        let places = size_of::<StackResources<PLACES>>();
        let pool = size_of::<Self>() - buffers - places - size_of::<P>();
        let mut ledger = Ledger::new();
        ledger.add(
            buffers,
            format_args!("buffers of {TCP} sockets, {RX} and {TX} each"),
        );
        ledger.add(pool, format_args!("their pool"));
        ledger.add(places, format_args!("{PLACES} places of the stack"));
        P::list(&mut ledger);
        ledger
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

impl<const TCP: usize, const RX: usize, const TX: usize, const PLACES: usize, const N: usize>
    Memory<TCP, RX, TX, PLACES, Handlers<N>>
{
    /// How many clients are served at the same time.
    #[must_use]
    pub const fn handlers(&self) -> usize {
        N
    }
}

/// So many handlers of a server. Their memory lies in the task that runs it.
pub struct Handlers<const N: usize>;

#[embassy_executor::task]
async fn run(net: Net) -> ! {
    net.run().await
}
