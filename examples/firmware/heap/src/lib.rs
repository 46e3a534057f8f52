//! What images with a heap share: the heap, and what rustls is told of the board.
#![no_std]

extern crate alloc;

mod board;
mod heap;
mod page;

pub use board::{
    client_of, generate_from_arguments, rustls_client_of, rustls_server_from_arguments,
    server_from_arguments,
};
pub use heap::Heap;
pub use page::serve_page;
