//! [`Program`]: the positional arguments of a benchmark program.
//!
//! All arguments are whole numbers, all are optional, and each has a default and
//! bounds, so that one table is the parser, the usage text and the echo in the report.
//! Nothing here uses a command-line crate: the programs are measured, and what a crate
//! allocates at start would be measured with them.

use std::fmt::Write;

/// What a program is called, what it does and which arguments it takes.
#[derive(Debug)]
pub struct Program {
    /// The name of the binary.
    pub name: &'static str,
    /// One or more sentences for `--help`.
    pub about: &'static str,
    /// The arguments, in order.
    pub parameters: &'static [Parameter],
}

/// One argument.
#[derive(Debug)]
pub struct Parameter {
    /// The key in the report, also the name in the usage text.
    pub name: &'static str,
    /// What it means, with its unit.
    pub about: &'static str,
    /// The value when it is not given.
    pub default: u64,
    /// The smallest value accepted.
    pub min: u64,
    /// The largest value accepted.
    pub max: u64,
}

/// Why a program does not run.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// `--help` was asked for: text for stdout, status 0.
    Help(String),
    /// The arguments are wrong: text for stderr, status 2.
    Wrong(String),
}

impl Program {
    /// The values of `arguments` (without the program's own name), with defaults for
    /// those left out.
    pub fn parse<I>(&self, arguments: I) -> Result<Vec<u64>, Stop>
    where
        I: IntoIterator<Item = String>,
    {
        let mut values: Vec<u64> = self.parameters.iter().map(|p| p.default).collect();
        for (index, text) in arguments.into_iter().enumerate() {
            if text == "--help" || text == "-h" {
                return Err(Stop::Help(self.help()));
            }
            let Some(parameter) = self.parameters.get(index) else {
                return Err(self.wrong(&format!("unexpected argument '{text}'")));
            };
            values[index] = parameter
                .parse(&text)
                .map_err(|message| self.wrong(&message))?;
        }
        Ok(values)
    }

    /// The values of this process's arguments; prints and exits where there are none:
    /// 0 after `--help`, 2 after an error.
    pub fn values<const N: usize>(&self) -> [u64; N] {
        let arguments = std::env::args_os()
            .skip(1)
            .map(|text| text.to_string_lossy().into_owned());
        let stop = match self.parse(arguments) {
            Ok(values) => return values.try_into().expect("N is the table's length"),
            Err(stop) => stop,
        };
        match stop {
            Stop::Help(text) => {
                print!("{text}");
                std::process::exit(0)
            }
            Stop::Wrong(text) => {
                eprint!("{text}");
                std::process::exit(2)
            }
        }
    }

    fn usage(&self) -> String {
        let mut text = format!("usage: {}", self.name);
        for parameter in self.parameters {
            write!(text, " [{}]", parameter.name).expect("strings grow");
        }
        text
    }

    fn help(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.about, self.usage());
        for p in self.parameters {
            write!(
                text,
                "\n  {:<12} {} ({} to {}, default {})",
                p.name, p.about, p.min, p.max, p.default
            )
            .expect("strings grow");
        }
        text.push('\n');
        text
    }

    fn wrong(&self, message: &str) -> Stop {
        Stop::Wrong(format!(
            "{}: {message}\n{}\nTry '{} --help'.\n",
            self.name,
            self.usage(),
            self.name
        ))
    }
}

impl Parameter {
    /// An argument that may have the values from `min` to `max`.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        default: u64,
        min: u64,
        max: u64,
    ) -> Self {
        assert!(min <= default && default <= max);
        Self {
            name,
            about,
            default,
            min,
            max,
        }
    }

    /// The seed that every random workload takes last.
    pub const fn seed() -> Self {
        Self::new("seed", "of the random numbers", 42, 0, u64::MAX)
    }

    fn parse(&self, text: &str) -> Result<u64, String> {
        let value: u64 = text
            .parse()
            .map_err(|_| format!("{} must be a whole number, not '{text}'", self.name))?;
        if value < self.min || value > self.max {
            return Err(format!(
                "{} must be {} to {}, not {value}",
                self.name, self.min, self.max
            ));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program {
        name: "sample",
        about: "Does nothing.",
        parameters: &[
            Parameter::new("rounds", "how often", 10, 1, 100),
            Parameter::seed(),
        ],
    };

    fn parse(arguments: &[&str]) -> Result<Vec<u64>, Stop> {
        PROGRAM.parse(arguments.iter().map(|text| text.to_string()))
    }

    fn message(arguments: &[&str]) -> String {
        match parse(arguments) {
            Err(Stop::Wrong(text)) => text,
            other => panic!("{arguments:?} gave {other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(parse(&[]), Ok(vec![10, 42]));
        assert_eq!(parse(&["7"]), Ok(vec![7, 42]));
        assert_eq!(parse(&["7", "0"]), Ok(vec![7, 0]));
        assert_eq!(
            parse(&["100", "18446744073709551615"]),
            Ok(vec![100, u64::MAX])
        );
    }

    #[test]
    fn errors_name_the_argument_and_give_the_usage() {
        for (arguments, part) in [
            (&["0"][..], "rounds must be 1 to 100, not 0"),
            (&["101"], "rounds must be 1 to 100, not 101"),
            (&["-1"], "rounds must be a whole number, not '-1'"),
            (&[""], "rounds must be a whole number, not ''"),
            (&["1", "x"], "seed must be a whole number, not 'x'"),
            (&["1", "2", "3"], "unexpected argument '3'"),
            (&["18446744073709551616"], "must be a whole number"),
        ] {
            let text = message(arguments);
            assert!(text.contains(part), "{arguments:?}: {text}");
            assert!(text.contains("usage: sample [rounds] [seed]"), "{text}");
        }
    }

    #[test]
    fn help_names_each_argument() {
        let Err(Stop::Help(text)) = parse(&["--help"]) else {
            panic!("no help")
        };
        assert!(text.contains("Does nothing."));
        assert!(text.contains("rounds       how often (1 to 100, default 10)"));
    }
}
