//! What the system is asked about processes: where they run, what they used, and that none is left behind.

use std::fs;
use std::io::{Error, ErrorKind};

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Prepares a process that is one part of a measurement: it ends with the program that started it, runs on `cpu` alone if one
/// is given, and may have as many descriptors as the system allows.
pub(crate) fn prepare_part(cpu: Option<usize>) -> Result<(), Error> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        use rustix::thread::{CpuSet, sched_setaffinity};

        set_parent_process_death_signal(Some(Signal::KILL))?;
        if let Some(cpu) = cpu {
            let mut cpus = CpuSet::new();
            cpus.set(cpu);
            sched_setaffinity(None, &cpus)?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = cpu;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// The first and the last processor that this process may run on.
pub(crate) fn two_cpus() -> Result<[usize; 2], Error> {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity};

        let cpus = sched_getaffinity(None)?;
        let allowed = || (0..CpuSet::MAX_CPU).filter(|cpu| cpus.is_set(*cpu));
        let first = allowed().next().unwrap_or_default();
        Ok([first, allowed().next_back().unwrap_or(first)])
    }
    #[cfg(not(target_os = "linux"))]
    Err(ErrorKind::Unsupported.into())
}

/// The processor time that this process has used, in seconds: all its threads, in and outside of the system.
pub(crate) fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The memory of another process, in bytes: its pages, and its share of those that it has with others.
pub(crate) fn memory_of(process: u32) -> Result<f64, Error> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib = kib.and_then(|kib| kib.trim().parse::<f64>().ok());
    Ok(kib.ok_or(ErrorKind::InvalidData)? * 1024.0)
}
