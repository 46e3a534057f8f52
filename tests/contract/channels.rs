//! Channels in memory.

mod behaviours;
mod dropping;
mod flavours;
mod generator;
mod handles;
mod model;
pub(crate) mod task;
mod waiting;
