//! From ticks of the session's clock to nanoseconds.

use crate::session::{ClockKind, SessionHeader};

/// A later calibration point counts if it is so many ticks after the start, so that what reading
/// two clocks one after the other costs does not matter.
const APART: u64 = 10_000_000;

/// The clock of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    start_ticks: u64,
    start_realtime: u64,
    /// So many ns are so many ticks.
    ns: u64,
    ticks: u64,
    calibrated: bool,
}

impl Clock {
    pub(super) fn of(header: &SessionHeader) -> Self {
        let rate = rate(header);
        let (ns, ticks) = rate.unwrap_or((1, 1));
        Self {
            start_ticks: header.start_ticks,
            start_realtime: header.start_realtime,
            ns,
            ticks,
            calibrated: rate.is_some(),
        }
    }

    /// Whether the trace says how long a tick is. If not, one is taken for a nanosecond.
    pub fn is_calibrated(&self) -> bool {
        self.calibrated
    }

    /// Nanoseconds from the session's start to this time; negative before it. What is too far
    /// away for the type is its lowest or highest value.
    pub fn since_start(&self, ticks: u64) -> i64 {
        let distance = ticks as i128 - self.start_ticks as i128;
        let ns = match distance.checked_mul(self.ns as i128) {
            Some(product) => product / self.ticks as i128,
            None if distance < 0 => i128::MIN,
            None => i128::MAX,
        };
        ns.clamp(i64::MIN as i128, i64::MAX as i128) as i64
    }

    /// Nanoseconds since 1970 by the system's clock, if nobody has set it meanwhile.
    pub fn realtime(&self, ticks: u64) -> i128 {
        self.start_realtime as i128 + self.since_start(ticks) as i128
    }

    /// The ticks that it shows so many nanoseconds after the start.
    pub fn ticks_at(&self, ns: i64) -> u64 {
        let distance = ns as i128 * self.ticks as i128 / self.ns as i128;
        let ticks = self.start_ticks as i128 + distance;
        ticks.clamp(0, u64::MAX as i128) as u64
    }
}

/// So many ns are so many ticks; neither is 0.
fn rate(header: &SessionHeader) -> Option<(u64, u64)> {
    if ClockKind::from_code(header.clock) == Some(ClockKind::Monotonic) {
        return Some((1, 1));
    }
    let later = header.later_points.iter().filter_map(|[ticks, monotonic]| {
        let ticks = ticks.checked_sub(header.start_ticks)?;
        let ns = monotonic.checked_sub(header.start_monotonic)?;
        (ticks >= APART && ns > 0).then_some((ns, ticks))
    });
    let longest = later.max_by_key(|(_, ticks)| *ticks);
    let said = (header.ticks_per_second != 0).then_some((1_000_000_000, header.ticks_per_second));
    longest.or(said)
}
