//! What all rounds say together.

use alloc::collections::BTreeMap;
use core::fmt::Write as _;

use tacket_tests::median;

use crate::plan::{BASE, Workload};
use crate::speed::contender::Contender;
use crate::speed::figure::Figure;
use crate::speed::values::Values;

/// The measurements of a run.
#[derive(Debug)]
pub(crate) struct Measured {
    contenders: Vec<Contender>,
    /// A round a place.
    values: BTreeMap<(Workload, Contender), Vec<Values>>,
}

impl Measured {
    pub(crate) fn new(contenders: &[Contender]) -> Self {
        Self {
            contenders: contenders.to_vec(),
            values: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, workload: Workload, contender: Contender, values: Values) {
        let rounds = self.values.entry((workload, contender)).or_default();
        rounds.push(values);
    }

    pub(crate) fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    /// The workloads that were measured.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let mut workloads: Vec<_> = self.values.keys().map(|(workload, _)| *workload).collect();
        workloads.dedup();
        workloads
    }

    /// The median of a figure.
    fn value(&self, workload: Workload, figure: Figure, contender: Contender) -> Option<f64> {
        let rounds = self.values.get(&(workload, contender))?;
        Some(median(rounds.iter().map(|values| values[figure.value])))
    }

    /// How many times as good as the base a contender is: the median of the ratios within a round.
    pub(crate) fn ratio(
        &self,
        workload: Workload,
        figure: Figure,
        contender: Contender,
    ) -> Option<f64> {
        let own = self.values.get(&(workload, contender))?;
        let base = self.values.get(&(workload, BASE))?;
        let pairs = own.iter().zip(base);
        Some(median(pairs.map(|(own, base)| {
            figure.ratio(own[figure.value], base[figure.value])
        })))
    }

    /// A row a figure, a column a contender: the median, and in brackets how many times as good as the base that is.
    pub(crate) fn table(&self) -> String {
        let mut table = "| workload | judged by |".to_owned();
        for contender in &self.contenders {
            let _ = write!(table, " {} |", contender.label());
        }
        table += "\n|---|---|";
        table += &"---:|".repeat(self.contenders.len());
        table.push('\n');
        for workload in self.workloads() {
            for figure in workload.figures() {
                let _ = write!(table, "| {} | {} |", workload.title(), figure.title);
                for contender in &self.contenders {
                    table += &self.cell(workload, *figure, *contender);
                }
                table.push('\n');
            }
        }
        table
    }

    fn cell(&self, workload: Workload, figure: Figure, contender: Contender) -> String {
        let Some(value) = self.value(workload, figure, contender) else {
            return " |".to_owned();
        };
        let value = three_digits(value);
        match self.ratio(workload, figure, contender) {
            Some(ratio) if contender != BASE => format!(" {value} ({ratio:.2}) |"),
            _ => format!(" {value} |"),
        }
    }
}

/// As many digits as mean something.
fn three_digits(value: f64) -> String {
    let places = match value.abs() {
        0.0..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.places$}")
}
