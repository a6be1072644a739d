//! `hakmem run` on the observed library: what its options do, and what it says at the end.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use hakmem_tests::{Scratch, compile, library};
use nix::sys::signal::{self, SigHandler, Signal};
use nix::unistd::Pid;

use crate::support::{HAKMEM, on};

/// `hakmem run` in a directory, on the library that the tests have built.
fn run(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new(HAKMEM);
    command
        .arg("run")
        .args(arguments)
        .current_dir(scratch.path())
        .env("HAKMEM_RUN_LIBRARY", library::observed())
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::null());
    command
}

struct Said {
    code: Option<i32>,
    signal: Option<i32>,
    stderr: String,
}

fn said(mut command: Command) -> Said {
    let Output { status, stderr, .. } = command.output().unwrap();
    Said {
        code: status.code(),
        signal: status.signal(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// The case of `integrity.c`, optimised.
fn case(name: &str) -> Vec<String> {
    let program = compile::optimized_program("integrity.c");
    vec![program.to_str().unwrap().to_owned(), name.to_owned()]
}

fn with_program<'a>(options: &[&'a str], program: &'a [String]) -> Vec<&'a str> {
    let program = program.iter().map(String::as_str);
    options
        .iter()
        .copied()
        .chain(["--"])
        .chain(program)
        .collect()
}

/// What stands behind a text in the line that has it.
fn behind<'t>(text: &'t str, what: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.split_once(what));
    line.unwrap_or_else(|| panic!("no `{what}` in {text}")).1
}

#[test]
fn the_end_of_one_run_says_the_next_which_names_the_culprit() {
    let scratch = Scratch::new();
    let program = case("server");
    let first = said(run(
        &scratch,
        &with_program(&["--stacks", "table"], &program),
    ));
    assert_eq!(first.signal, Some(6), "{}", first.stderr);
    assert!(
        first.stderr.contains("hakmem: found: write-after-free: "),
        "{}",
        first.stderr
    );
    let directory = behind(&first.stderr, "hakmem: the trace lies in ").to_owned();
    assert!(
        scratch.file(&directory).join("session").is_file(),
        "{directory}"
    );

    // The command as it is said, but for the path of hakmem.
    let next = behind(&first.stderr, "is named by: hakmem ");
    let second = typed(&scratch, next);
    if !second.stderr.contains("the processor's watchpoints") {
        hakmem_tests::skip("the system lends no watchpoints");
        return;
    }
    let source = std::fs::read_to_string(compile::sources().join("integrity.c")).unwrap();
    let number = source
        .lines()
        .position(|line| line.contains("/* THE WRITE */"))
        .unwrap()
        + 1;
    let culprit = behind(&second.stderr, "hakmem: culprit: write_late (");
    assert!(
        culprit.contains(&format!("integrity.c:{number})")),
        "{culprit}"
    );
    // And so does the report, before all else.
    let directory = behind(&second.stderr, "hakmem: the trace lies in ");
    let report = on("report", &scratch.file(directory), &[]).ended(1).stdout;
    let line = report.lines().nth(1).unwrap();
    assert!(
        line.starts_with("culprit: write_late (")
            && line.contains(&format!("integrity.c:{number})")),
        "{report}"
    );
    let json = on("report", &scratch.file(directory), &["--json"])
        .ended(1)
        .json();
    let culprit = &json["misdeeds"][0]["culprit"];
    assert_eq!(culprit["function"], "write_late", "{json}");
    assert_eq!(culprit["line"], number, "{json}");
}

/// Has a shell run a command of hakmem's that was said.
fn typed(scratch: &Scratch, command: &str) -> Said {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec \"$HAKMEM\" {command}")])
        .current_dir(scratch.path())
        .env("HAKMEM", HAKMEM)
        .env("HAKMEM_RUN_LIBRARY", library::observed())
        .env("HAKMEM_WATCH_HARDWARE", "1")
        .env_remove("LD_PRELOAD");
    said(shell)
}

/// Of a write beside a block both next runs are said, in place of the guards that were there, and both name
/// who wrote.
#[test]
fn damage_beside_a_block_leads_to_guards_as_well() {
    let scratch = Scratch::new();
    let options = ["--guard", "none", "--stacks=table"];
    let first = said(run(&scratch, &with_program(&options, &case("underflow"))));
    let guarded = behind(
        &first.stderr,
        "it is stopped where that happens by: hakmem ",
    );
    assert!(
        guarded.starts_with("run --guard all,left --stacks=table -- "),
        "{}",
        first.stderr
    );
    let stopped = typed(&scratch, guarded);
    assert_eq!(stopped.signal, Some(11), "{}", stopped.stderr);
    let line = behind(&stopped.stderr, "hakmem: culprit: write_at (");
    assert!(
        line.contains(": heap-underflow: a write 1 byte in front"),
        "{line}"
    );
    assert!(
        !stopped.stderr.contains("happens by:"),
        "{}",
        stopped.stderr
    );

    // What was found in front of the block does not make another one of it.
    let directory = scratch.file(behind(&first.stderr, "hakmem: the trace lies in "));
    let of = behind(&first.stderr, "in front of a block of 40 bytes at ");
    let block = of.split(';').next().unwrap();
    let said = on("whatis", &directory, &[block]).ended(0).stdout;
    let begins = format!("free: {block} begins a block of 40 bytes, ");
    assert!(said.starts_with(&begins), "{said}");

    let watched = typed(&scratch, behind(&first.stderr, "is named by: hakmem "));
    if watched.stderr.contains("the processor's watchpoints") {
        behind(&watched.stderr, "hakmem: culprit: write_at (");
    }
}

/// One line writes to three words behind a block: one culprit.
#[test]
fn a_culprit_is_named_once() {
    let scratch = Scratch::new();
    let rule = "site=make_item on=alloc do=arm words=5-7 hits=100";
    let outcome = said(run(
        &scratch,
        &with_program(&["--watch", rule], &case("long_overflow")),
    ));
    if !outcome.stderr.contains("the processor's watchpoints") {
        hakmem_tests::skip("the system lends no watchpoints");
        return;
    }
    let named = outcome
        .stderr
        .matches("hakmem: culprit: write_at (")
        .count();
    assert_eq!(named, 1, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains(" (the first of "),
        "{}",
        outcome.stderr
    );
    assert!(
        !outcome.stderr.contains(" more of these"),
        "{}",
        outcome.stderr
    );
}

/// What the program does to a block that it has is no misdeed for being watched.
#[test]
fn who_writes_to_a_live_block_is_no_culprit() {
    let scratch = Scratch::new();
    let program = compile::optimized_program("watch.c");
    let program = [program.to_str().unwrap().to_owned(), "plain".to_owned()];
    let rule = "site=make_item on=alloc,free do=arm words=0";
    let outcome = said(run(
        &scratch,
        &with_program(&["--check", "off", "--watch", rule], &program),
    ));
    if !outcome.stderr.contains("the processor's watchpoints") {
        hakmem_tests::skip("the system lends no watchpoints");
        return;
    }
    behind(&outcome.stderr, "hakmem: writer: make_item (");
    behind(&outcome.stderr, "hakmem: culprit: write_late (");
    assert!(
        !outcome.stderr.contains("culprit: make_item"),
        "{}",
        outcome.stderr
    );
    let directory = behind(&outcome.stderr, "hakmem: the trace lies in ");
    let json = on("report", &scratch.file(directory), &["--json"])
        .ended(1)
        .json();
    for misdeed in json["misdeeds"].as_array().unwrap() {
        let is_making = misdeed["culprit"]["function"] == "make_item";
        assert_eq!(misdeed["into_live_block"], is_making, "{json}");
    }
}

#[test]
fn a_run_without_findings_says_what_finds_more() {
    let scratch = Scratch::new();
    let hint = "hakmem: wrong reads, and writes that leave no trace, are stopped by: hakmem ";
    let program = ["ls".to_owned()];
    let plain = said(run(&scratch, &with_program(&[], &program)));
    assert_eq!(behind(&plain.stderr, hint), "run --guard all -- ls");
    let guarded = said(run(&scratch, &with_program(&["--guard=1/2"], &program)));
    assert!(!guarded.stderr.contains(hint), "{}", guarded.stderr);
}

/// How hakmem went from a call to the abort is no part of where the program was.
#[test]
fn calls_within_hakmem_are_left_out() {
    let scratch = Scratch::new();
    let outcome = said(run(
        &scratch,
        &with_program(&["--stacks", "table"], &case("underflow")),
    ));
    let directory = behind(&outcome.stderr, "hakmem: the trace lies in ");
    let report = on("report", &scratch.file(directory), &[]).ended(1).stdout;
    assert!(!report.contains("src/observe/"), "{report}");
    assert!(
        report.contains(" calls in hakmem)\n    drop_item ("),
        "{report}"
    );
}

#[test]
fn options_do_what_their_variables_do() {
    let scratch = Scratch::new();
    let go =
        |options: &[&str], name: &str| said(run(&scratch, &with_program(options, &case(name))));
    // The page beside the block stops the write.
    let guarded = go(&["--guard", "all", "--stacks", "table"], "late_write");
    assert_eq!(guarded.signal, Some(11), "{}", guarded.stderr);
    assert!(
        guarded.stderr.contains("hakmem: culprit: write_late ("),
        "{}",
        guarded.stderr
    );
    let checked = go(&[], "late_write");
    assert_eq!(checked.signal, Some(6), "{}", checked.stderr);
    let goes_on = go(&["--on-error", "continue"], "late_write");
    assert_eq!(goes_on.signal, None, "{}", goes_on.stderr);
    assert!(
        goes_on.stderr.contains("hakmem: found: write-after-free"),
        "{}",
        goes_on.stderr
    );
    let unchecked = go(&["--check", "off"], "late_write");
    assert!(
        unchecked.stderr.contains("hakmem: nothing was found"),
        "{}",
        unchecked.stderr
    );
    let program = compile::program("leaks.c");
    let program = [program.to_str().unwrap().to_owned(), "direct".to_owned()];
    let leaks = said(run(&scratch, &with_program(&["--leaks"], &program)));
    assert_eq!(leaks.code, Some(23), "{}", leaks.stderr);
    assert!(
        leaks.stderr.contains("hakmem: found: leak: "),
        "{}",
        leaks.stderr
    );
}

#[test]
fn the_end_is_the_programs() {
    let scratch = Scratch::new();
    for code in [0, 1, 3, 255] {
        let end = said(run(&scratch, &["--", "sh", "-c", &format!("exit {code}")]));
        assert_eq!(end.code, Some(code), "{}", end.stderr);
        assert!(
            end.stderr.contains("hakmem: nothing was found"),
            "{}",
            end.stderr
        );
    }
    for number in [6, 9, 11, 15] {
        let end = said(run(
            &scratch,
            &["--", "sh", "-c", &format!("kill -{number} $$")],
        ));
        assert_eq!(end.signal, Some(number), "{}", end.stderr);
    }
    // With --quiet there is nobody in between.
    let mut quiet = run(&scratch, &["--quiet", "--", "sh", "-c", "echo $$"]);
    let child = quiet
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, format!("{id}\n").as_bytes());
    assert_eq!(output.stderr, b"");
}

/// Starts a shell that says when it is ready.
fn start(scratch: &Scratch, script: &str) -> (Child, impl std::io::BufRead + use<>) {
    use std::io::{BufRead, BufReader};
    let mut command = run(scratch, &["--", "sh", "-c", script]);
    // A shell sets no trap for what was ignored when it began, as SIGINT is in the background of a script.
    let heed = || {
        for number in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
            // SAFETY: no handler is set.
            unsafe { signal::signal(number, SigHandler::SigDfl) }?;
        }
        Ok(())
    };
    // SAFETY: a system call alone, as is allowed between fork and exec.
    unsafe { command.pre_exec(heed) };
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, out)
}

fn send(child: &Child, number: Signal) {
    signal::kill(Pid::from_raw(child.id().try_into().unwrap()), number).unwrap();
}

#[test]
fn signals_come_to_the_program() {
    use std::io::Read;
    let scratch = Scratch::new();
    for (number, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGUSR1, "USR1"),
    ] {
        // A wait is ended by a trap; a program in the foreground would have to end first.
        let script = format!("trap 'kill $!; exit 7' {name}; sleep 600 & echo ready; wait");
        let (mut child, _out) = start(&scratch, &script);
        send(&child, number);
        assert_eq!(child.wait().unwrap().code(), Some(7), "{name}");
    }
    // Whoever kills hakmem does not leave the program behind.
    let (mut child, mut out) = start(&scratch, "echo ready; exec sleep 600");
    send(&child, Signal::SIGKILL);
    child.wait().unwrap();
    // The pipe ends when the program does.
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
}

#[test]
fn a_directory_that_was_taken_is_not_mixed_up() {
    let scratch = Scratch::new();
    let once = || {
        said(run(
            &scratch,
            &["--trace-dir", "mine", "--", "sh", "-c", ":"],
        ))
        .stderr
    };
    let first = once();
    assert_eq!(behind(&first, "the trace lies in "), "mine");
    let second = once();
    let directory = behind(&second, "the trace lies in ");
    assert!(
        directory.starts_with("mine.") && Path::new(&scratch.file(directory)).is_dir(),
        "{second}"
    );
}

#[test]
fn what_a_child_did_is_said() {
    let scratch = Scratch::new();
    let program = case("late_write").join(" ");
    let script = format!("{program}; {program} & wait; exit 0");
    let end = said(run(&scratch, &["--", "sh", "-c", &script]));
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let found = end
        .stderr
        .matches("hakmem: found: write-after-free")
        .count();
    assert_eq!(found, 2, "{}", end.stderr);
    let number = behind(&end.stderr, "hakmem: in process ");
    assert!(number.ends_with("integrity_c_optimized:"), "{}", end.stderr);
    assert!(!end.stderr.contains("nothing was found"), "{}", end.stderr);
    // An earlier run's are not this one's.
    let end = said(run(&scratch, &["--", "sh", "-c", "sh -c :; exit 0"]));
    assert!(
        end.stderr.contains("nothing was found in 2 processes"),
        "{}",
        end.stderr
    );
}
