//! What Tacket promises: of its streams, on every backend, and of its own source tree.

mod architecture;
mod broken_streams;
mod coverage;
mod doc_sections;
mod foreign;
mod house;
mod memory;
mod pipes;
mod runtime;
mod sources;
mod staple;
mod task_group;
mod tcp;
