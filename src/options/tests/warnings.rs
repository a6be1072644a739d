//! What is said of values that are not right.

use std::string::String;

use super::{numbers, read, refused};

#[test]
fn warnings_read_as_promised() {
    let line = |name, value| refused(name, value).1;
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"2048"),
        "hakmem: HAKMEM_TINY_TLS_CAP=2048 is outside its range (16-1024); using 1024\n"
    );
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"0"),
        "hakmem: HAKMEM_TINY_TLS_CAP=0 is outside its range (16-1024); using 16\n"
    );
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"abc"),
        "hakmem: HAKMEM_TINY_TLS_CAP=abc is not a number; using the default 64\n"
    );
    assert_eq!(
        line("HAKMEM_TINY_TLS_CAP", b"4294967296"),
        "hakmem: HAKMEM_TINY_TLS_CAP=4294967296 is too large a number; using the default 64\n"
    );
    assert_eq!(
        line("HAKMEM_SUPERSLAB_TTL_SEC", b"soon"),
        "hakmem: HAKMEM_SUPERSLAB_TTL_SEC=soon is not a number; using the default, no limit\n"
    );
    assert_eq!(
        line("HAKMEM_WRAP_MID", b"yes"),
        "hakmem: HAKMEM_WRAP_MID=yes is not 0 or 1; using the default 1\n"
    );
    assert_eq!(
        line("HAKMEM_STATS", b"yes"),
        "hakmem: HAKMEM_STATS=yes is not 0, 1 or a list of areas; using its areas alone\n"
    );
}

#[test]
fn values_are_shortened_and_escaped_in_warnings() {
    let shown = |value: &[u8]| {
        let line = refused("HAKMEM_TINY_TLS_CAP", value).1;
        let start = line.find('=').expect("a sign") + 1;
        let end = line.find(" is not a number").expect("a verdict");
        String::from(&line[start..end])
    };
    assert_eq!(shown(b""), "");
    assert_eq!(shown(&[b'x'; 32]), "x".repeat(32));
    assert_eq!(shown(&[b'x'; 33]), "x".repeat(29) + "...");
    assert_eq!(shown(&[b'x'; 5000]), "x".repeat(29) + "...");
    assert_eq!(shown(b"a\x1b[2J\n\\"), r"a\x1b[2J\x0a\\");
    assert_eq!(shown(&[0xff; 8]), r"\xff".repeat(8));
    assert_eq!(shown(&[0xff; 9]), r"\xff".repeat(7) + "...");
}

#[test]
fn the_longest_warning_has_less_than_160_bytes() {
    for row in numbers() {
        let mut digits = [b'9'; 40];
        assert!(refused(row.name, &digits).1.len() < 160);
        digits[..30].fill(b'0');
        let (_, warnings) = read(&[&[row.name.as_bytes(), b"=", &digits].concat()]);
        assert!(warnings.iter().all(|warning| warning.len() < 160));
    }
}
