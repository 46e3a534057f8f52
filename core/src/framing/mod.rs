//! Messages over a stream of bytes.

mod error;
mod format;
mod receiver;
mod sender;

pub use error::FramingError;
pub use format::{Delimited, Framing, LengthPrefixed, Oversize, Seen};
pub use receiver::MessageReceiver;
pub use sender::MessageSender;
