//! What a check found, clause by clause.

use core::fmt;

use super::DropPoint;
use crate::Fault;

/// One clause of the contract, as checked on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clause {
    /// Its id in the list of behaviours, such as `STR-13`; `TKT` ids are rules that tacket adds.
    pub id: &'static str,
    /// The rule in a sentence.
    pub rule: &'static str,
    /// Which way the data went.
    pub direction: Direction,
}

impl Clause {
    pub(super) const fn new(id: &'static str, rule: &'static str, direction: Direction) -> Self {
        Self {
            id,
            rule,
            direction,
        }
    }

    /// This clause and how it came out, for people: a line, and below a failure what was expected, what happened, and the
    /// smallest seed and drop that show it.
    ///
    /// ```
    /// use tacket::testing::{Clause, Outcome, Report};
    ///
    /// struct Print;
    ///
    /// impl Report for Print {
    ///     fn clause(&mut self, clause: &Clause, outcome: &Outcome) {
    ///         println!("{}", clause.as_text(outcome)); // or clause.as_json(outcome)
    ///     }
    /// }
    /// ```
    pub const fn as_text<'r>(&'r self, outcome: &'r Outcome) -> impl fmt::Display + 'r {
        Text(self, outcome)
    }

    /// This clause and how it came out, for machines: an object of JSON in a line.
    ///
    /// It has strings `id`, `direction`, `rule` and `outcome` (`passed`, `failed`, `skipped`); a skipped one the `reason`; a failed
    /// one `expected`, `found`, the number `seed`, and `dropped` where an operation was dropped.
    pub const fn as_json<'r>(&'r self, outcome: &'r Outcome) -> impl fmt::Display + 'r {
        Json(self, outcome)
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.id, self.direction, self.rule)
    }
}

/// Which way the data of a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// From the first stream of the pair to the second.
    Forward,
    /// From the second to the first.
    Backward,
    /// Both ways at once.
    Both,
}

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Both => "both ways",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a clause came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The stream keeps it.
    Passed,
    /// The stream breaks it.
    Failed(Violation),
    /// It could not be tried on this stream, and why.
    Skipped(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(violation) => write!(f, "FAILED: {violation}"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
        }
    }
}

/// A broken clause: what was due, what came, and after which drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// What the contract promises at that point.
    pub expected: &'static str,
    /// What happened.
    pub found: Found,
    /// Where the operation under test was dropped, in a clause about drops. The rounds go from the earliest point on, so
    /// this is the shortest life that shows it.
    pub dropped: Option<DropPoint>,
    /// The seed of the examiner: with it, the clause goes the same way again.
    pub seed: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}; {}", self.expected, self.found)?;
        match self.dropped {
            Some(point) => write!(f, " ({point}; seed {})", self.seed),
            None => write!(f, " (seed {})", self.seed),
        }
    }
}

/// What happened instead of what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// An operation failed with this fault.
    Fault(Fault),
    /// An operation succeeded that had to fail or to wait.
    Success,
    /// An operation reported this many bytes.
    Count(usize),
    /// It took this many bytes, and would have taken more.
    Taken(u64),
    /// The stream ended after this many bytes.
    EndAt(u64),
    /// More bytes than were sent: the first one too many is at this position.
    ExtraAt(u64),
    /// The byte at this position differs from what was sent: one is lost, doubled or changed.
    DifferenceAt(u64),
    /// Nothing: it was not done when the time for a clause was up.
    Hung,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "it failed: {fault} ({fault:?})"),
            Self::Success => f.write_str("it succeeded at once"),
            Self::Count(count) => write!(f, "it reported {count} bytes"),
            Self::Taken(count) => write!(f, "it took {count} bytes without an error"),
            Self::EndAt(position) => write!(f, "the stream ended after {position} bytes"),
            Self::ExtraAt(position) => write!(f, "a byte too many at position {position}"),
            Self::DifferenceAt(position) => {
                write!(
                    f,
                    "the byte at position {position} is not the one that was sent"
                )
            }
            Self::Hung => f.write_str("it was still waiting when the time was up"),
        }
    }
}

/// A result for people to read: a line, and what went wrong in lines below it. See [`Clause::as_text`].
#[derive(Clone, Copy, Debug)]
struct Text<'r>(&'r Clause, &'r Outcome);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(
            Clause {
                id,
                rule,
                direction,
            },
            outcome,
        ) = self;
        let word = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "FAILED",
            Outcome::Skipped(_) => "skipped",
        };
        write!(f, "{word:<8}{id:<7} {:<9} {rule}", direction.word())?;
        match outcome {
            Outcome::Passed => Ok(()),
            Outcome::Skipped(reason) => write!(f, "\n        because:  {reason}"),
            Outcome::Failed(violation) => {
                write!(f, "\n        expected: {}", violation.expected)?;
                write!(f, "\n        happened: {}", violation.found)?;
                write!(f, "\n        when:     seed {}", violation.seed)?;
                match violation.dropped {
                    Some(point) => write!(f, ", {point}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A result for machines: an object of JSON (RFC 8259) in a line. See [`Clause::as_json`].
#[derive(Clone, Copy, Debug)]
struct Json<'r>(&'r Clause, &'r Outcome);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(
            Clause {
                id,
                rule,
                direction,
            },
            outcome,
        ) = self;
        write!(
            f,
            r#"{{"id":{},"direction":{},"rule":{}"#,
            Quoted(id),
            Quoted(direction),
            Quoted(rule)
        )?;
        match outcome {
            Outcome::Passed => f.write_str(r#","outcome":"passed"}"#),
            Outcome::Skipped(reason) => {
                write!(f, r#","outcome":"skipped","reason":{}}}"#, Quoted(reason))
            }
            Outcome::Failed(violation) => {
                let (expected, found) = (Quoted(violation.expected), Quoted(violation.found));
                write!(
                    f,
                    r#","outcome":"failed","expected":{expected},"found":{found}"#
                )?;
                if let Some(point) = violation.dropped {
                    write!(f, r#","dropped":{}"#, Quoted(point))?;
                }
                write!(f, r#","seed":{}}}"#, violation.seed)
            }
        }
    }
}

/// A text as a string of JSON.
struct Quoted<T>(T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Escapes what goes through it.
        struct Escape<'f, 'a>(&'f mut fmt::Formatter<'a>);

        impl fmt::Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|c| match c {
                    '"' | '\\' => write!(self.0, "\\{c}"),
                    c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c)),
                    c => fmt::Write::write_char(self.0, c),
                })
            }
        }

        f.write_str("\"")?;
        fmt::Write::write_fmt(&mut Escape(f), format_args!("{}", self.0))?;
        f.write_str("\"")
    }
}

/// Receives the result of each clause as it is known.
///
/// Implemented for closures, and for `()`, which drops them.
pub trait Report {
    /// Takes the outcome of one clause.
    fn clause(&mut self, clause: &Clause, outcome: &Outcome);
}

impl<F: FnMut(&Clause, &Outcome)> Report for F {
    fn clause(&mut self, clause: &Clause, outcome: &Outcome) {
        self(clause, outcome);
    }
}

impl Report for () {
    fn clause(&mut self, _: &Clause, _: &Outcome) {}
}

/// How many clauses came out which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Kept.
    pub passed: usize,
    /// Broken.
    pub failed: usize,
    /// Not tried.
    pub skipped: usize,
}

impl Summary {
    /// Whether no clause is broken. Skipped clauses do not count.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.failed == 0
    }

    pub(super) const fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Skipped(_) => self.skipped += 1,
        }
    }
}

impl Summary {
    /// What has come since `earlier`.
    pub(super) const fn since(self, earlier: Self) -> Self {
        Self {
            passed: self.passed - earlier.passed,
            failed: self.failed - earlier.failed,
            skipped: self.skipped - earlier.skipped,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn a_string_of_json_is_escaped() {
        let text = "a \"quoted\" \\ and\na line";
        assert_eq!(
            format!("{}", Quoted(text)),
            r#""a \"quoted\" \\ and\u000aa line""#
        );
    }
}
