//! What is in force under an environment, and where it came from.

use super::parse::{self, Form, Reading};
use super::preset::{PRESETS, Preset};
use super::{Builds, DEBUG, PRODUCTION, Variable};

/// Where a value came from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The variable itself.
    Variable,
    /// The variable itself, but its value cannot be used as it is.
    Refused,
    /// The preset that `HAKMEM_PROFILE` names.
    Preset(&'static Preset),
    /// Nothing was said.
    Default,
}

/// A variable, and what counts for it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// The variable.
    pub variable: &'static Variable,
    /// Its number; `None` where there is none: a limit that does not exist, a text.
    pub number: Option<u32>,
    /// Where that came from.
    pub source: Source,
}

/// The value that `environ` gives to `name`: the first one, as for `getenv`.
pub(super) fn value_of<'a>(
    mut environ: impl Iterator<Item = &'a [u8]>,
    name: &str,
) -> Option<&'a [u8]> {
    environ.find_map(|entry| {
        let rest = entry.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })
}

/// What is in force in a build that reads the strings `NAME=value` of this environment: every
/// variable that it knows. Allocates nothing.
pub fn resolve<'a, E>(environ: E, build: Builds) -> impl Iterator<Item = Resolved>
where
    E: Iterator<Item = &'a [u8]> + Clone,
{
    let reading = parse::read(environ.clone(), &mut |_| {});
    let environ_too = environ.clone();
    let production = PRODUCTION.iter().enumerate();
    let production = production.map(move |(i, row)| of_production(&reading, i, row, &environ));
    let debug = DEBUG.iter().filter(move |_| build == Builds::Observed);
    production.chain(debug.map(move |row| of_debug(&reading, row, &environ_too)))
}

/// Whether a value can be used as it is.
fn is_fine(row: &'static Variable, value: &[u8]) -> bool {
    let mut fine = true;
    super::check::value(row, value, &mut |finding| {
        fine &= matches!(finding, super::Finding::Fine { .. });
    });
    fine
}

fn of_production<'a>(
    reading: &Reading,
    index: usize,
    variable: &'static Variable,
    environ: &(impl Iterator<Item = &'a [u8]> + Clone),
) -> Resolved {
    let bit = 1u64 << (index & 63);
    let preset = reading.options.profile.map(|place| place as usize);
    let source = if reading.set & bit != 0 {
        let value = value_of(environ.clone(), variable.name).unwrap_or(b"");
        match is_fine(variable, value) {
            true => Source::Variable,
            false => Source::Refused,
        }
    } else {
        match preset.and_then(|place| PRESETS.get(place)) {
            Some(preset) if reading.preset & bit != 0 => Source::Preset(preset),
            _ => Source::Default,
        }
    };
    Resolved {
        variable,
        number: variable
            .setting
            .and_then(|setting| reading.options.get(setting)),
        source,
    }
}

fn of_debug<'a>(
    reading: &Reading,
    variable: &'static Variable,
    environ: &(impl Iterator<Item = &'a [u8]> + Clone),
) -> Resolved {
    let is_number = Form::of(variable.kind) != Form::Text;
    if let Some(value) = value_of(environ.clone(), variable.name) {
        let number = variable.number(value, &mut |_| {});
        return Resolved {
            variable,
            number: is_number.then_some(number),
            source: match is_fine(variable, value) {
                true => Source::Variable,
                false => Source::Refused,
            },
        };
    }
    let preset = reading.options.profile.map(|place| place as usize);
    let preset = preset.and_then(|place| PRESETS.get(place));
    let of_preset = preset.and_then(|preset| {
        let mut values = preset.debug.iter();
        let (_, number) = values.find(|(name, _)| *name == variable.name)?;
        Some((preset, *number))
    });
    Resolved {
        variable,
        number: of_preset.map_or(variable.default, |(_, number)| Some(number)),
        source: of_preset.map_or(Source::Default, |(preset, _)| Source::Preset(preset)),
    }
}
