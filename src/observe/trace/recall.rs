//! The newest events of one block, for a report: read out of the rings while they are written.

use super::local::Local;
use super::session::Session;
use super::text::Text;
use hakmem_trace_format::Record;

/// Events that are told.
const MOST: usize = 8;
/// Records of each ring that are looked at, the newest.
const LOOKED_AT: u64 = 1 << 16;

/// The newest events that were found so far, the oldest first.
struct Newest {
    records: [Option<Record>; MOST],
}

impl Newest {
    /// Keeps a record, if it is one of the newest.
    fn keep(&mut self, record: Record) {
        let time = |kept: &Option<Record>| kept.as_ref().map_or(0, Record::time);
        if time(&self.records[0]) > record.time() {
            return;
        }
        let behind = self
            .records
            .iter()
            .position(|kept| time(kept) > record.time());
        let at = behind.unwrap_or(MOST) - 1;
        self.records[..=at].rotate_left(1);
        self.records[at] = Some(record);
    }
}

/// As [`recall`](crate::observe::Observer::recall).
pub(super) fn newest(session: &Session, address: usize, tell: &mut dyn FnMut(&[u8], usize)) {
    let mut newest = Newest {
        records: [None; MOST],
    };
    let mut look = |record: Record| {
        if record.address() == address as u64 && record.is_whole() {
            newest.keep(record);
        }
    };
    for local in Local::all() {
        let writer = local.writer();
        if writer.has_ring() {
            let end = writer.next_seq() - 1;
            let first = end.saturating_sub(writer.slots().min(LOOKED_AT));
            (first..end).for_each(|number| look(writer.get(number)));
        }
    }
    let end = session.apart.next_seq() - 1;
    let first = end.saturating_sub(session.apart.slots());
    (first..end).for_each(|number| look(session.apart.get(number)));
    for record in newest.records.iter().flatten() {
        tell(Text::of_block(record).bytes(), record.caller() as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hakmem_trace_format::{Api, Kind};

    #[test]
    fn the_newest_stay_in_order() {
        let mut newest = Newest {
            records: [None; MOST],
        };
        for time in [5u64, 3, 9, 1, 7, 2, 8, 4, 6, 11, 10] {
            newest.keep(Record::new(Kind::Free, Api::Free, time, 0x1000));
        }
        let times = newest.records.map(|record| record.map_or(0, |r| r.time()));
        assert_eq!(times, [4, 5, 6, 7, 8, 9, 10, 11]);
    }
}
