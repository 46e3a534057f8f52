//! One measurement: the processes of a workload, and what they say together.

use crate::Failure;
use crate::options::{PartOptions, PeerName, Role, name};
use crate::part::Part;
use crate::plan::Work;
use crate::role::{CONNECTED, FIRST, PLAYED};
use crate::system;
use crate::values::Values;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contender {
    pub(crate) peer: PeerName,
    pub(crate) notsent_lowat: Option<u32>,
}

impl Contender {
    /// Its name in what is printed.
    pub(crate) fn label(self) -> String {
        let peer = name(self.peer);
        match self.notsent_lowat {
            None => peer,
            Some(bytes) => format!("{peer}_lowat_{bytes}"),
        }
    }

    fn part(self, role: Role, count: u64) -> PartOptions {
        PartOptions {
            notsent_lowat: self.notsent_lowat,
            ..PartOptions::new(role, self.peer, count)
        }
    }

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
    fn many(
        self,
        connections: usize,
        rounds: u64,
        [here, there]: [usize; 2],
    ) -> Result<Values, Failure> {
        let mut server = self.part(Role::Serve, 0);
        server.cpu = Some(here);
        let server = Part::start(&server)?;
        let mut crowd = PartOptions::new(Role::Crowd, PeerName::RawMio, rounds);
        crowd.cpu = Some(there);
        crowd.size = connections;
        crowd.address = Some(server.address()?);
        let mut crowd = Part::start(&crowd)?;

        crowd.wait_for(FIRST)?;
        let memory = system::memory_of(server.id())?;
        crowd.go()?;
        crowd.wait_for(CONNECTED)?;
        let memory = system::memory_of(server.id())? - memory;
        let cpu = system::cpu_time_of(server.id())?;
        crowd.go()?;
        crowd.wait_for(PLAYED)?;
        let cpu = system::cpu_time_of(server.id())? - cpu;
        crowd.go()?;
        let mut values = crowd.values()?;

        let round_trips = connections as f64 * rounds as f64;
        values.insert("cpu_us", cpu * 1e6 / round_trips);
        let kib = memory / 1024.0 / (connections - 1) as f64;
        values.insert("memory_kib", kib);
        Ok(values)
    }
}

fn gigabytes(size: usize, count: u64) -> f64 {
    size as f64 * count as f64 / 1e9
}
