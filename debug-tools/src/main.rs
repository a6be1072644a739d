//! The `hakmem` command; `lib.rs` is the rest of it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hakmem_debug_tools::main()
}
