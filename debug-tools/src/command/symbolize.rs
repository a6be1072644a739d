//! `hakmem symbolize`: functions, files and lines for code addresses of a process.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::answer::{self, Answer, parse_address};
use crate::event::{function_json, named};
use crate::failure::{Failure, Status};
use crate::output::{self, Output};
use crate::source::Source;
use crate::symbols::{CodeMap, Symbols};

/// Name the functions at addresses of a process's code
///
/// By the files that the process had mapped. Without addresses, text from standard input is copied, with
/// the function behind each hexadecimal number that is an address of code.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem symbolize trace/ 0x55d0c3b4f1a9
  hakmem symbolize core < log.txt

Exit status: 0 if all addresses have a file, 1 if one has none, 2 if the source cannot be read or the \
command line is wrong, 3 if a part of the source is missing and the rest was used.")]
pub struct Symbolize {
    /// A trace directory, a core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// The addresses: hexadecimal with 0x in front, or decimal
    #[arg(value_name = "ADDR", value_parser = parse_address)]
    addresses: Vec<u64>,

    /// They are return addresses: name the calls before them
    #[arg(long)]
    calls: bool,

    #[command(flatten)]
    answer: Answer,
}

impl Symbolize {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.source)?;
        let map: &dyn CodeMap = match &source {
            Source::Trace(trace) => &**trace,
            Source::Image(image) => &**image,
        };
        let mut symbols = Symbols::new(map, &self.answer);
        let mut output = Output::new();
        let mut is_unknown = false;
        if self.addresses.is_empty() {
            self.copy(map, &mut symbols, &mut output)?;
        }
        for address in &self.addresses {
            is_unknown |= map.module_of(*address, u64::MAX).is_none();
            let functions = match self.calls {
                true => symbols.functions(*address, u64::MAX),
                false => symbols.functions_at_instruction(*address, u64::MAX),
            };
            if self.answer.json {
                let list: Vec<_> = functions
                    .iter()
                    .map(|function| function_json(*address, function))
                    .collect();
                output.json(&json!({ "address": output::address(*address), "functions": list }))?;
                continue;
            }
            let names: Vec<String> = functions
                .iter()
                .map(|function| named(function, true))
                .collect();
            output.line(format_args!("{address:#x} {}", names.join(" < ")))?;
        }
        output.end()?;
        Ok(answer::status(is_unknown, source.is_truncated()))
    }

    fn copy(
        &self,
        map: &dyn CodeMap,
        symbols: &mut Symbols<'_>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        for line in io::stdin().lock().split(b'\n') {
            let line = line.map_err(|error| {
                let next = "give addresses, or text to standard input";
                Failure::new(
                    Status::Usage,
                    "cannot read standard input",
                    error.to_string(),
                    next,
                )
            })?;
            let line = String::from_utf8_lossy(&line);
            let words = line.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
            let mut text = String::new();
            for word in words {
                let number = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
                text.push_str(number);
                let address = number
                    .strip_prefix("0x")
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok());
                if let Some(address) =
                    address.filter(|address| map.module_of(*address, u64::MAX).is_some())
                {
                    let functions = symbols.functions_at_instruction(address, u64::MAX);
                    let name = functions.first().map(|function| named(function, true));
                    text.push_str(&format!(" [{}]", name.unwrap_or_default()));
                }
                text.push_str(&word[number.len()..]);
            }
            output.line(text)?;
            if output.is_closed() {
                break;
            }
        }
        Ok(())
    }
}
