//! [`Usage`]: what this process has used so far, by the kernel's account.

use std::mem::MaybeUninit;

/// CPU time and peak memory of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds in user mode, all threads.
    pub user: f64,
    /// Seconds in the kernel, all threads.
    pub sys: f64,
    /// The largest resident set so far, in KiB.
    pub peak_rss_kib: u64,
}

impl Usage {
    /// The process's usage until now, by getrusage.
    ///
    /// The peak is getrusage's, which starts with the resident set that the process
    /// had before it called exec; a parent that forks keeps that below any program's.
    pub fn of_this_process() -> Self {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer is to a whole rusage; RUSAGE_SELF is always valid.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        // SAFETY: all bytes were zero at least, which is a valid rusage.
        Self::from(&unsafe { usage.assume_init() })
    }

    /// User and kernel seconds together.
    pub fn cpu(&self) -> f64 {
        self.user + self.sys
    }
}

impl From<&libc::rusage> for Usage {
    fn from(usage: &libc::rusage) -> Self {
        Self {
            user: seconds(usage.ru_utime),
            sys: seconds(usage.ru_stime),
            peak_rss_kib: usage.ru_maxrss as u64,
        }
    }
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rusage_is_converted_by_its_units() {
        // SAFETY: zeroes are a valid rusage.
        let mut raw: libc::rusage = unsafe { MaybeUninit::zeroed().assume_init() };
        raw.ru_utime = libc::timeval {
            tv_sec: 1,
            tv_usec: 500_000,
        };
        raw.ru_stime = libc::timeval {
            tv_sec: 0,
            tv_usec: 250_000,
        };
        raw.ru_maxrss = 1024;
        let usage = Usage::from(&raw);
        assert_eq!(usage.cpu(), 1.75);
        assert_eq!(usage.peak_rss_kib, 1024);
    }

    #[test]
    fn a_running_process_has_memory() {
        assert!(Usage::of_this_process().peak_rss_kib > 0);
    }
}
