//! The processor's time stamp counter, where it is a clock.

use super::file;
use core::arch::x86_64::{__cpuid, _rdtsc};

/// The counter: of every processor the same, at one rate, if [`is_clock`].
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: every x86-64 has the instruction, and Linux lets programs use it.
    unsafe { _rdtsc() }
}

/// Whether the counter runs at one rate whatever the processor does (CPUID), and the kernel,
/// which compares the processors' counters, keeps its own time by it.
pub(crate) fn is_clock() -> bool {
    const ADVANCED_POWER: u32 = 0x8000_0007;
    const INVARIANT: u32 = 1 << 8;
    let has = __cpuid(0x8000_0000).eax >= ADVANCED_POWER;
    if !has || __cpuid(ADVANCED_POWER).edx & INVARIANT == 0 {
        return false;
    }
    let mut name = [0; 16];
    let path = c"/sys/devices/system/clocksource/clocksource0/current_clocksource";
    file::read(path, &mut name).is_some_and(|length| name[..length].trim_ascii() == b"tsc")
}
