//! Programs of the system that run on for a while: the same is said of the process and of the core file
//! that it leaves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hakmem_tests::{Scratch, find, library, skip};

use super::{check_sums, whatis};
use crate::support::{Started, core_in, has_cores, on};

/// A program of the system on the release library, until it is killed with a core.
struct Server {
    child: Started,
    scratch: Scratch,
}

impl Server {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let child = Command::new("/bin/sh")
            .args([
                "-c",
                "ulimit -c unlimited; LD_PRELOAD=$LIBRARY exec \"$0\" \"$@\"",
            ])
            .arg(program)
            .args(arguments)
            .current_dir(scratch.path())
            .env("LIBRARY", library::shared())
            .env("PYTHONMALLOC", "malloc")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let child = Started(child);
        Self { child, scratch }
    }

    /// Ends it with a core file.
    fn abort(&mut self) {
        let pid = self.child.0.id().to_string();
        let _ = Command::new("kill").args(["-ABRT", &pid]).status();
        let _ = self.child.0.wait();
    }
}

/// Of a process that holds still and of the core file that it leaves: sums, checks, and the state of
/// a thousand addresses, which are the same in both.
fn check_process_and_core(server: &mut Server) {
    let pid = server.child.source();
    let process = Path::new(&pid);
    check_sums(process);
    on("verify", process, &[]).ended(0);
    let blocks = on("live", process, &["--blocks"]).ended(0).stdout;
    let live: Vec<u64> = blocks
        .lines()
        .map(|line| u64::from_str_radix(&line[2..line.find(' ').unwrap()], 16).unwrap())
        .collect();
    // A thousand addresses all over the heap, in blocks and between, by a fixed rule.
    let (low, high) = (live[0], live[live.len() - 1]);
    let mut state = 42_u64;
    let addresses: Vec<u64> = (0..1000)
        .map(|_| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            low + (state >> 16) % (high - low)
        })
        .collect();
    let before = whatis(&pid, &addresses);
    server.abort();
    let core = core_in(server.scratch.path()).expect("a core file");
    let after = whatis(core.to_str().unwrap(), &addresses);
    let differing = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    // Its signal handlers and timers may have used a few blocks more.
    assert!(differing <= 2, "{differing} of 1000 differ");
    let words: BTreeSet<&str> = after.iter().map(|(word, ..)| word.as_str()).collect();
    assert!(words.contains("live"), "{words:?}");
    check_sums(&core);
    let text = on("verify", &core, &[]).ended(0).stdout;
    assert!(text.contains(" links,") && text.contains("clean"), "{text}");
}

#[test]
fn redis_with_many_keys() {
    let (Some(redis), Some(client)) = (find("redis-server"), find("redis-cli")) else {
        return;
    };
    if !has_cores() {
        return;
    }
    let socket = "redis.sock";
    // A crash handler of its own would run for seconds, and use the heap; so would tables that grow on
    // when nobody asks for anything.
    let arguments = [
        "--port",
        "0",
        "--unixsocket",
        socket,
        "--save",
        "",
        "--crash-log-enabled",
        "no",
        "--activerehashing",
        "no",
    ];
    let mut server = Server::start(&redis, &arguments);
    let path = server.scratch.file(socket);
    server.child.until(|_| path.exists());
    let fill = "for i = 1, 1000000 do redis.call('SET', 'key:' .. i, string.rep('x', i % 100)) end \
                return redis.call('DBSIZE')";
    let filled = Command::new(client)
        .arg("-s")
        .arg(&path)
        .args(["EVAL", fill, "0"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&filled.stdout).trim(), "1000000");
    check_process_and_core(&mut server);
}

#[test]
fn python() {
    let Some(python) = find("python3") else {
        return;
    };
    if !has_cores() {
        return;
    }
    let script = "
import threading, time
keep = [{'n': i, 's': 'x' * (i % 700)} for i in range(100000)]
del keep[::3]
open('ready', 'w').close()
time.sleep(1000)
";
    let mut server = Server::start(&python, &["-c", script]);
    let ready = server.scratch.file("ready");
    server
        .child
        .until(|process| ready.exists() && process.sleeps());
    // A wrapper of the distribution's may have started the interpreter as another process.
    let exe = fs::read_link(format!("/proc/{}/exe", server.child.0.id())).unwrap();
    if !exe.to_string_lossy().contains("python") {
        skip("python3 is a script here");
        return;
    }
    check_process_and_core(&mut server);
}
