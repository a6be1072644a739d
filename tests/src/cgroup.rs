//! A memory cgroup, where the system lets one make it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use crate::skip;

/// A group whose members may hold so much memory together, and no swap beyond.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes the group; without one, says that the test is skipped.
    pub fn with_memory(bytes: u64) -> Option<Self> {
        let made = Self::version_1(bytes).or_else(|_| Self::version_2(bytes));
        made.inspect_err(|e| skip(&format!("no memory cgroup can be made: {e}")))
            .ok()
    }

    fn version_1(bytes: u64) -> io::Result<Self> {
        let group = Self::make(Path::new("/sys/fs/cgroup/memory"))?;
        group.set("memory.limit_in_bytes", bytes)?;
        // Absent where the kernel does not count swap.
        let _ = group.set("memory.memsw.limit_in_bytes", bytes);
        Ok(group)
    }

    fn version_2(bytes: u64) -> io::Result<Self> {
        let group = Self::make(Path::new("/sys/fs/cgroup"))?;
        group.set("memory.max", bytes)?;
        let _ = group.set("memory.swap.max", 0);
        Ok(group)
    }

    fn make(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!("hakmem-tests-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn set(&self, name: &str, value: u64) -> io::Result<()> {
        fs::write(self.0.join(name), value.to_string())
    }

    /// The shell command by which a process joins.
    pub fn join(&self) -> String {
        format!("echo $$ > '{}/cgroup.procs'", self.0.display())
    }
}

impl Drop for Cgroup {
    /// The last member may still be on its way out.
    fn drop(&mut self) {
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("left behind: {}", self.0.display());
    }
}
