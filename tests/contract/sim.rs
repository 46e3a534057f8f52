//! The simulated network: its streams keep the contract, its faults are those of its seed.

mod datagrams;
mod faults;
mod telemetry;

use std::net::{IpAddr, SocketAddr};

use tacket::testing::{SeededExecutor, SimHost, SimNet};

/// Addresses of the two hosts.
const LEFT: &str = "10.0.0.1";
const RIGHT: &str = "10.0.0.2";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn at(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(text), port)
}

/// A network of two hosts.
fn two_hosts(executor: &SeededExecutor<'_>) -> (SimNet, SimHost, SimHost) {
    let net = SimNet::new(executor);
    let left = net.host(&[ip(LEFT), ip("2001:db8::1")]);
    let right = net.host(&[ip(RIGHT)]);
    (net, left, right)
}
