//! The stack of embassy-net over the board's Ethernet.

use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};

use crate::{Arguments, Ethernet, insecure_seed};

/// How many bits of an address of its own name the network.
const PREFIX: u8 = 24;

/// Starts a stack on `ethernet`, and the task that drives it.
///
/// It asks for its address by DHCP, or takes that of the argument `address`: then its network is all that shares the first 24 bits, and
/// no router is known. The stack has an address once [`Stack::wait_config_up`] returns.
///
/// # Panics
///
/// When it is called again: there is memory for one task.
pub fn start_network<const SOCKETS: usize>(
    spawner: Spawner,
    ethernet: Ethernet,
    resources: &'static mut StackResources<SOCKETS>,
) -> Stack<'static> {
    let config = match Arguments::load().get::<Ipv4Addr>("address") {
        Some(address) => Config::ipv4_static(StaticConfigV4 {
            address: Ipv4Cidr::new(address, PREFIX),
            gateway: None,
            dns_servers: Default::default(),
        }),
        None => Config::dhcpv4(Default::default()),
    };
    let (stack, runner) = embassy_net::new(ethernet, config, resources, insecure_seed());
    spawner.spawn(drive(runner).expect("one network"));
    stack
}

#[embassy_executor::task]
async fn drive(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}
