//! Sources that are cut short at many places: what is there is shown, what is missing is said, and
//! nothing panics or hangs.

use std::fs::{self, OpenOptions};
use std::path::Path;

use hakmem_tests::compile;

use crate::support::{leave_core, on};
use crate::traces::recorded;

/// Commands that read all of a source.
const OF_IMAGES: [&str; 7] = ["info", "verify", "stats", "live", "leaks", "sll", "threads"];

#[test]
fn a_core_that_is_cut_short_is_used_as_far_as_it_goes() {
    let Some(left) = leave_core(&compile::program("lists.c"), &[], None) else {
        return;
    };
    let whole = fs::metadata(&left.core).unwrap().len();
    let file = OpenOptions::new().write(true).open(&left.core).unwrap();
    let copy = left.scratch.file("whole");
    fs::copy(&left.core, &copy).unwrap();
    let mut used = 0;
    // Mostly at its end, where a full disk cuts; and through all of its headers.
    let places = [99, 95, 90, 80, 60, 40, 20, 10, 5, 2].map(|share| whole * share / 100);
    for length in places
        .into_iter()
        .chain([20_000, 4096, 3000, 1000, 120, 64, 63, 20, 5, 0])
    {
        fs::copy(&copy, &left.core).unwrap();
        file.set_len(length).unwrap();
        for command in OF_IMAGES {
            let answer = on(command, &left.core, &[]);
            // There is too little, or it is said that something is missing.
            assert!(
                answer.status == 3 || answer.status == 2,
                "{command} of {length} bytes: {}\n{}{}",
                answer.status,
                answer.stdout,
                answer.stderr
            );
            let said = answer.stderr.contains("cut short") || answer.stderr.contains("are there");
            assert!(
                answer.status == 2 || said,
                "{command} of {length}: {}",
                answer.stderr
            );
            used += u32::from(answer.status == 3 && !answer.stdout.is_empty());
        }
    }
    assert!(used >= 20, "{used} answers");
}

#[test]
fn a_trace_that_is_cut_short_is_used_as_far_as_it_goes() {
    let recorded = recorded("c");
    let directory = recorded.directory();
    let mut used = 0;
    for name in fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
    {
        let path = directory.join(&name);
        let bytes = fs::read(&path).unwrap();
        for length in [0, 1, 31, 63, 100, 4095, 4096, 4100, 5000, bytes.len() / 2] {
            let cut = length.min(bytes.len());
            fs::write(&path, &bytes[..cut]).unwrap();
            for command in ["info", "report", "events", "live", "threads", "stats"] {
                let answer = on(command, &directory, &["--symbols=off"]);
                // A list of files that ends early is a shorter list.
                let is_list = name == "modules" && cut >= 4096;
                let fits = cut == bytes.len() || is_list || matches!(answer.status, 2 | 3);
                assert!(
                    fits,
                    "{command} with {cut} bytes of {}: {}",
                    name.display(),
                    answer.status
                );
                used += u32::from(answer.status == 3 && !answer.stdout.is_empty());
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(used >= 50, "{used} answers");
}

#[test]
fn what_is_no_source_is_told() {
    for (source, why) in [
        ("/nonexistent", "No such file"),
        ("/dev/null", "neither a directory nor a regular file"),
        ("/etc/passwd", "it is not an ELF file"),
        ("/", "session"),
        ("pid:0", "there is no process 0"),
        ("pid:x", "is no process id"),
    ] {
        let answer = on("info", Path::new(source), &[]).ended(2);
        assert!(answer.stderr.contains(why), "{source}: {}", answer.stderr);
        for part in ["hakmem: error: ", "\n  why:   ", "\n  next:  "] {
            assert!(answer.stderr.contains(part), "{source}: {}", answer.stderr);
        }
    }
}
