//! [`Options`]: the command line.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Measures hakmem and its peers on the same programs, interleaved in rounds.
///
/// Each workload runs once on every allocator before the measurement, to warm the page
/// cache and to prove that the allocator is loaded. Then, in each round, each workload
/// runs on the allocators in an order drawn anew. Variables that configure an allocator
/// (HAKMEM_…, MIMALLOC_…, MALLOC_…, TCMALLOC_…, GLIBC_TUNABLES, LD_PRELOAD) are
/// removed from the environment of what is measured.
///
/// The table goes to stdout, everything else to stderr. Exit status: 0 when every run
/// worked, 1 when one failed or answered differently on another allocator, 2 for a
/// wrong command line.
#[derive(Debug, Parser)]
#[command(name = "compare", version)]
pub struct Options {
    /// The hakmem library [default: libhakmem.so beside this program]
    #[arg(long, value_name = "PATH")]
    pub hakmem: Option<PathBuf>,

    /// A further peer, or another library for a known name; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = parse_peer)]
    pub peer: Vec<(String, PathBuf)>,

    /// Leave these allocators out
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub without: Vec<String>,

    /// Run these workloads only; a name that ends in * stands for all that begin so
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub workloads: Vec<String>,

    /// List the workloads with what they run, and stop
    #[arg(long)]
    pub list: bool,

    /// Measured rounds [default: 7, with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: Option<u32>,

    /// A tenth of the work and fewer rounds: to see that all works, not to judge
    #[arg(long)]
    pub quick: bool,

    /// What the ratios are taken of
    #[arg(long, value_enum, default_value_t = Metric::Cpu)]
    pub metric: Metric,

    /// Pin what is measured to these CPUs, such as 0 or 2,3
    #[arg(long, value_name = "CPUS", value_delimiter = ',')]
    pub cpus: Vec<usize>,

    /// Kill a run after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,

    /// Seed of the order within the rounds
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,

    /// Write all samples and summaries to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw the ratios to this file as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// A cost that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// User and kernel time of the whole process
    Cpu,
    /// Elapsed time of the whole process
    Wall,
    /// Elapsed time that the program took itself, without its start and end
    Timed,
}

impl Metric {
    /// The heading of its column.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Wall => "wall",
            Self::Timed => "timed",
        }
    }
}

impl Options {
    /// The number of measured rounds.
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 3 } else { 7 })
    }
}

fn parse_peer(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(path)))
        }
        _ => Err("expected NAME=PATH".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn rounds_are_seven_unless_told() {
        let rounds = |arguments: &[&str]| Options::parse_from(arguments).rounds();
        assert_eq!(rounds(&["compare"]), 7);
        assert_eq!(rounds(&["compare", "--quick"]), 3);
        assert_eq!(rounds(&["compare", "--quick", "--rounds", "30"]), 30);
        assert!(Options::try_parse_from(["compare", "--rounds", "0"]).is_err());
    }

    #[test]
    fn lists_are_split_at_commas() {
        let options = Options::parse_from(["compare", "--workloads", "a,b*", "--cpus", "0,1"]);
        assert_eq!(options.workloads, ["a", "b*"]);
        assert_eq!(options.cpus, [0, 1]);
    }

    #[test]
    fn a_peer_has_a_name_and_a_path() {
        assert_eq!(
            parse_peer("v3=/lib/m.so"),
            Ok(("v3".to_owned(), PathBuf::from("/lib/m.so")))
        );
        for text in ["v3", "=x", "v3="] {
            assert!(parse_peer(text).is_err(), "{text}");
        }
    }
}
