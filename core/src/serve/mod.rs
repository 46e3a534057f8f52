//! Serving the clients of a listener, some at the same time.

mod report;
mod server;
mod turn;

pub use report::{ServeEvent, ServeReport, ServeStatistics};
pub use server::{ServeError, Server};
