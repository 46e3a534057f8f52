//! What Tacket promises: of its streams, on every backend, and of its own source tree.

#![allow(
    clippy::large_futures,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "these tests run on a desktop, and a panic is how they fail"
)]

mod all_cores;
#[cfg(unix)]
mod alone;
mod architecture;
mod broken_streams;
mod channels;
#[cfg(target_os = "linux")]
mod connect_from;
mod coverage;
mod doc_sections;
mod dtls;
mod embassy;
mod executor;
#[cfg(unix)]
mod faults;
mod foreign;
mod framing;
mod house;
mod limited;
mod lockstep;
mod memory;
mod network;
mod other_executors;
mod pipes;
#[cfg(unix)]
mod process;
mod public_types;
mod racing;
mod report;
mod runtime;
mod seeds;
mod serving;
#[cfg(unix)]
mod signals;
mod sim;
mod sockets;
mod sources;
mod spawn;
mod staple;
mod task_group;
mod tcp;
mod tcp_listener;
mod tcp_port;
mod tls;
mod tls_attacks;
mod tls_guard;
#[cfg(unix)]
mod unix;
mod virtual_clock;
