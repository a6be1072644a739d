//! Memory that was never handed out since it was clean: it reads as zero, or somebody wrote where
//! nothing was his.

use super::Checked;
use crate::heap::Heap;

impl Heap<'_> {
    pub(super) fn verify_fills(&self, checked: &mut Checked) {
        let layout = &self.layout;
        if layout.slab_fresh.is_some() {
            for slab in self.slabs.iter().filter(|slab| !slab.is_large()) {
                let fresh = slab.fresh.max(slab.carved).min(slab.blocks);
                let start = slab.block(usize::from(fresh));
                let end = slab.block(usize::from(slab.blocks));
                let name = |at: u64| {
                    let block = slab.index_of(at).map_or(0, |(index, _)| index);
                    format!(
                        "block {block} of the slab at {:#x}, never handed out,",
                        slab.start
                    )
                };
                self.verify_zero(start, end, self.is_busy(slab), &name, checked);
            }
        }
        for superslab in &self.superslabs {
            for slot in 0..layout.superslab / layout.slot {
                let bit = 1_u32.checked_shl(slot as u32).unwrap_or(0);
                let start = superslab.base + slot * layout.slot;
                if superslab.free & superslab.clean & bit != 0 && self.slab_at(start).is_none() {
                    let name = |_| {
                        format!(
                            "slot {slot} of the SuperSlab at {:#x}, noted as clean,",
                            superslab.base
                        )
                    };
                    self.verify_zero(start, start + layout.slot, false, &name, checked);
                }
            }
        }
    }

    fn verify_zero(
        &self,
        start: u64,
        end: u64,
        busy: bool,
        name: &dyn Fn(u64) -> String,
        checked: &mut Checked,
    ) {
        checked.fills += end - start;
        let mut wrong: Option<(u64, u64)> = None;
        self.memory().scan(start, end, &mut |at, bytes| {
            let first = bytes.iter().position(|byte| *byte != 0);
            if let Some(first) = first {
                let word = bytes
                    .get(first & !7..(first & !7) + 8)
                    .and_then(|w| w.try_into().ok());
                wrong = Some((
                    at + first as u64,
                    u64::from_le_bytes(word.unwrap_or_default()),
                ));
            }
            wrong.is_none()
        });
        if let Some((at, word)) = wrong {
            let what = format!("{} has {word:#x} at {at:#x}, and was zero", name(at));
            checked.found_unless(busy, "fill", at, what);
        }
    }
}
