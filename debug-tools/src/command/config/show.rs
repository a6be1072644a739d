//! `hakmem config show`: what is in force, and where it came from.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use hakmem_alloc::options::{self, Kind, Resolved, Source};
use serde_json::{Value, json};

use super::Place;
use super::source::Variables;
use crate::failure::{Failure, say};
use crate::printable::Printable;

/// Show what is in force, and where it came from
///
/// Of each variable the value that counts, and whether the variable itself says so, the preset that
/// HAKMEM_PROFILE names, or nobody. Of a process it is what hakmem in that process goes by, as far
/// as this may look into it.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0, or 2 if the variables cannot be read or the command line is wrong.")]
pub struct Show {
    #[command(flatten)]
    place: Place,

    /// Leave out what has its default
    #[arg(long)]
    changed: bool,

    /// Print a JSON array in place of lines
    #[arg(long)]
    json: bool,
}

struct Row {
    name: &'static str,
    value: String,
    source: &'static str,
    detail: String,
    is_default: bool,
}

impl Show {
    /// Prints the values.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let variables = Variables::at(&self.place)?;
        let in_force = variables.running.as_ref().map(|running| running.options());
        if let (Some(running), Some(None)) = (&variables.running, &in_force) {
            match running.library() {
                Some(library) => say(format_args!(
                    "hakmem: cannot read the memory of the process, which has {}: these values are \
                     what its environment comes to",
                    library.display()
                )),
                None => say(format_args!(
                    "hakmem: no hakmem is to be seen in the process: these values are what it would \
                     go by with this environment"
                )),
            }
        }
        let in_force = in_force.flatten();
        let resolved = options::resolve(variables.iter(), variables.build);
        let rows: Vec<Row> = resolved
            .map(|it| {
                let number = in_force.as_ref().and_then(|all| all.get(it.variable.name));
                Row::of(&it, &variables, number.copied())
            })
            .filter(|row| !self.changed || !row.is_default)
            .collect();
        let mut out = io::stdout().lock();
        // A closed pipe is no reason to complain.
        let _ = if self.json {
            let rows: Vec<Value> = rows.iter().map(Row::json).collect();
            writeln!(out, "{:#}", Value::from(rows))
        } else {
            let name = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
            let value = rows.iter().map(|row| row.value.len()).max().unwrap_or(0);
            let mut lines = rows.iter().map(|row| {
                let detail = &row.detail;
                let line = format!("{:name$}  {:value$}  {}", row.name, row.value, row.source);
                writeln!(out, "{line}{detail}")
            });
            lines.try_for_each(|result| result)
        };
        Ok(ExitCode::SUCCESS)
    }
}

impl Row {
    fn of(it: &Resolved, variables: &Variables, in_force: Option<u64>) -> Self {
        let variable = it.variable;
        let text = variables.value(variable.name);
        let by_environment = match (variable.kind, text) {
            (Kind::Text | Kind::Address | Kind::Fields(_), Some(text)) => {
                Printable(&String::from_utf8_lossy(text)).to_string()
            }
            _ => variable.shown(it.number).to_string(),
        };
        let in_force = in_force.and_then(|number| u32::try_from(number).ok());
        let value = in_force.map_or(by_environment.clone(), |number| {
            variable.shown(Some(number)).to_string()
        });
        let (source, mut detail) = match it.source {
            Source::Variable => ("variable", String::new()),
            Source::Refused => {
                let text = String::from_utf8_lossy(text.unwrap_or_default());
                ("variable", format!(", which says {}", Printable(&text)))
            }
            Source::Preset(preset) => ("preset", format!(" {}", preset.name)),
            Source::Default => ("default", String::new()),
        };
        if value != by_environment {
            detail += &format!(", but the environment comes to {by_environment}");
        }
        Self {
            name: variable.name,
            value,
            source,
            detail,
            is_default: matches!(it.source, Source::Default),
        }
    }

    fn json(&self) -> Value {
        let detail = self.detail.trim_start_matches([',', ' ']);
        json!({
            "name": self.name,
            "value": self.value,
            "source": self.source,
            "detail": detail,
        })
    }
}
