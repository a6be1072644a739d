//! `hakmem config explain`: one variable, all that is known of it.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use hakmem_alloc::options::{
    Builds, DEBUG, Kind, OLDER, Older, PRESETS, PRODUCTION, SUNSET, Variable, nearest,
};

use crate::failure::{Failure, Status};

/// Explain a variable
///
/// Its values, its default, which builds read it, and which presets set it.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0, or 2 if there is no such variable or the command line is wrong.")]
pub struct Explain {
    /// Its name; HAKMEM_ may be left out, and the case does not matter
    #[arg(value_name = "NAME")]
    name: String,
}

impl Explain {
    /// Prints it.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let mut name = self.name.to_uppercase();
        if !name.starts_with("HAKMEM_") {
            name.insert_str(0, "HAKMEM_");
        }
        let mut rows = PRODUCTION.iter().chain(DEBUG);
        let text = if let Some(row) = rows.find(|row| row.name == name) {
            of_variable(row)
        } else if let Some(older) = OLDER.iter().find(|older| older.name == name) {
            of_older(older)
        } else {
            return Err(Failure::new(
                Status::Usage,
                format!("there is no variable {name}"),
                match nearest(name.as_bytes()) {
                    Some(nearest) => format!("the nearest name is {nearest}"),
                    None => "no name is near it".into(),
                },
                "`hakmem config list` has all of them",
            ));
        };
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(ExitCode::SUCCESS)
    }
}

fn of_variable(row: &Variable) -> String {
    let mut text = format!("{}\n  {}\n", row.name, row.text);
    let mut line = |what: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "  {what:8} {value}");
    };
    line("values:", &row.values());
    line(
        "default:",
        &format!(
            "{}{}",
            row.shown(row.default),
            match row.default {
                Some(_) => row.unit(),
                None => "",
            }
        ),
    );
    line(
        "builds:",
        &match row.builds {
            Builds::Every => "every one",
            Builds::Observed => "those with observers; the release library does not know the name",
        },
    );
    line("since:", &row.since);
    if let Some(instead) = row.deprecated_by {
        line("use:", &instead);
    }
    if let Kind::Fields(fields) = row.kind {
        for field in fields {
            let (min, max) = (field.range.min, field.range.max);
            line("", &format!("{}={min}-{max}: {}", field.name, field.text));
        }
    }
    for preset in PRESETS {
        if let Some(number) = preset.value(row) {
            line(
                "preset:",
                &format!("{} sets {}", preset.name, row.shown(Some(number))),
            );
        }
    }
    for older in OLDER.iter().filter(|older| older.instead == Some(row.name)) {
        line(
            "was:",
            &format!("{} until {SUNSET}. {}", older.name, older.text),
        );
    }
    text
}

fn of_older(older: &Older) -> String {
    let instead = older.instead.unwrap_or("nothing");
    format!(
        "{}\n  A name of earlier versions, which went on {SUNSET}. It is not honoured.\n  use:     \
         {instead}. {}\n",
        older.name, older.text
    )
}
