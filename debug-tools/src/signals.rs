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
    match address.filter(|_| has_address(signal, code)) {
        Some(address) => format!("{} at {address:#x}{why}", name(signal)),
        None => format!("{}{why}", name(signal)),
    }
}

/// Whether the program has done it itself, by an instruction of its.
pub fn is_fault(signal: i32, code: i32) -> bool {
    // Those that somebody sends have other codes, and the sender in the address's place.
    matches!(signal, 4 | 5 | 7 | 8 | 11) && code > 0
}

/// Whether a signal says an address: where an address is none of a program, the kernel does not.
pub fn has_address(signal: i32, code: i32) -> bool {
    is_fault(signal, code) && (signal, code) != (11, 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_said_where_the_kernel_says_one() {
        let said = |signal, code| describe(signal, code, Some(0x23b7));
        assert_eq!(said(11, 1), "SIGSEGV at 0x23b7 (nothing is mapped there)");
        assert_eq!(said(11, 128), "SIGSEGV (no address of a program)");
        assert_eq!(said(11, 0), "SIGSEGV (by kill)");
        assert_eq!(said(7, -6), "SIGBUS (by itself)");
        assert_eq!(said(6, -6), "SIGABRT (by itself)");
        assert!(is_fault(11, 128) && !is_fault(11, 0) && !is_fault(6, -6));
    }
}
