//! This command once more, as one types it: `hakmem run` with an option that it did not have.

use std::env;
use std::ffi::OsString;

use crate::misdeed::shell_word;
use crate::printable::Printable;

/// See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// What is in front of the program and its arguments, `hakmem` left out.
    options: Vec<String>,
    program: Vec<String>,
}

impl Again {
    /// The command of this process, which runs a program with its arguments.
    pub fn of(program: &[OsString]) -> Self {
        let words: Vec<OsString> = env::args_os().skip(1).collect();
        Self::new(&words, program.len())
    }

    fn new(words: &[OsString], of_program: usize) -> Self {
        let typed = |word: &OsString| Printable(&word.to_string_lossy()).to_string();
        let mut options: Vec<String> = words.iter().map(typed).collect();
        let program = options.split_off(options.len().saturating_sub(of_program));
        Self { options, program }
    }

    /// Whether an option is among its own.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|word| Self::is(word, option))
    }

    fn is(word: &str, option: &str) -> bool {
        let rest = word.strip_prefix(option);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    }

    /// It, with an option that may be given again.
    pub fn with(&self, option: &str, value: &str) -> String {
        self.line(&self.options, option, value)
    }

    /// It, with an option in place of the one that it may have.
    pub fn with_only(&self, option: &str, value: &str) -> String {
        let mut kept = vec![];
        let mut words = self.options.iter();
        while let Some(word) = words.next() {
            if word == option {
                words.next();
            } else if !Self::is(word, option) {
                kept.push(word.clone());
            }
        }
        self.line(&kept, option, value)
    }

    /// The option stands behind `run`.
    fn line(&self, options: &[String], option: &str, value: &str) -> String {
        let run = options.iter().position(|word| word == "run");
        let (before, behind) = options.split_at(run.map_or(0, |at| at + 1));
        let added = [option.to_owned(), value.to_owned()];
        let words = before
            .iter()
            .chain(&added)
            .chain(behind)
            .chain(&self.program);
        let words: Vec<String> = words.map(|word| shell_word(word)).collect();
        format!("hakmem {}", words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(words: &[&str], of_program: usize) -> Again {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Again::new(&words, of_program)
    }

    #[test]
    fn an_option_comes_behind_run() {
        let plain = again(&["run", "--", "./a", "b c"], 2);
        assert_eq!(
            plain.with("--guard", "all"),
            "hakmem run --guard all -- ./a 'b c'"
        );
        let verbose = again(&["-v", "run", "--watch", "size=1", "./run", "run"], 2);
        assert_eq!(
            verbose.with("--watch", "site=x on=free"),
            "hakmem -v run --watch 'site=x on=free' --watch size=1 ./run run"
        );
    }

    #[test]
    fn an_option_takes_the_place_of_another() {
        for given in [&["--guard", "1/8"][..], &["--guard=1/8"]] {
            let words = [&["run"], given, &["--leaks", "./a", "--guard", "x"]].concat();
            let again = again(&words, 3);
            assert!(again.has("--guard"));
            assert_eq!(
                again.with_only("--guard", "all,left"),
                "hakmem run --guard all,left --leaks ./a --guard x"
            );
        }
        assert!(!again(&["run", "./a", "--guard", "x"], 3).has("--guard"));
    }
}
