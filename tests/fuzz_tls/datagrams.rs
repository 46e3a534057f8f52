//! Programs made up by a fuzzer, against a whole endpoint of DTLS that serves.
//!
//! Some clients of ours talk to it over a wire that the program rules: it loses, repeats, swaps and changes datagrams, and sends again, from
//! any address, what was sent once, with changes that know what a record is. Time goes on when the program says so. Whatever it does: nothing panics
//! or spins; nobody who has not proven an address has more sent there than came from it; associations, clients that are half open
//! and memory have their limits; a message arrives at most once, and at a peer of its sender; whoever is silent is forgotten; and
//! in the end a client that does everything right is served.

mod account;
mod address;
mod client;
mod edit;
mod ledger;
mod parties;
mod port;
mod program;
mod server;
mod world;

pub use program::DtlsProgram;
