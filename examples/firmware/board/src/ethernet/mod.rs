//! Network controllers, as drivers for embassy-net.

#[cfg(target_arch = "arm")]
mod lan9118;
#[cfg(target_arch = "riscv32")]
mod virtio;

#[cfg(target_arch = "arm")]
pub use lan9118::Lan9118;
#[cfg(target_arch = "arm")]
pub(crate) use lan9118::{Frames, Interrupt};
#[cfg(target_arch = "riscv32")]
pub use virtio::VirtioNet;
#[cfg(target_arch = "riscv32")]
pub(crate) use virtio::{Buffers, Interrupt};
