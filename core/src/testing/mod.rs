//! Streams in memory, and the contract as functions that check anybody's stream.
//!
//! Enabled by the feature `testing`; as `no_std` and free of allocation as the rest, so the checks also run on the target.

mod memory;
mod pattern;

pub use memory::{
    MemoryError, MemoryPair, MemoryPipe, MemoryReceiveStream, MemorySendStream, MemoryStream,
};
pub use pattern::Pattern;
