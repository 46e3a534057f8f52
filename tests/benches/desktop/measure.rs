//! One measurement: the processes of a workload, and what they say together.

use std::fs;
use std::io::Error;

use crate::plan::Work;
use crate::speed::Failure;
use crate::speed::contender::{Contender, gigabytes};
use crate::speed::part::{Part, PartOptions};
use crate::speed::role::{PLAYED, Role};
use crate::speed::values::Values;

impl Contender {
    /// Does `work` on these two processors, and measures it.
    pub(crate) fn measure(self, work: Work, cpus: [usize; 2]) -> Result<Values, Failure> {
        let [here, there] = cpus.map(Some);
        // A peer with several threads may use both processors, where that is its advantage.
        let alone = here.filter(|_| self.peer.is_one_thread());
        match work {
            Work::PingPong {
                processes: 1,
                count,
            } => {
                let mut part = self.part(Role::PingPong, count);
                part.cpu = here;
                Part::start(&part)?.values()
            }
            Work::PingPong { count, .. } => {
                let ends = [(Role::Answer, here), (Role::Ask, here)];
                let [answering, mut asking] = self.two(ends, count, 1)?;
                *asking.entry("cpu_us").or_default() += answering["cpu_us"];
                Ok(asking)
            }
            Work::Bulk {
                processes: 1,
                size,
                count,
            } => {
                let mut part = self.part(Role::Bulk, count);
                part.cpu = alone;
                part.size = size;
                let mut values = Part::start(&part)?.values()?;
                let cpu = values["cpu_s"];
                values.insert("cpu_s_per_gb", cpu / gigabytes(size, count));
                Ok(values)
            }
            Work::Bulk { size, count, .. } => {
                let ends = [(Role::Receive, there), (Role::Send, here)];
                let [mut received, sent] = self.two(ends, count, size)?;
                let cpu = received["cpu_s"] + sent["cpu_s"];
                received.insert("cpu_s_per_gb", cpu / gigabytes(size, count));
                Ok(received)
            }
            Work::Many {
                connections,
                rounds,
            } => self.many(connections, rounds, cpus),
            Work::Short { count } => {
                let mut part = self.part(Role::Short, count);
                part.cpu = alone;
                Part::start(&part)?.values()
            }
        }
    }

    /// A server and a client in two processes.
    fn two(
        self,
        ends: [(Role, Option<usize>); 2],
        count: u64,
        size: usize,
    ) -> Result<[Values; 2], Failure> {
        let [server, mut client] = ends.map(|(role, cpu)| PartOptions {
            size,
            cpu,
            ..self.part(role, count)
        });
        let server = Part::start(&server)?;
        client.address = Some(server.address()?);
        let client = Part::start(&client)?.values()?;
        Ok([server.values()?, client])
    }

    /// A crowd on the one processor, the server on the other. The server is looked at from outside.
    fn many(self, connections: usize, rounds: u64, cpus: [usize; 2]) -> Result<Values, Failure> {
        let (server, mut crowd, memory) = self.crowd(connections, rounds, cpus)?;
        let cpu = cpu_time_of(server.id())?;
        crowd.go()?;
        crowd.wait_for(PLAYED)?;
        let cpu = cpu_time_of(server.id())? - cpu;
        crowd.go()?;
        let mut values = crowd.values()?;

        let round_trips = connections as f64 * rounds as f64;
        values.insert("cpu_us", cpu * 1e6 / round_trips);
        values.insert("memory_kib", memory);
        Ok(values)
    }
}

/// The processor time that the threads of another process have used, in seconds. What is over is not counted.
fn cpu_time_of(process: u32) -> Result<f64, Error> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let spent = fs::read_to_string(thread?.path().join("schedstat"))?;
        let spent = spent.split(' ').next().and_then(|word| word.parse().ok());
        nanoseconds += spent.unwrap_or(0_u64);
    }
    Ok(nanoseconds as f64 / 1e9)
}
