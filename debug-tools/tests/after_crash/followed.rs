//! `events --follow`: events are printed as they are recorded, each once, until the process ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use hakmem_tests::{Scratch, compile, library};
use serde_json::Value;

use crate::support::{HAKMEM, Started};

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(120);

/// `steps.c`, recorded in a mode.
struct Steps {
    child: Started,
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    scratch: Scratch,
}

impl Steps {
    fn start(mode: &str) -> Self {
        let scratch = Scratch::new();
        let mut child = Command::new(compile::program("steps.c"))
            .env("LD_PRELOAD", library::observed())
            .env("HAKMEM_TRACE_DIR", scratch.file("trace"))
            .env("HAKMEM_TRACE_MODE", mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take();
        let replies = BufReader::new(child.stdout.take().unwrap());
        Self {
            child: Started(child),
            orders,
            replies,
            scratch,
        }
    }

    /// Has it do a step, and waits until that is done.
    fn step(&mut self, letter: u8) {
        self.orders.as_mut().unwrap().write_all(&[letter]).unwrap();
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n");
    }
}

/// `hakmem events --follow` on what the program asks for.
struct Follower {
    child: Started,
    lines: Receiver<String>,
}

impl Follower {
    fn of(steps: &Steps) -> Self {
        let mut child = Command::new(HAKMEM)
            .args(["events", "--follow", "--json", "--kind", "allocate"])
            .args(["--size", "4321"])
            .arg(steps.scratch.file("trace"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.map(|line| send.send(line)).all(|sent| sent.is_ok())
        });
        let child = Started(child);
        Self { child, lines }
    }

    /// The next event.
    #[track_caller]
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(LONG).expect("an event");
        serde_json::from_str(&line).unwrap()
    }

    /// It ends by itself, with status 0, and has printed nothing more.
    #[track_caller]
    fn ends(mut self) {
        let rest: Vec<String> = self.lines.iter().collect();
        let mut said = String::new();
        let mut stderr = self.child.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(self.child.0.wait().unwrap().code(), Some(0), "{said}");
        assert_eq!(rest, [""; 0], "{said}");
    }
}

fn follow(mode: &str) {
    let mut steps = Steps::start(mode);
    steps.step(b'a');
    let follower = Follower::of(&steps);
    let mut events = vec![follower.next()];
    for letter in *b"aataat" {
        steps.step(letter);
        events.push(follower.next());
    }
    drop(steps.orders.take());
    assert!(steps.child.0.wait().unwrap().success());
    follower.ends();
    // Each is another one, they are in order, and the threads' own files were found.
    let distinct = |key: &str| -> BTreeSet<String> {
        let values = events.iter().map(|event| event[key].to_string());
        values.collect()
    };
    assert_eq!(distinct("address").len(), 7, "{events:?}");
    assert_eq!(distinct("thread").len(), 3, "{events:?}");
    let ordered = |key: &str| events.iter().map(|event| event[key].as_u64()).is_sorted();
    assert!(ordered("time_ns") && ordered("number"), "{events:?}");
}

#[test]
fn a_ring_is_followed_to_its_end() {
    follow("ring");
}

#[test]
fn a_full_trace_is_followed_to_its_end() {
    follow("full");
}

#[test]
fn a_program_that_is_killed_ends_it() {
    let mut steps = Steps::start("ring");
    steps.step(b'a');
    let follower = Follower::of(&steps);
    follower.next();
    steps.child.0.kill().unwrap();
    steps.child.0.wait().unwrap();
    follower.ends();
}
