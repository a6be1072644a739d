//! What a program sees of the streams, with subscribers and recorders that could do harm: they
//! allocate, lock, drain, panic, fork.
//!
//! Events are the whole process's, so each test has a process of its own, and looks at blocks of
//! a size that nothing else in it has.

/// The rest of the test runs in a process of its own.
macro_rules! alone {
    ($test:ident) => {
        if !crate::is_alone(concat!(module_path!(), "::", stringify!($test))) {
            return;
        }
    };
}

mod drains;
mod forks;
mod numbers;
mod recorder;
mod signals;
mod subscriber;
mod threads;

use hakmem_alloc::Hakmem;
use hakmem_alloc::pump::Pump;
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use subscriber::events;

#[global_allocator]
static HAKMEM: Hakmem = Hakmem;

/// The size that the tests ask for, and that of the class that serves it.
const BYTES: usize = 20_000;
const CLASS: &str = "20480";

/// Set when dropped, so that threads that look at it end also when a test fails.
#[derive(Default)]
struct Done(AtomicBool);

impl Done {
    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Says so when dropped.
struct Says<'a>(&'a Done);

impl Drop for Says<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Events that a stream holds.
const RECORDS: usize = 8192;

/// Runs a test, by its path from this crate on, in a process of its own; says whether this is that
/// process.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "HAKMEM_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let (_, test) = test.split_once("::").expect("a module of this crate");
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .expect("it runs once more");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{text}");
    print!("{errors}");
    false
}

fn block() -> Vec<u8> {
    black_box(Vec::with_capacity(BYTES))
}

/// A pump that wants every event, with nothing left in its streams.
fn pump() -> Pump {
    let pump = Pump::new();
    events(&pump);
    pump
}
