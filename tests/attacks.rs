//! Peers of TLS that do not keep to the rules, and what comes of it: the same table for tests on this machine and for firmware.

mod clients;
mod intruder;
mod servers;

pub use clients::{ATTACKS_ON_SERVERS, AttackOnServer, HostileClients};
pub use servers::{ATTACKS_ON_CLIENTS, AttackOnClient, AttackOutcome, HostileServers};
