//! `hakmem config list`: all variables, a line each; also as the manual's tables have them.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use hakmem_alloc::options::{Builds, DEBUG, OLDER, PRESETS, PRODUCTION, SUNSET, Variable};
use serde_json::{Value, json};

use super::Build;
use crate::failure::Failure;

/// List all variables
#[derive(Args)]
#[command(after_help = "Exit status: 0, or 2 if the command line is wrong.")]
pub struct List {
    /// Those that this build reads [default: observed, which is all]
    #[arg(long, value_enum, value_name = "BUILD")]
    build: Option<Build>,

    /// How they are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A line each
    Text,
    /// A JSON array of objects
    Json,
    /// The tables of docs/CONFIGURATION.md
    Markdown,
    /// The manual page hakmem-environment(7)
    Man,
    /// The enumeration in hakmem.h
    Header,
    /// DEPRECATED.md's table of older names
    Older,
}

impl List {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let build = self.build.map_or(Builds::Observed, Build::builds);
        let debug = DEBUG.iter().filter(|_| build == Builds::Observed);
        let rows: Vec<&Variable> = PRODUCTION.iter().chain(debug).collect();
        let text = match self.format {
            Format::Text => lines(&rows),
            Format::Json => format!(
                "{:#}\n",
                Value::from_iter(rows.iter().map(|row| object(row)))
            ),
            Format::Markdown => markdown(&rows),
            Format::Man => man(&rows),
            Format::Header => header(),
            Format::Older => older(),
        };
        // A closed pipe is no reason to complain.
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(ExitCode::SUCCESS)
    }
}

fn lines(rows: &[&Variable]) -> String {
    let longest = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, row| {
        let default = row.shown(row.default);
        let _ = writeln!(
            text,
            "{:longest$}  {:>8}  {}",
            row.name,
            default.to_string(),
            row.text
        );
        text
    })
}

fn object(row: &Variable) -> Value {
    json!({
        "name": row.name,
        "values": row.values().to_string(),
        "min": row.range.map(|range| range.min),
        "max": row.range.map(|range| range.max),
        "default": row.default.map(|_| row.shown(row.default).to_string()),
        "unit": row.unit().trim(),
        "builds": match row.builds {
            Builds::Every => "every",
            Builds::Observed => "observed",
        },
        "since": row.since,
        "deprecated_by": row.deprecated_by,
        "text": row.text,
    })
}

fn markdown(rows: &[&Variable]) -> String {
    let head = "| variable | values | default | meaning |\n|---|---|---|---|\n";
    rows.iter().fold(head.to_owned(), |mut text, row| {
        let (values, default) = (row.values(), row.shown(row.default));
        let _ = writeln!(
            text,
            "| `{}` | {values} | {default} | {} |",
            row.name, row.text
        );
        text
    })
}

/// Text as troff takes it.
fn troff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('.', ".\\&")
}

fn man(rows: &[&Variable]) -> String {
    let mut text = format!(
        ".TH HAKMEM\\-ENVIRONMENT 7 \"\" \"hakmem {}\" \"Environments\"\n\
         .SH NAME\nhakmem\\-environment \\- variables that configure the hakmem allocator\n\
         .SH DESCRIPTION\nhakmem reads these variables once, when a process first allocates. A \
         process that runs with more rights than its caller ignores all of them.\n",
        env!("CARGO_PKG_VERSION")
    );
    for (heading, build) in [
        ("VARIABLES OF EVERY BUILD", Builds::Every),
        ("DEBUG VARIABLES", Builds::Observed),
    ] {
        let _ = writeln!(text, ".SH {heading}");
        for row in rows.iter().filter(|row| row.builds == build) {
            let (values, default) = (row.values().to_string(), row.shown(row.default));
            let _ = writeln!(
                text,
                ".TP\n.B {}\n{}\nValues: {}; default: {}.",
                troff(row.name),
                troff(row.text),
                troff(&values),
                troff(&default.to_string()),
            );
        }
    }
    let _ = writeln!(
        text,
        ".SH PRESETS\nThe values of HAKMEM_PROFILE, and what each sets."
    );
    for preset in PRESETS {
        let set: Vec<String> = preset
            .values()
            .map(|(row, number)| format!("{}={}", row.name, row.shown(Some(number))))
            .collect();
        let set = troff(&set.join(" "));
        let _ = writeln!(
            text,
            ".TP\n.B {}\n{}: {set}.",
            troff(preset.name),
            troff(preset.text)
        );
    }
    text += ".SH SEE ALSO\nhakmem(1), hakmem\\-config(1)\n";
    text
}

/// The enumeration of the options that a program can ask for.
fn header() -> String {
    let mut options: Vec<(u32, &Variable)> = PRODUCTION
        .iter()
        .filter_map(|row| Some((row.option()?, row)))
        .collect();
    options.sort_unstable_by_key(|(number, _)| *number);
    let last = options.len().saturating_sub(1);
    let mut text = "enum hakmem_option {\n".to_owned();
    for (place, (number, row)) in options.iter().enumerate() {
        let name = row.name.replacen("HAKMEM_", "HAKMEM_OPTION_", 1);
        let comma = if place < last { "," } else { "" };
        let _ = writeln!(text, "    {name} = {number}{comma}");
    }
    text + "};\n"
}

fn older() -> String {
    let head = "| name | went | use | how |\n|---|---|---|---|\n".to_owned();
    OLDER.iter().fold(head, |mut text, older| {
        let instead = older
            .instead
            .map_or("nothing".to_owned(), |name| format!("`{name}`"));
        let _ = writeln!(
            text,
            "| `{}` | {SUNSET} | {instead} | {} |",
            older.name, older.text
        );
        text
    })
}
