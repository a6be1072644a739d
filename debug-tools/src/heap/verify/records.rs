//! What checked builds keep: that it agrees with the slabs, and that the pattern stands where the program
//! has no business.

use super::Checked;
use crate::heap::{Bits, Damage, Doing, Guard, Heap, Record, Slab, State};

impl Heap<'_> {
    pub(super) fn verify_records(&self, checked: &mut Checked) {
        let Some(records) = &self.records else {
            return;
        };
        let inside = self.is_any_inside();
        // Guarded ones have records whatever is checked else.
        self.verify_guarded(inside, checked);
        if records.level == 0 {
            return;
        }
        for slab in &self.slabs {
            self.verify_records_of(slab, records.pattern, inside, checked);
        }
        self.verify_quarantines(inside, checked);
    }

    fn verify_records_of(&self, slab: &Slab, pattern: u8, inside: bool, checked: &mut Checked) {
        let bits = self.bits(slab);
        let memory = if slab.is_large() {
            None
        } else {
            let bytes = slab.bytes * u64::from(slab.blocks);
            self.memory().bytes(slab.start, bytes as usize)
        };
        let kept_back = bits.records[..usize::from(slab.first).min(bits.records.len())].iter();
        for record in kept_back.filter(|record| record.doing == Doing::Overwritten) {
            checked.found("canary", record.address, overwritten(slab, 0));
        }
        for index in slab.indices() {
            let Some(record) = bits.records.get(index) else {
                break;
            };
            checked.records += 1;
            let state = self.state(slab, index, &bits);
            let block = slab.block(index);
            if record.doing == Doing::Overwritten {
                checked.found("canary", record.address, overwritten(slab, index));
                continue;
            }
            if let Some(what) = self.disagreement(slab, index, state, record) {
                let is_moving = inside || self.is_any_busy();
                checked.found_unless(is_moving, "record.state", block, what);
                continue;
            }
            // Of one that is on its way somebody may be writing.
            let is_moving = inside && state == State::Live && record.doing != Doing::Live;
            for guard in self.guards(slab, index, record) {
                let damage = match &memory {
                    Some(memory) => damage_in(pattern, slab.start, memory, &guard),
                    None => self.damage(&guard),
                };
                count(checked, record, &guard);
                if let Some(damage) = damage
                    && !self.is_told_below(&bits, slab, index, &guard)
                {
                    let (check, what) = told(slab, index, record, &guard, &damage);
                    checked.found_unless(is_moving, check, damage.first, what);
                }
            }
        }
    }

    /// Why a block's record and its place do not fit; None if they do.
    pub fn disagreement(
        &self,
        slab: &Slab,
        index: usize,
        state: State,
        record: &Record,
    ) -> Option<String> {
        let name = format!(
            "block {index} of the slab at {:#x}, of {} bytes,",
            slab.start, slab.bytes
        );
        let is_out = matches!(state, State::Live | State::Quarantined);
        let said = match record.doing {
            Doing::Unknown(_) => "and its record",
            Doing::Live | Doing::Quarantined if !is_out => "and its record",
            Doing::Filled | Doing::Freed | Doing::Untouched if is_out => "and its record",
            Doing::Live if record.size > slab.bytes => {
                return Some(format!(
                    "{name} is live, and its record says that {} bytes were asked for",
                    record.size
                ));
            }
            _ => return None,
        };
        let place = match state {
            State::Live | State::Quarantined => "is in no front, list, buffer or bitmap".into(),
            state => format!("is free ({})", state.part()),
        };
        Some(format!(
            "{name} {place}, {said} says {}",
            record.doing.words()
        ))
    }

    /// Whether what is in front of a block is told of the block below, whose end it is.
    fn is_told_below(&self, bits: &Bits, slab: &Slab, index: usize, guard: &Guard) -> bool {
        let below = index
            .checked_sub(1)
            .and_then(|below| bits.records.get(below));
        let is_filled = |record: &Record| {
            matches!(
                record.doing,
                Doing::Live | Doing::Quarantined | Doing::Filled | Doing::Untouched
            )
        };
        guard.start < slab.block(index)
            && index > usize::from(slab.first)
            && below.is_some_and(is_filled)
    }

    /// Records and quarantines name the same blocks.
    fn verify_quarantines(&self, inside: bool, checked: &mut Checked) {
        let Some(records) = &self.records else { return };
        let mut seen = 0;
        for slab in self.slabs.iter().filter(|slab| !slab.is_large()) {
            let bits = self.bits(slab);
            for (index, record) in bits.records.iter().enumerate() {
                let block = slab.block(index);
                let queued = records.queued.get(&block);
                seen += u64::from(queued.is_some());
                let what = match (record.doing == Doing::Quarantined, queued) {
                    (true, None) => {
                        "is quarantined by its record, and in no thread's quarantine".into()
                    }
                    (false, Some(queued)) => format!(
                        "is in the quarantine of thread {}, and its record says {}",
                        queued.thread,
                        record.doing.words()
                    ),
                    (true, Some(queued)) if queued.record != record.address => format!(
                        "has its record at {:#x}, and is in the quarantine of thread {} with one at {:#x}",
                        record.address, queued.thread, queued.record
                    ),
                    _ => continue,
                };
                let what = format!("block {index} of the slab at {:#x} {what}", slab.start);
                checked.found_unless(inside, "quarantine", block, what);
            }
        }
        let all = records.queued.len() as u64;
        if seen < all {
            let mut strays = records.queued.iter();
            let stray = strays.find(|(block, _)| {
                let slab = self.slab_at(**block).map(|slab| &self.slabs[slab]);
                !slab.is_some_and(|slab| matches!(slab.index_of(**block), Some((_, 0))))
            });
            if let Some((block, queued)) = stray {
                let what = format!(
                    "the quarantine of thread {} has {block:#x}, which is no block",
                    queued.thread
                );
                checked.found_unless(inside, "quarantine", *block, what);
            }
        }
    }

    fn verify_guarded(&self, inside: bool, checked: &mut Checked) {
        for block in &self.guarded {
            checked.guarded += 1;
            let record = &block.record;
            let name = format!(
                "the guarded block at {:#x}, of {} bytes,",
                block.start, record.size
            );
            let is_freed = matches!(record.doing, Doing::Freed | Doing::Filled);
            let fits = match record.doing {
                Doing::Live => !block.is_closed,
                _ => is_freed,
            };
            if !fits {
                let phase = if block.is_closed { "gone" } else { "there" };
                let what = format!(
                    "{name} has its pages {phase}, and its record says {}",
                    record.doing.words()
                );
                checked.found_unless(inside, "record.state", block.start, what);
                continue;
            }
            if !block.is_live() {
                continue;
            }
            if block.start.saturating_add(record.size) > block.open.1 {
                let what = format!("{name} reaches behind its pages, to {:#x}", block.open.1);
                checked.found_unless(inside, "record.state", block.start, what);
                continue;
            }
            for guard in block.guards() {
                count(checked, record, &guard);
                if let Some(damage) = self.damage(&guard) {
                    let what = format!("{} {name} {}", guard.part, evidence(&guard, &damage));
                    checked.found("canary", damage.first, what);
                }
            }
        }
    }
}

/// What is wrong with a place whose word was overwritten.
fn overwritten(slab: &Slab, index: usize) -> String {
    format!(
        "behind block {index} of the slab at {:#x}, of {} bytes, and in front of block {}: the word that says \
         what the block is was overwritten",
        slab.start,
        slab.bytes,
        index + 1
    )
}

/// Damage of a guard in the memory of a slab, which begins at an address.
fn damage_in(pattern: u8, start: u64, memory: &[u8], guard: &Guard) -> Option<Damage> {
    let from = guard.start.checked_sub(start)? as usize;
    let bytes = memory.get(from..from.checked_add(guard.len as usize)?)?;
    Damage::of(pattern, guard.start, bytes)
}

fn count(checked: &mut Checked, record: &Record, guard: &Guard) {
    match record.doing {
        Doing::Live => checked.canaries += u64::from(guard.len > 0),
        Doing::Quarantined => checked.quarantined += 1,
        _ => checked.filled += u64::from(guard.len > 0),
    }
}

/// The name of the check, and the evidence.
fn told(
    slab: &Slab,
    index: usize,
    record: &Record,
    guard: &Guard,
    damage: &Damage,
) -> (&'static str, String) {
    let block = slab.block(index);
    let evidence = evidence(guard, damage);
    match record.doing {
        Doing::Live => {
            let what = format!(
                "{} the block {block:#x}, of which thread {} asked for {} bytes, {evidence}",
                guard.part, record.allocated.thread, record.size
            );
            ("canary", what)
        }
        Doing::Untouched => {
            let what = format!(
                "the block {block:#x}, never handed out, {evidence}: somebody wrote far past the end of another one"
            );
            ("fill", what)
        }
        doing => {
            let what = format!(
                "the block {block:#x}, {} by thread {}, {evidence}: it was written to after it was freed",
                doing.words(),
                record.freed.thread
            );
            ("fill", what)
        }
    }
}

/// Which bytes of a guard are not the pattern.
pub fn evidence(guard: &Guard, damage: &Damage) -> String {
    let count = damage.last - damage.first + 1;
    let from = damage.first - guard.start;
    match count {
        1 => format!(
            "byte {from} of {} that have to be the pattern is {:#04x}",
            guard.len, damage.byte
        ),
        _ => format!(
            "bytes {from} to {} of {} that have to be the pattern are not, the first is {:#04x}",
            from + count - 1,
            guard.len,
            damage.byte
        ),
    }
}
