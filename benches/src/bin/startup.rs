//! Start-up: starts `true` over and over, with this program's own preload.
//!
//! What an allocator does before main and at exit is all that differs. An operation is
//! one process. The peak memory is this program's own.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::report::{Outcome, Report};
use std::process::{Command, Stdio};

const PROGRAM: Program = Program {
    name: "startup",
    about: "Starts the program 'true' over and over.",
    parameters: &[Parameter::new("runs", "processes started", 500, 1, 1 << 32)],
};

fn main() {
    Report::run(&PROGRAM, |[runs]| startup(runs));
}

fn startup(runs: u64) -> Outcome {
    let mut outcome = Outcome {
        operations: runs,
        ..Outcome::default()
    };
    for _ in 0..runs {
        let mut command = Command::new("true");
        let status = command.stdin(Stdio::null()).status();
        outcome.checksum += u64::from(status.is_ok_and(|status| status.success()));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_succeeds() {
        assert_eq!(startup(3).checksum, 3);
    }
}
