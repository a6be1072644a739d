//! `hakmem config check`: what is wrong with an environment.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use hakmem_alloc::options::{self, Builds, Finding, Kind, SUNSET, Severity, Variable};
use serde_json::{Value, json};

use super::Place;
use super::source::Variables;
use crate::failure::Failure;
use crate::printable::Printable;

/// Check variables: names, values, and whether they go together
///
/// Says of each variable of hakmem's what is wrong with it: [OK], [WARN] where it has another effect
/// than was meant, or none, and [ERROR] where it does not count.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 if there is no error, also with warnings; 1 if there is one; 2 if the variables \
cannot be read or the command line is wrong. With --strict, warnings are errors.")]
pub struct Check {
    #[command(flatten)]
    place: Place,

    /// Count warnings as errors
    #[arg(long)]
    strict: bool,

    /// Print errors only
    #[arg(short, long)]
    quiet: bool,

    /// Print a JSON object in place of lines
    #[arg(long)]
    json: bool,
}

/// What is said of one finding.
struct Line {
    severity: Severity,
    kind: &'static str,
    name: String,
    value: Option<String>,
    text: String,
    instead: Option<&'static str>,
}

impl Check {
    /// Prints the findings.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let variables = Variables::at(&self.place)?;
        let mut lines = Vec::new();
        options::check(variables.iter(), variables.build, &mut |finding| {
            let mut line = Line::of(finding);
            if self.strict && line.severity == Severity::Warning {
                line.severity = Severity::Error;
            }
            lines.push(line);
        });
        let count = |severity| {
            lines
                .iter()
                .filter(|line| line.severity == severity)
                .count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let shown = lines
            .iter()
            .filter(|line| !self.quiet || line.severity == Severity::Error);
        let mut out = io::stdout().lock();
        let written = if self.json {
            let findings: Vec<Value> = shown.map(Line::json).collect();
            let all = json!({
                "build": variables.build_name(),
                "errors": errors,
                "warnings": warnings,
                "findings": findings,
            });
            writeln!(out, "{all:#}")
        } else {
            let mut lines = shown.map(|line| writeln!(out, "{line}"));
            lines
                .try_for_each(|result| result)
                .and_then(|()| match self.quiet {
                    true => Ok(()),
                    false => writeln!(
                        out,
                        "{} checked for the {} build: {}, {}",
                        counted(count_of_names(&variables), "variable"),
                        variables.build_name(),
                        counted(errors, "error"),
                        counted(warnings, "warning"),
                    ),
                })
        };
        // Who does not want to read all of it still wants the status.
        drop(written);
        Ok(ExitCode::from(u8::from(errors > 0)))
    }
}

/// What a run would not go by, of this process's own environment: names that nobody reads, or not that
/// build. Values are the library's to tell of.
pub fn unread(build: Builds) -> Vec<String> {
    let entries = super::source::of_this_process();
    let mut unread = vec![];
    options::check(entries.iter().map(Vec::as_slice), build, &mut |finding| {
        if let Finding::Unknown { .. } | Finding::Ignored { .. } | Finding::Deprecated { .. } =
            finding
        {
            let line = Line::of(finding);
            unread.push(format!("{}{}", line.name, line.text));
        }
    });
    unread
}

fn count_of_names(variables: &Variables) -> usize {
    let ours = variables
        .iter()
        .filter(|entry| entry.starts_with(b"HAKMEM_"));
    ours.count()
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// Text of an environment, as it may stand on a terminal.
fn shown(bytes: &[u8]) -> String {
    Printable(&String::from_utf8_lossy(bytes)).to_string()
}

/// What a value should have been.
fn expected(variable: &Variable) -> String {
    match variable.kind {
        Kind::Switch => "is not 0 or 1".into(),
        Kind::Word(_) => format!("is not one of {}", variable.values()),
        Kind::List(_) => format!("is no area; there are {}", variable.values()),
        Kind::Fields(_) => format!("is not one of {}", variable.values()),
        _ => "is not a number".into(),
    }
}

/// What counts in place of a value that does not.
fn fallback(variable: &Variable) -> String {
    match variable.kind {
        Kind::List(_) | Kind::Fields(_) => "the rest of it counts".into(),
        _ => format!("the default counts: {}", variable.shown(variable.default)),
    }
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| {
        format!("; did you mean {nearest}?")
    })
}

impl Line {
    fn of(finding: &Finding<'_>) -> Self {
        let (kind, name, value, text, instead) = match *finding {
            Finding::Fine { variable, value } => {
                ("ok", variable.name, Some(value), String::new(), None)
            }
            Finding::Unknown { name, nearest } => {
                return Self {
                    severity: finding.severity(),
                    kind: "unknown",
                    name: shown(name),
                    value: None,
                    text: format!(" is not a variable of hakmem{}", meant(nearest)),
                    instead: nearest,
                };
            }
            Finding::Malformed {
                variable,
                value,
                nearest,
            } => {
                let (expected, fallback) = (expected(variable), fallback(variable));
                let text = format!(" {expected}{}; {fallback}", meant(nearest));
                ("malformed", variable.name, Some(value), text, nearest)
            }
            Finding::Misread {
                variable,
                value,
                found,
            } => {
                let word = shown(found.word(value));
                let text = format!(" is not understood at `{word}`: {}", found.accepted);
                ("malformed", variable.name, Some(value), text, None)
            }
            Finding::OutOfRange {
                variable,
                value,
                range,
            } => {
                let text = format!(" is outside typical range ({}-{})", range.min, range.max);
                ("range", variable.name, Some(value), text, None)
            }
            Finding::Ignored { variable } => {
                let text = " is a debug variable, which the release build does not read".into();
                ("ignored", variable.name, None, text, None)
            }
            Finding::Deprecated { older } => {
                let instead = older.instead;
                let use_it = instead.map_or(String::new(), |name| format!("; use {name}"));
                let text = format!(
                    " is deprecated and went on {SUNSET}: it is not honoured{use_it}. {}",
                    older.text
                );
                ("deprecated", older.name, None, text, instead)
            }
            Finding::Repeated { variable, value } => {
                let text = " stands there a second time; the first counts".into();
                ("repeated", variable.name, Some(value), text, None)
            }
            Finding::Contradiction(found) => {
                let text = format!(" against {}: {}", found.other, found.text);
                ("contradiction", found.name, None, text, Some(found.other))
            }
            _ => ("other", "", None, format!("{finding:?}"), None),
        };
        Self {
            severity: finding.severity(),
            kind,
            name: name.to_owned(),
            value: value.map(shown),
            text,
            instead,
        }
    }

    fn json(&self) -> Value {
        json!({
            "severity": match self.severity {
                Severity::Ok => "ok",
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            "kind": self.kind,
            "name": self.name,
            "value": self.value,
            "text": self.text.trim_start(),
            "related": self.instead,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = match self.severity {
            Severity::Ok => "[OK]",
            Severity::Warning => "[WARN]",
            Severity::Error => "[ERROR]",
        };
        write!(f, "{tag} {}", self.name)?;
        if let Some(value) = &self.value {
            write!(f, "={value}")?;
        }
        f.write_str(&self.text)
    }
}
