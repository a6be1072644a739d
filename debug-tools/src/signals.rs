//! Signals by name, and why they came.

/// The name of a signal.
pub fn name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.into()
}

/// The signal with its reason, and the address for those that have one.
pub fn describe(signal: i32, code: i32, address: Option<u64>) -> String {
    let why = match (signal, code) {
        (11, 1) => "nothing is mapped there",
        (11, 2) => "no such access is allowed there",
        (11, 128) => "no address of a program",
        (7, 1) => "misaligned",
        (7, 2) => "no memory or file behind it",
        (8, 1) => "integer division by zero",
        (_, -6) => "by itself",
        (_, 0) => "by kill",
        _ => "",
    };
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(" ({why})")
    };
    match (signal, address) {
        (4 | 5 | 7 | 8 | 11, Some(address)) => format!("{} at {address:#x}{why}", name(signal)),
        _ => format!("{}{why}", name(signal)),
    }
}
