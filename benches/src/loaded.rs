//! Which shared objects this process has mapped: the proof of a preload.
//!
//! The dynamic loader only warns when it cannot load a preload, and goes on with
//! glibc's malloc. So the programs say what is mapped when the variable [`ASK`] is set,
//! after their timed part.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The variable that asks the programs for a `loaded=` line. It does not begin with
/// `HAKMEM_`: those are removed before a measurement.
pub const ASK: &str = "BENCH_SHOW_LOADED";

/// The shared objects in the text of a `/proc/PID/maps`.
pub fn shared_objects(maps: &str) -> BTreeSet<PathBuf> {
    maps.lines()
        .filter_map(|line| line.find('/').map(|start| &line[start..]))
        .filter(|path| is_shared_object(path))
        .map(PathBuf::from)
        .collect()
}

fn is_shared_object(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with(".so") || name.contains(".so.")
}

/// The shared objects of this process, joined by colons.
pub fn of_this_process() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let paths: Vec<String> = shared_objects(&maps)
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_objects_and_each_once() {
        let maps = "\
5500-5600 r-xp 00000000 08:01 123 /usr/bin/true
7f00-7f01 r--p 00000000 08:01 456 /usr/lib/libc.so.6
7f01-7f02 r-xp 00001000 08:01 456 /usr/lib/libc.so.6
7f02-7f03 r-xp 00001000 08:01 789 /a dir/libx.so (deleted)
7f03-7f04 r-xp 00001000 08:01 789 /a dir/liby.so
7ffc-7ffd rw-p 00000000 00:00 0 [stack]
";
        let found = shared_objects(maps);
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                PathBuf::from("/a dir/liby.so"),
                PathBuf::from("/usr/lib/libc.so.6")
            ]
        );
    }
}
