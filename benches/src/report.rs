//! [`Report`]: the one line that a benchmark program prints.
//!
//! `program=… seconds=… cpu_s=… ops_per_s=… mallocs=… checksum=…`, keys and values
//! separated by spaces, to be read by people and by the comparison alike.

use crate::args::Program;
use crate::loaded;
use crate::usage::Usage;
use std::fmt::Write;
use std::time::Instant;

/// What a workload did; equal for equal arguments on every allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Operations in the workload's own unit (its program says which).
    pub operations: u64,
    /// Calls of malloc, calloc and realloc by the workload; 0 where it does not count them.
    pub mallocs: u64,
    /// A sum over what was allocated and read back.
    pub checksum: u64,
}

impl Outcome {
    /// Counts one block of `size` bytes.
    #[inline(always)]
    pub fn allocated(&mut self, size: u64) {
        self.mallocs += 1;
        self.checksum = self.checksum.wrapping_add(size);
    }

    /// Adds the outcome of a part, in an order that does not depend on the schedule.
    pub fn join(&mut self, part: Self) {
        self.operations += part.operations;
        self.mallocs += part.mallocs;
        self.checksum = self.checksum.rotate_left(1) ^ part.checksum;
    }
}

/// A finished run with its arguments and its cost.
#[derive(Debug)]
pub struct Report {
    line: String,
}

impl Report {
    /// Runs `workload`, times it and prints its line, then the mapped objects if they
    /// are asked for.
    pub fn run<const N: usize>(program: &Program, workload: impl FnOnce([u64; N]) -> Outcome) {
        let values = program.values::<N>();
        let start = Instant::now();
        let outcome = workload(values);
        let seconds = start.elapsed().as_secs_f64();
        let usage = Usage::of_this_process();
        println!(
            "{}",
            Self::new(program, &values, &outcome, seconds, &usage).line
        );
        if std::env::var_os(loaded::ASK).is_some() {
            println!("loaded={}", loaded::of_this_process());
        }
    }

    fn new(
        program: &Program,
        values: &[u64],
        outcome: &Outcome,
        seconds: f64,
        usage: &Usage,
    ) -> Self {
        let mut line = format!("program={}", program.name);
        for (parameter, value) in program.parameters.iter().zip(values) {
            write!(line, " {}={value}", parameter.name).expect("strings grow");
        }
        write!(
            line,
            " seconds={seconds:.6} ops_per_s={:.0} mallocs={} cpu_s={:.6} user_s={:.6} \
             sys_s={:.6} peak_rss_kib={} checksum={:016x}",
            outcome.operations as f64 / seconds.max(1e-9),
            outcome.mallocs,
            usage.cpu(),
            usage.user,
            usage.sys,
            usage.peak_rss_kib,
            outcome.checksum,
        )
        .expect("strings grow");
        Self { line }
    }

    /// The value of `key` in a printed line.
    pub fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
        line.split_ascii_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(name, value)| (name == key).then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Parameter;

    #[test]
    fn a_line_can_be_read_back() {
        const PROGRAM: Program = Program {
            name: "sample",
            about: "",
            parameters: &[Parameter::new("rounds", "", 1, 1, 9)],
        };
        let outcome = Outcome {
            operations: 100,
            mallocs: 50,
            checksum: 0xabc,
        };
        let usage = Usage {
            user: 0.25,
            sys: 0.5,
            peak_rss_kib: 2048,
        };
        let line = Report::new(&PROGRAM, &[3], &outcome, 2.0, &usage).line;
        for (key, value) in [
            ("program", "sample"),
            ("rounds", "3"),
            ("seconds", "2.000000"),
            ("ops_per_s", "50"),
            ("mallocs", "50"),
            ("cpu_s", "0.750000"),
            ("peak_rss_kib", "2048"),
            ("checksum", "0000000000000abc"),
        ] {
            assert_eq!(Report::field(&line, key), Some(value), "{key} in {line}");
        }
        assert_eq!(Report::field(&line, "absent"), None);
    }
}
