//! What a process has, looked at from outside.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// The descriptors that a process has open.
pub(crate) fn descriptors(process: u32) -> usize {
    let all = fs::read_dir(format!("/proc/{process}/fd")).expect("it is ours");
    all.count()
}

/// The memory that a process has to itself and that is no file, in KiB.
pub(crate) fn memory_kib(process: u32) -> u64 {
    status_kib(&process.to_string(), "RssAnon:")
}

/// The most memory that this process ever had, in KiB.
pub(crate) fn most_memory_kib() -> u64 {
    status_kib("self", "VmHWM:")
}

fn status_kib(process: &str, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it is ours");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib = kib.and_then(|kib| kib.trim().parse().ok());
    kib.expect("how much it is")
}

/// Demands that a process can have so many descriptors.
pub(crate) fn check_descriptors(needed: u64) {
    if let Some(allowed) = getrlimit(Resource::Nofile).maximum {
        assert!(
            allowed >= needed,
            "a process may have {allowed} descriptors here, and the load test needs {needed}: raise the hard limit (ulimit -Hn)"
        );
    }
}
