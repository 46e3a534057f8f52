//! Channels in memory.

mod behaviours;
mod dropping;
mod flavours;
mod handles;
mod model;
mod task;
mod waiting;
