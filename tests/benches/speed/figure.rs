//! The numbers that peers are compared by.

#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) value: &'static str,
    pub(crate) title: &'static str,
    more_is_better: bool,
}

impl Figure {
    pub(crate) const fn less(value: &'static str, title: &'static str) -> Self {
        Self {
            value,
            title,
            more_is_better: false,
        }
    }

    pub(crate) const fn more(value: &'static str, title: &'static str) -> Self {
        Self {
            value,
            title,
            more_is_better: true,
        }
    }

    /// How many times as good as `other` a peer is that has `own`.
    pub(crate) fn ratio(self, own: f64, other: f64) -> f64 {
        if self.more_is_better {
            own / other
        } else {
            other / own
        }
    }
}

pub(crate) const P50: Figure = Figure::less("p50_us", "median round trip, us");
pub(crate) const P99: Figure = Figure::less("p99_us", "99 % of round trips, us");
pub(crate) const CPU_S_PER_GB: Figure = Figure::less("cpu_s_per_gb", "CPU, s/GB");
pub(crate) const GB: Figure = Figure::more("gb_per_second", "GB/s");
pub(crate) const MEMORY: Figure =
    Figure::less("memory_kib", "memory of the server, KiB a connection");
pub(crate) const CPU_US_EACH: Figure = Figure::less("cpu_us", "CPU, us a connection");
pub(crate) const RATE: Figure = Figure::more("per_second", "connections a second");
