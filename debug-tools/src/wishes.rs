//! What the observed library is asked to do: options of `hakmem run`, each of which sets a variable.
//!
//! A text that the library would not understand is told before the program starts: the library
//! ignores what it does not understand, and a run for nothing may have taken hours.

use std::path::Path;

use clap::{Args, ValueEnum};
use hakmem_alloc::options;

use crate::failure::{Failure, Status};
use crate::library::Library;
use crate::printable::Printable;

/// Which blocks get pages of their own.
pub const GUARD: &str = "HAKMEM_GUARD";

/// The options.
#[derive(Args, Debug, Default)]
pub struct Wishes {
    /// Watch the blocks that RULE selects, or an address (0x7f…); may be given again
    #[arg(long, value_name = "RULE")]
    watch: Vec<String>,

    /// Give blocks pages of their own, so that a wrong access is stopped: all, 1/100, size=16-512, …;
    /// `all,left` stops those in front, `all,exact` those from the byte behind on, which takes
    /// alignment away that some programs rely on
    #[arg(long, value_name = "WHAT")]
    guard: Option<String>,

    /// Look for leaks when the program ends
    #[arg(long)]
    leaks: bool,

    /// What follows when something wrong is found [default: abort]
    #[arg(long, value_name = "WHAT")]
    on_error: Option<OnError>,

    /// How much is checked [default: full]
    #[arg(long, value_name = "HOW")]
    check: Option<Check>,

    /// How stacks are walked: by frame pointers, or by the tables that all code has [default: fp]
    #[arg(long, value_name = "HOW")]
    stacks: Option<Stacks>,
}

/// See [`Wishes`].
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnError {
    /// The program ends
    Abort,
    /// It goes on, without what was wrong where that can be
    Continue,
    /// It is stopped, for a debugger
    Stop,
}

/// See [`Wishes`].
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Check {
    /// Nothing
    Off,
    /// Each free
    Light,
    /// Also freed blocks, and libc's memory functions
    Full,
}

/// See [`Wishes`].
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stacks {
    /// Frame pointers: quick, for programs that keep them
    Fp,
    /// Unwind tables
    Table,
    /// libgcc's unwinder
    Dwarf,
    /// The caller alone
    Off,
}

/// A variable and its value.
pub type Setting = (&'static str, String);

impl Wishes {
    /// The variables that say it. Fails if a text is not one that the library understands.
    pub fn settings(&self) -> Result<Vec<Setting>, Failure> {
        let mut settings = vec![];
        let (addresses, rules): (Vec<&String>, Vec<&String>) =
            self.watch.iter().partition(|text| text.starts_with("0x"));
        for (name, option, texts) in [
            ("HAKMEM_WATCH", "--watch", rules),
            ("HAKMEM_WATCH_ADDR", "--watch", addresses),
            (GUARD, "--guard", self.guard.iter().collect()),
        ] {
            for text in &texts {
                check(name, option, text)?;
            }
            if !texts.is_empty() {
                let between = if name == "HAKMEM_WATCH" { ";" } else { "," };
                let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
                settings.push((name, texts.join(between)));
            }
        }
        let words = [
            ("HAKMEM_LEAKS", self.leaks.then_some("1")),
            ("HAKMEM_ON_ERROR", self.on_error.map(OnError::value)),
            ("HAKMEM_INTEGRITY_CHECKS", self.check.map(Check::value)),
            ("HAKMEM_STACKS", self.stacks.map(Stacks::value)),
        ];
        for (name, value) in words {
            settings.extend(value.map(|value| (name, value.to_owned())));
        }
        Ok(settings)
    }

    /// Fails if the library does not know one of the variables: then it would do nothing of it.
    pub fn check_library(settings: &[Setting], library: &Library) -> Result<(), Failure> {
        let unknown = settings.iter().find(|(name, _)| !library.mentions(name));
        match unknown {
            None => Ok(()),
            Some((name, _)) => Err(Failure::new(
                Status::Usage,
                "this library cannot do what was asked for",
                format!("it does not know {name}: it was built without the observer for that"),
                "leave --lib out, or name a library that was built with the feature observe-all",
            )
            .at(library.path())),
        }
    }

    /// What to say where the production library is to run.
    pub fn not_with_release(settings: &[Setting]) -> Result<(), Failure> {
        let Some((name, _)) = settings.first() else {
            return Ok(());
        };
        Err(Failure::new(
            Status::Usage,
            "the production library cannot do what was asked for",
            format!("it has nothing in it that observes, and does not read {name}"),
            "leave --release out",
        ))
    }
}

impl OnError {
    fn value(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Continue => "continue",
            Self::Stop => "stop",
        }
    }
}

impl Check {
    fn value(self) -> &'static str {
        match self {
            Self::Off => "0",
            Self::Light => "light",
            Self::Full => "full",
        }
    }
}

impl Stacks {
    fn value(self) -> &'static str {
        match self {
            Self::Fp => "fp",
            Self::Table => "table",
            Self::Dwarf => "dwarf",
            Self::Off => "off",
        }
    }
}

/// Fails if a text is not understood.
fn check(name: &str, option: &str, text: &str) -> Result<(), Failure> {
    let empty = text.trim().is_empty().then(|| "it is empty".to_owned());
    let why = empty.or_else(|| {
        let found = options::misread(name, text.as_bytes())?;
        let word = String::from_utf8_lossy(found.word(text.as_bytes()));
        Some(format!(
            "`{}` is not understood: {}",
            Printable(&word),
            found.accepted
        ))
    });
    match why {
        None => Ok(()),
        Some(why) => Err(Failure::new(
            Status::Usage,
            format!("{option} takes no such text"),
            why,
            format!(
                "correct it; `hakmem config explain {name}` and docs/OBSERVABILITY.md say what there is"
            ),
        )
        .at(Path::new(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(watch: &[&str]) -> Wishes {
        Wishes {
            watch: watch.iter().map(|text| (*text).to_owned()).collect(),
            ..Wishes::default()
        }
    }

    #[test]
    fn rules_and_addresses_are_told_apart() {
        let asked = wishes(&["size=8 do=arm", "0x10", "rotate", "0x20+8"]);
        assert_eq!(
            asked.settings().unwrap(),
            [
                ("HAKMEM_WATCH", "size=8 do=arm;rotate".to_owned()),
                ("HAKMEM_WATCH_ADDR", "0x10,0x20+8".to_owned()),
            ]
        );
        assert_eq!(Wishes::default().settings().unwrap(), []);
    }

    #[test]
    fn words_are_what_the_variables_take() {
        let rows = options::DEBUG.iter();
        let takes = |name: &str, value: &str| {
            let row = rows.clone().find(|row| row.name == name).unwrap();
            match row.kind {
                options::Kind::Word(words) => words.contains(&value),
                _ => panic!("{name}"),
            }
        };
        for value in OnError::value_variants() {
            assert!(takes("HAKMEM_ON_ERROR", value.value()));
        }
        for value in Check::value_variants() {
            assert!(takes("HAKMEM_INTEGRITY_CHECKS", value.value()));
        }
    }

    #[test]
    fn what_is_not_understood_is_told() {
        for (watch, said) in [
            ("size=8 od=arm", "`od=arm` is not understood"),
            ("0xzz", "0xFROM-0xTO"),
            (" ", "empty"),
        ] {
            let failure = wishes(&[watch]).settings().unwrap_err().to_string();
            assert!(
                failure.contains(said) && failure.contains("--watch"),
                "{failure}"
            );
        }
        let asked = Wishes {
            guard: Some("some".into()),
            ..Wishes::default()
        };
        let failure = asked.settings().unwrap_err().to_string();
        assert!(failure.contains("all, none, 1/N"), "{failure}");
    }
}
