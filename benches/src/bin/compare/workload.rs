//! [`Workload`]: what is run, from one table.

use crate::redis;
use std::io;
use std::path::Path;

/// One row of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name in the table and for `--workloads`.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// How it is run.
    pub work: Work,
}

/// What is started.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// A program of this package, found beside this one, which reports on itself.
    Program {
        /// The name of the binary.
        name: &'static str,
        /// The arguments of a whole run.
        full: &'static [&'static str],
        /// The arguments with `--quick`: about a tenth of the work.
        quick: &'static [&'static str],
    },
    /// A real program, with this package's work for it.
    Command {
        /// Its name on the path, or a program to compile in the scratch directory.
        program: &'static str,
        /// The arguments of a whole run.
        full: &'static [&'static str],
        /// The arguments with `--quick`.
        quick: &'static [&'static str],
        /// Variables that it needs.
        environment: &'static [(&'static str, &'static str)],
        /// For a server: who talks to it, on the socket given, and ends it.
        client: Option<Client>,
    },
}

/// Talks to a server on a socket, with less work if asked; returns what was answered.
pub type Client = fn(&Path, bool) -> io::Result<String>;

impl Work {
    /// The name of what is started.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Program { name, .. } => name,
            Self::Command { program, .. } => program,
        }
    }

    /// Its arguments.
    pub fn arguments(&self, short: bool) -> &'static [&'static str] {
        match self {
            Self::Program { full, quick, .. } | Self::Command { full, quick, .. } => {
                if short {
                    quick
                } else {
                    full
                }
            }
        }
    }
}

const fn program(
    name: &'static str,
    about: &'static str,
    program: &'static str,
    full: &'static [&'static str],
    quick: &'static [&'static str],
) -> Workload {
    Workload {
        name,
        about,
        work: Work::Program {
            name: program,
            full,
            quick,
        },
    }
}

const fn command(
    name: &'static str,
    about: &'static str,
    program: &'static str,
    full: &'static [&'static str],
    quick: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
) -> Workload {
    Workload {
        name,
        about,
        work: Work::Command {
            program,
            full,
            quick,
            environment,
            client: None,
        },
    }
}

/// A redis that keeps nothing on disk and does no work on its own.
const REDIS: &[&str] = &[
    "--port",
    "0",
    "--unixsocket",
    "@programs/socket",
    "--save",
    "",
    "--appendonly",
    "no",
    "--hz",
    "1",
    "--dir",
    "@programs",
    "--logfile",
    "/dev/null",
];

/// All workloads, in the order of the table.
pub const ALL: &[Workload] = &[
    program(
        "random_mixed_256",
        "16 to 1040 bytes in 256 random slots",
        "bench_random_mixed",
        &["20000000", "256", "42"],
        &["2000000", "256", "42"],
    ),
    program(
        "random_mixed_512",
        "16 to 1040 bytes in 512 random slots",
        "bench_random_mixed",
        &["20000000", "512", "42"],
        &["2000000", "512", "42"],
    ),
    program(
        "random_mixed_8192",
        "16 to 1040 bytes in 8192 random slots",
        "bench_random_mixed",
        &["20000000", "8192", "42"],
        &["2000000", "8192", "42"],
    ),
    program(
        "random_mixed_200000",
        "16 to 1040 bytes in 200 000 random slots",
        "bench_random_mixed",
        &["10000000", "200000", "42"],
        &["1000000", "200000", "42"],
    ),
    program(
        "larson_1",
        "blocks handed from thread to thread, 1 thread at a time",
        "larson",
        &["1", "100", "100000"],
        &["1", "10", "100000"],
    ),
    program(
        "larson_2",
        "blocks handed from thread to thread, 2 threads at a time",
        "larson",
        &["2", "50", "100000"],
        &["2", "5", "100000"],
    ),
    program(
        "larson_8",
        "blocks handed from thread to thread, 8 threads at a time",
        "larson",
        &["8", "12", "100000"],
        &["8", "2", "60000"],
    ),
    program(
        "one_size_16",
        "16 bytes, freed at once",
        "one_size",
        &["50000000", "16", "1"],
        &["5000000", "16", "1"],
    ),
    program(
        "one_size_64",
        "64 bytes, 1000 alive",
        "one_size",
        &["40000000", "64", "1000"],
        &["4000000", "64", "1000"],
    ),
    program(
        "one_size_1024",
        "1024 bytes, 100 alive",
        "one_size",
        &["40000000", "1024", "100"],
        &["4000000", "1024", "100"],
    ),
    program(
        "fill_free_lifo",
        "100 000 blocks allocated, then freed last first",
        "fill_free",
        &["40", "100000", "0"],
        &["4", "100000", "0"],
    ),
    program(
        "fill_free_fifo",
        "100 000 blocks allocated, then freed first first",
        "fill_free",
        &["40", "100000", "1"],
        &["4", "100000", "1"],
    ),
    program(
        "fill_free_shuffled",
        "100 000 blocks allocated, then freed in random order",
        "fill_free",
        &["40", "100000", "2"],
        &["4", "100000", "2"],
    ),
    program(
        "producer_consumer_1",
        "64 to 1000 bytes allocated by one thread, freed by another",
        "producer_consumer",
        &["1", "5000000"],
        &["1", "500000"],
    ),
    program(
        "producer_consumer_4",
        "the same with four pairs of threads",
        "producer_consumer",
        &["4", "1500000"],
        &["4", "150000"],
    ),
    program(
        "exchange_4",
        "4 threads keep and swap blocks of power-law sizes",
        "exchange",
        &["4", "2000000"],
        &["4", "200000"],
    ),
    program(
        "exchange_16",
        "16 threads keep and swap blocks of power-law sizes",
        "exchange",
        &["16", "500000"],
        &["16", "50000"],
    ),
    program(
        "false_sharing_2",
        "2 threads write small blocks that another allocated",
        "false_sharing",
        &["2"],
        &["2", "2000"],
    ),
    program(
        "false_sharing_8",
        "8 threads write small blocks that another allocated",
        "false_sharing",
        &["8", "5000"],
        &["8", "500"],
    ),
    program(
        "large",
        "5 to 25 MB replaced at random",
        "large",
        &["100"],
        &["20"],
    ),
    program(
        "medium_1",
        "8 to 16 000 bytes replaced at random by 1 thread",
        "medium",
        &["1", "5000000"],
        &["1", "500000"],
    ),
    program(
        "medium_4",
        "8 to 16 000 bytes replaced at random by 4 threads",
        "medium",
        &["4", "1500000"],
        &["4", "150000"],
    ),
    program(
        "short_threads",
        "5000 threads that leave blocks to the next",
        "short_threads",
        &["5000"],
        &["500"],
    ),
    program(
        "realloc_growth",
        "one block grows to 64 MB in steps of 10 %",
        "realloc_growth",
        &["4"],
        &["1"],
    ),
    program(
        "calloc",
        "zeroed blocks of power-law sizes up to 1 MiB",
        "calloc",
        &["10000000"],
        &["1000000"],
    ),
    program(
        "factor",
        "big integers split, tiny short-lived blocks",
        "factor",
        &["10"],
        &["1"],
    ),
    program(
        "trees",
        "binary trees built and dropped",
        "trees",
        &["18", "6"],
        &["18", "1"],
    ),
    program(
        "boxes_1",
        "Rust boxes of 32 bytes, dropped at once",
        "boxes",
        &["50000000", "1"],
        &["5000000", "1"],
    ),
    program(
        "boxes_1000",
        "Rust boxes of 32 bytes, in batches of 1000",
        "boxes",
        &["50000000", "1000"],
        &["5000000", "1000"],
    ),
    program(
        "hash_churn",
        "a Rust hash map of strings",
        "hash_churn",
        &["3000000"],
        &["300000"],
    ),
    program(
        "btree",
        "a Rust ordered map of byte vectors",
        "btree",
        &["3000000"],
        &["300000"],
    ),
    program(
        "vectors",
        "Rust vectors that grow side by side",
        "vectors",
        &["10000000"],
        &["1000000"],
    ),
    program(
        "channel_std",
        "boxed messages around a ring, through std's channel",
        "channels",
        &["0", "2", "4000000"],
        &["0", "2", "400000"],
    ),
    program(
        "channel_crossbeam",
        "boxed messages around a ring, through crossbeam's channel",
        "channels",
        &["1", "2", "4000000"],
        &["1", "2", "400000"],
    ),
    program(
        "startup",
        "the program true, started 500 times",
        "startup",
        &["500"],
        &["50"],
    ),
    command(
        "cxx_maps_strings",
        "a C++ program of maps, sets and strings",
        "@programs/maps_strings",
        &["300000"],
        &["30000"],
        &[],
    ),
    command(
        "cxx_compiler",
        "g++ on a file with many templates",
        "g++",
        &[
            "-std=c++17",
            "-O1",
            "-DDEPTH=2",
            "-S",
            "-o",
            "/dev/null",
            "@programs/templates.cpp",
        ],
        &[
            "-std=c++17",
            "-O0",
            "-DDEPTH=1",
            "-S",
            "-o",
            "/dev/null",
            "@programs/templates.cpp",
        ],
        &[],
    ),
    command(
        "python_json",
        "python3 builds and drops JSON documents, with its own pools off",
        "python3",
        &["@programs/json_documents.py", "10"],
        &["@programs/json_documents.py", "1"],
        &[("PYTHONMALLOC", "malloc"), ("PYTHONHASHSEED", "0")],
    ),
    command(
        "ruby_objects",
        "ruby makes and sorts strings, arrays and hashes",
        "ruby",
        &["@programs/objects.rb", "20"],
        &["@programs/objects.rb", "2"],
        &[],
    ),
    command(
        "sqlite",
        "sqlite3 fills, joins and empties a table in memory",
        "sqlite3",
        &[
            "-cmd",
            "CREATE TABLE size AS SELECT 200000 AS rows",
            ":memory:",
            ".read @programs/inserts.sql",
        ],
        &[
            "-cmd",
            "CREATE TABLE size AS SELECT 20000 AS rows",
            ":memory:",
            ".read @programs/inserts.sql",
        ],
        &[],
    ),
    Workload {
        name: "redis",
        about: "redis-server, a fixed set of commands over one socket",
        work: Work::Command {
            program: "redis-server",
            full: REDIS,
            quick: REDIS,
            environment: &[],
            client: Some(redis::client),
        },
    },
];

/// The workloads that `patterns` name, in the order of the table; all of them without a
/// pattern. The error is the first pattern that names nothing.
pub fn select(patterns: &[String]) -> Result<Vec<Workload>, &str> {
    for pattern in patterns {
        if !ALL.iter().any(|workload| matches(pattern, workload.name)) {
            return Err(pattern);
        }
    }
    let chosen = |workload: &&Workload| {
        patterns.is_empty() || patterns.iter().any(|p| matches(p, workload.name))
    };
    Ok(ALL.iter().filter(chosen).copied().collect())
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(patterns: &[&str]) -> Result<Vec<&'static str>, String> {
        let patterns: Vec<String> = patterns.iter().map(|p| p.to_string()).collect();
        select(&patterns)
            .map(|workloads| workloads.iter().map(|w| w.name).collect())
            .map_err(str::to_owned)
    }

    #[test]
    fn names_are_unique() {
        let unique: BTreeSet<&str> = ALL.iter().map(|workload| workload.name).collect();
        assert_eq!(unique.len(), ALL.len());
    }

    #[test]
    fn patterns_choose_by_name_and_beginning() {
        assert_eq!(names(&[]).unwrap().len(), ALL.len());
        assert_eq!(names(&["larson_2"]).unwrap(), ["larson_2"]);
        assert_eq!(
            names(&["larson*", "random_mixed_512"]).unwrap(),
            ["random_mixed_512", "larson_1", "larson_2", "larson_8"]
        );
        assert_eq!(names(&["larson_2", "nope"]), Err("nope".to_owned()));
    }
}
