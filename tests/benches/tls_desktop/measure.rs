//! One measurement: the processes of a workload, and what they say together.

use crate::plan::Work;
use crate::speed::Failure;
use crate::speed::contender::{Contender, gigabytes};
use crate::speed::part::Part;
use crate::speed::role::{PLAYED, Role};
use crate::speed::values::Values;

impl Contender {
    /// Does `work` on these two processors, and measures it. Both ends of a connection are on one thread, but for the idle ones.
    pub(crate) fn measure(self, work: Work, cpus: [usize; 2]) -> Result<Values, Failure> {
        let mut part = match work {
            Work::PingPong { count } => self.part(Role::PingPong, count),
            Work::Bulk { count, .. } => self.part(Role::Bulk, count),
            Work::Handshakes { count, .. } => self.part(Role::Short, count),
            Work::Idle { connections } => return self.idle(connections, cpus),
        };
        part.cpu = Some(cpus[0]);
        if let Work::Handshakes { resume, .. } = work {
            part.setting.resume = resume;
        }
        if let Work::Bulk { size, .. } = work {
            part.size = size;
        }
        let mut values = Part::start(&part)?.values()?;
        if let Work::Bulk { size, count } = work {
            let cpu = values["cpu_s"];
            values.insert("cpu_s_per_gb", cpu / gigabytes(size, count));
        }
        Ok(values)
    }

    /// Clients that were answered once, and wait. At last each asks once more: they were all there.
    fn idle(self, connections: usize, cpus: [usize; 2]) -> Result<Values, Failure> {
        let (_server, mut crowd, memory) = self.crowd(connections, 1, cpus)?;
        crowd.go()?;
        crowd.wait_for(PLAYED)?;
        crowd.go()?;
        let mut values = crowd.values()?;
        values.insert("memory_kib", memory);
        Ok(values)
    }
}
