//! `hakmem demo`: a corruption is hunted down, from the symptom to the line of the culprit.
//!
//! The program is `books.c`, which is compiled here. Each step is a command as a user would type it,
//! and its output as it comes. What the next step needs (the rule, the address) is read from the
//! trace that the last one has left.

mod stage;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::Trace;

use crate::answer::Answer;
use crate::failure::{Failure, Status};
use crate::misdeed::Misdeed;
use crate::search_path::SearchPath;
use crate::source;
use crate::symbols::{Function, Symbols};
use stage::Stage;

/// Hunt down a corruption in a small program, step by step
///
/// Compiles a program in C with two threads, one of which writes to memory that the other has given
/// back, and finds that write: each command is shown with its output, and all of it happens. Takes a C
/// compiler (cc, gcc or clang).
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem demo
  hakmem demo --keep /tmp/demo

Exit status: 0 if the culprit was named, 1 if it was not, 2 if something that is needed is not there.")]
pub struct Demo {
    /// Keep the program and the traces in this directory, which must be empty or not exist
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// The program.
const SOURCE: &str = include_str!("books.c");
const FILE: &str = "books.c";

/// What becomes of a temporary directory.
const REMOVED: &str =
    "The files are removed now; `hakmem demo --keep DIR` keeps them, to go on from there.";

/// Compilers, the first that is there counts.
const COMPILERS: [&str; 3] = ["cc", "gcc", "clang"];

impl Demo {
    /// Plays it.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let compiler = compiler()?;
        let is_named = match &self.keep {
            Some(directory) => {
                let directory = empty_directory(directory)?;
                let end = format!("All of it is in {}.", directory.display());
                play_in(&directory, compiler, &end)?
            }
            None => {
                let directory = tempfile::Builder::new().prefix("hakmem-demo.").tempdir();
                let directory = directory.map_err(|e| cannot_write(&env::temp_dir(), &e))?;
                play_in(directory.path(), compiler, REMOVED)?
            }
        };
        Ok(ExitCode::from(u8::from(!is_named)))
    }
}

/// Plays it in a directory, and says in the end what becomes of that.
fn play_in(directory: &Path, compiler: &str, end: &str) -> Result<bool, Failure> {
    let source = directory.join(FILE);
    fs::write(&source, SOURCE).map_err(|error| cannot_write(&source, &error))?;
    let mut stage = Stage::new(directory)?;
    let is_named = play(&mut stage, compiler)?;
    stage.say(end)?;
    Ok(is_named)
}

/// The steps; says whether the culprit was named.
fn play(stage: &mut Stage, compiler: &str) -> Result<bool, Failure> {
    stage.say(
        "A shop's books do not balance. Its program, books.c, has two threads and is optimised.\n",
    )?;
    let built = stage.run(&[compiler, "-O2", "-g", "-pthread", "-o", "books", FILE])?;
    if !built.success() {
        return give_up(stage, "the program could not be compiled");
    }
    stage.run(&["./books"])?;

    stage.say("On hakmem each block is checked. What is wrong is told, and what to run next:\n")?;
    stage.run(&run("first", &[]))?;
    let Some(rule) = misdeeds(stage, "first")?.into_iter().find_map(|m| m.rule) else {
        return give_up(stage, "nothing was found");
    };

    stage.say(
        "Who wrote there is not known yet: the block was looked at later. So, with that rule:\n",
    )?;
    stage.run(&run("second", &["--watch", &rule]))?;
    let Some((trace, misdeed, culprit)) = find_culprit(stage)? else {
        return give_up(stage, "the culprit was not named");
    };

    stage.say("The trace has it all, with file and line:\n")?;
    let address = format!("{:#x}", misdeed.address);
    stage.run(&["hakmem", "report", trace])?;
    stage.run(&["hakmem", "history", trace, &address])?;
    stage.run(&["hakmem", "whatis", trace, &address])?;
    stage.announce(&verdict(&culprit))?;
    Ok(true)
}

/// `hakmem run` with these options; stacks by tables, as the program keeps no frame pointers.
fn run<'a>(trace: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["hakmem", "run"];
    words.extend(options);
    words.extend(["--stacks", "table", "--trace-dir", trace, "--", "./books"]);
    words
}

/// The culprit, from the second run, or where the system has no watchpoints for it from a third.
fn find_culprit(stage: &mut Stage) -> Result<Option<(&'static str, Misdeed, Function)>, Failure> {
    if let Some((misdeed, culprit)) = culprit(stage, "second")? {
        return Ok(Some(("second", misdeed, culprit)));
    }
    stage.say(
        "The system lends no watchpoints, so the write was noticed and not seen. Pages that cannot\n\
         be touched need none:\n",
    )?;
    stage.run(&run("third", &["--guard", "size=32"]))?;
    Ok(culprit(stage, "third")?.map(|(misdeed, culprit)| ("third", misdeed, culprit)))
}

fn culprit(stage: &Stage, trace: &str) -> Result<Option<(Misdeed, Function)>, Failure> {
    let trace = open(stage, trace)?;
    let mut symbols = Symbols::new(&trace, &Answer::default());
    let mut all = Misdeed::all(&trace).into_iter();
    Ok(all.find_map(|misdeed| {
        let culprit = misdeed.culprit(&mut symbols)?;
        Some((misdeed, culprit))
    }))
}

fn misdeeds(stage: &Stage, trace: &str) -> Result<Vec<Misdeed>, Failure> {
    Ok(Misdeed::all(&open(stage, trace)?))
}

fn open(stage: &Stage, trace: &str) -> Result<Trace, Failure> {
    source::trace(&stage.path(trace))
}

/// Who it was, with the line itself.
fn verdict(culprit: &Function) -> String {
    let name = &culprit.name;
    let line = culprit.source.as_ref().and_then(|(file, line)| {
        let is_ours = file.file_name().is_some_and(|name| name == FILE);
        let text = SOURCE
            .lines()
            .nth(usize::try_from(*line).ok()?.checked_sub(1)?);
        text.filter(|_| is_ours).map(|text| (*line, text))
    });
    match line {
        Some((line, text)) => format!(
            "The culprit is {name}, {FILE}:{line}:\n\n    {line} | {text}\n\n\
             It writes to an order that was cancelled, and whose memory an account has by then.\n"
        ),
        None => format!("The culprit is {name}.\n"),
    }
}

fn give_up(stage: &mut Stage, why: &str) -> Result<bool, Failure> {
    stage.announce(&format!(
        "The demonstration ends here: {why}. What is said above should tell why."
    ))?;
    Ok(false)
}

fn compiler() -> Result<&'static str, Failure> {
    let search = SearchPath::from_environment();
    let found = COMPILERS
        .into_iter()
        .find(|name| search.find(name.as_ref()).is_ok());
    found.ok_or_else(|| {
        Failure::new(
            Status::Usage,
            "there is no C compiler for the demonstration's program",
            format!("none of {} is in PATH", COMPILERS.join(", ")),
            "install one (Debian, Ubuntu: `apt-get install gcc libc6-dev`), or try \
             `hakmem run -- PROGRAM` on a program of yours",
        )
    })
}

/// A directory with nothing in it, made if it is missing.
fn empty_directory(path: &Path) -> Result<PathBuf, Failure> {
    fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))?;
    let mut entries = fs::read_dir(path).map_err(|error| cannot_write(path, &error))?;
    if entries.next().is_some() {
        return Err(Failure::new(
            Status::Usage,
            "the directory for the demonstration is not empty",
            "what is in it would be mixed with the program and the traces",
            "name one that is empty or does not exist",
        )
        .at(path));
    }
    path.canonicalize()
        .map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Status::Usage,
        "cannot write the demonstration's files",
        error.to_string(),
        "name a directory that you may write to: `hakmem demo --keep DIR`",
    )
    .at(path)
}
