//! Serving the clients of a listener, some at the same time.

mod handler;
mod report;
mod server;
mod tcp;
mod turn;

pub use handler::Handler;
pub use report::{ServeEvent, ServeReport, ServeStatistics};
pub use server::{ServeError, Server};
pub use tcp::serve_tcp;
