//! What a round trip costs on any machine, both ends in one thread.

use core::fmt::Write as _;
use std::env;

use crate::peers::PeerName;
use crate::speed::Failure;
use crate::speed::choices::{Choices, name};
use crate::speed::part::PartOptions;
use crate::speed::role::Role;
use crate::speed::under;

/// A row a peer that runs on one thread.
pub(crate) fn table(choices: &Choices) -> Result<String, Failure> {
    let mut table =
        "| peer | instructions | system calls | which |\n|---|---:|---:|---|\n".to_owned();
    let program = env::current_exe()?;
    let program = program.to_str().ok_or("a program with a strange name")?;
    let peers = choices.peers().into_iter();
    for peer in peers.filter(|peer| peer.is_one_thread()) {
        let costs = under::costs(&|rounds| words(program, peer, rounds))?;
        writeln!(table, "| {} | {costs} |", name(peer))?;
    }
    Ok(table)
}

/// A command line that plays `rounds` rounds of a ping-pong.
fn words(program: &str, peer: PeerName, rounds: u64) -> Vec<String> {
    let mut part = PartOptions::new(Role::PingPong, peer, rounds);
    part.untimed = true;
    let mut words = vec![program.to_owned()];
    words.extend(part.words());
    words
}
