//! DTLS: what can be said of a datagram before there is a handshake. No await, no I/O, no state of any peer.

#![cfg_attr(
    not(test),
    expect(dead_code, reason = "for the endpoint, which is not there yet")
)]

mod cookie;
mod hello;
mod record;
