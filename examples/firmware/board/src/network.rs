//! The stack of embassy-net over the board's Ethernet.

use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};

use crate::{Ethernet, argument, insecure_seed, report};

/// How many bits of an address of its own name the network.
const PREFIX: u8 = 24;

/// Starts a stack on `ethernet`, and the task that drives it.
///
/// It asks for its address by DHCP, or takes that of the argument `address`: then its network is all that shares the first 24 bits, and
/// a router and a server of names are known if the arguments `router` and `dns` are. The stack has an address once [`Stack::wait_config_up`] returns.
///
/// # Panics
///
/// When it is called again: there is memory for one task.
pub fn start_network<const SOCKETS: usize>(
    spawner: Spawner,
    ethernet: Ethernet,
    resources: &'static mut StackResources<SOCKETS>,
) -> Stack<'static> {
    let config = match argument::<Ipv4Addr>("address") {
        Some(address) => Config::ipv4_static(StaticConfigV4 {
            address: Ipv4Cidr::new(address, PREFIX),
            gateway: argument("router"),
            dns_servers: argument("dns").into_iter().collect(),
        }),
        None => Config::dhcpv4(Default::default()),
    };
    let (stack, runner) = embassy_net::new(ethernet, config, resources, insecure_seed());
    spawner.spawn(drive(runner).expect("one network"));
    spawner.spawn(tell_address(stack).expect("one network"));
    stack
}

#[embassy_executor::task]
async fn drive(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}

/// Reports the address, and its loss, for instance with the link.
#[embassy_executor::task]
async fn tell_address(stack: Stack<'static>) -> ! {
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            report!("address {}", config.address.address());
        }
        stack.wait_config_down().await;
        report!("no address");
    }
}
