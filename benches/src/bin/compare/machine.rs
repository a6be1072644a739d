//! [`Machine`]: what the measurements were made on.

use std::fs;

/// The facts that a figure is worth nothing without.
#[derive(Debug)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The distribution's name.
    pub system: String,
    /// The load averages at the start.
    pub load: String,
}

impl Machine {
    /// This machine; "unknown" for what it does not tell.
    pub fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            processor: value(&read("/proc/cpuinfo"), "model name", ':'),
            cpus: std::thread::available_parallelism().map_or(1, |count| count.get()),
            kernel: known(read("/proc/sys/kernel/osrelease").trim()),
            system: value(&read("/etc/os-release"), "PRETTY_NAME", '='),
            load: known(read("/proc/loadavg").trim()),
        }
    }

    /// One line for the head of the output.
    pub fn line(&self) -> String {
        format!(
            "{}, {} CPUs, Linux {}, {}",
            self.processor, self.cpus, self.kernel, self.system
        )
    }
}

/// The value of the first line `key<separator>value`, without quotes.
fn value(text: &str, key: &str, separator: char) -> String {
    let found = text
        .lines()
        .filter_map(|line| line.split_once(separator))
        .find(|(name, _)| name.trim() == key)
        .map_or("", |(_, value)| value.trim().trim_matches('"'));
    known(found)
}

fn known(text: &str) -> String {
    if text.is_empty() {
        return "unknown".to_owned();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_key() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nmodel name\t: B\n";
        assert_eq!(value(cpuinfo, "model name", ':'), "A CPU @ 2 GHz");
        let release = "NAME=\"X\"\nPRETTY_NAME=\"X 12\"\n";
        assert_eq!(value(release, "PRETTY_NAME", '='), "X 12");
        assert_eq!(value("", "PRETTY_NAME", '='), "unknown");
    }
}
