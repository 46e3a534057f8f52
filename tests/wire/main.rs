//! The streams against foreign peers: programs that share no code with Tacket, at the other end of a real connection.
//!
//! The peers are Python scripts in `peers/`. Each checks its own end too and reports what it found in a last line.

mod data;
mod peer;
mod tcp_client;
mod tcp_server;
