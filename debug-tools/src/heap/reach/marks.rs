//! A bit for each block, by its id.

pub(super) struct Marks(Vec<u64>);

impl Marks {
    pub(super) fn new(blocks: u64) -> Self {
        Self(vec![0; blocks.div_ceil(64) as usize])
    }

    pub(super) fn has(&self, block: u64) -> bool {
        self.0[(block / 64) as usize] & 1 << (block % 64) != 0
    }

    /// Sets it; whether it was not set before.
    pub(super) fn set(&mut self, block: u64) -> bool {
        let word = &mut self.0[(block / 64) as usize];
        let new = *word & 1 << (block % 64) == 0;
        *word |= 1 << (block % 64);
        new
    }

    /// Those of these that others, of as many blocks, have not.
    pub(super) fn without(&self, others: &Self) -> Self {
        let words = self.0.iter().zip(&others.0);
        Self(words.map(|(word, other)| word & !other).collect())
    }

    /// The first one from `from` on and below `end` that is set; it is not any more.
    pub(super) fn take(&mut self, from: u64, end: u64) -> Option<u64> {
        let mut at = from;
        while at < end {
            let word = &mut self.0[(at / 64) as usize];
            let rest = *word >> (at % 64);
            if rest == 0 {
                at = (at / 64 + 1) * 64;
                continue;
            }
            at += u64::from(rest.trailing_zeros());
            if at >= end {
                break;
            }
            *word &= !(1 << (at % 64));
            return Some(at);
        }
        None
    }
}
