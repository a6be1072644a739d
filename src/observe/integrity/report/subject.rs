//! The block that a report is about, and its neighbours: what is known of them at that moment.

use super::super::guard;
use super::super::known::Known;
use super::super::record::{Moment, State};
use crate::observe::LARGE;
use crate::walk;

/// A block, as it is told of.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) address: usize,
    /// Bytes asked for; of a place that was never seen to be handed out those that it has, and where
    /// what was kept of it was overwritten the most that it may have been.
    pub(crate) size: usize,
    /// Bytes of its place.
    pub(crate) bytes: usize,
    /// Its class; [`LARGE`] if it has none.
    pub(crate) class: usize,
    /// It has pages of its own, between pages that cannot be touched.
    pub(crate) is_guarded: bool,
    /// Its slab's start, and which of its blocks it is; 0 if it is in none.
    pub(crate) slab: usize,
    pub(crate) index: usize,
    /// Which life of the place it is in, or was; 0 if that is not known.
    pub(crate) life: u32,
    pub(crate) align_log2: u32,
    pub(in super::super) state: State,
    pub(in super::super) allocated: Moment,
    pub(crate) allocated_by: u8,
    pub(in super::super) freed: Moment,
    pub(crate) freed_by: u8,
}

impl Subject {
    /// The block that covers an address.
    pub(crate) fn of(address: usize) -> Option<Subject> {
        match guard::around(address) {
            Some(guarded) => Some(Subject::guarded(&guarded)),
            None => walk::find(address).map(|found| Subject::from(&found)),
        }
    }

    /// A guarded block.
    fn guarded(block: &guard::Guarded) -> Subject {
        let mut subject = Subject {
            is_guarded: true,
            ..Subject::unknown(block.address, block.bytes)
        };
        subject.tell(&Known::of_record(block.record));
        subject
    }

    /// The block so many places on.
    pub(crate) fn neighbour(&self, step: isize) -> Option<Subject> {
        let found = walk::find(self.address)?;
        walk::neighbour(&found, step).map(|found| Subject::from(&found))
    }

    /// The block whose place begins at `start`; `None` of the one that a slab keeps back.
    pub(in super::super) fn at_place_itself(start: usize) -> Option<Subject> {
        walk::find(start).map(|found| Subject::from(&found))
    }

    /// The place so many places on from one that begins at `start`, which may be the one that a
    /// slab keeps back.
    pub(in super::super) fn at_place(start: usize, step: isize) -> Option<Subject> {
        match walk::find(start) {
            Some(found) => walk::neighbour(&found, step).map(|found| Subject::from(&found)),
            None if step > 0 => walk::first_above(start).map(|found| Subject::from(&found)),
            None => None,
        }
    }

    /// A block that was found.
    pub(crate) fn from(found: &walk::Found) -> Subject {
        let mut subject = Subject {
            class: found.block.class,
            slab: found.slab,
            index: found.index,
            ..Subject::unknown(found.block.address.as_ptr() as usize, found.block.bytes)
        };
        if let Some(known) = Known::of_found(found) {
            subject.tell(&known);
        }
        subject
    }

    /// A place of which nothing else is known.
    fn unknown(address: usize, bytes: usize) -> Subject {
        Subject {
            address,
            size: bytes,
            bytes,
            class: LARGE,
            is_guarded: false,
            slab: 0,
            index: 0,
            life: 0,
            align_log2: 4,
            state: State::New,
            allocated: Moment {
                stack: 0,
                thread: 0,
            },
            allocated_by: 0,
            freed: Moment {
                stack: 0,
                thread: 0,
            },
            freed_by: 0,
        }
    }

    /// Takes over what is known of it.
    pub(in super::super) fn tell(&mut self, known: &Known) {
        let asked = known.asked;
        self.state = asked.state();
        if matches!(self.state, State::New | State::Untouched) {
            return;
        }
        self.size = asked.size();
        self.align_log2 = asked.align_log2();
        self.allocated_by = asked.api();
        self.life = known.life;
        self.allocated = known.allocated;
        if self.state != State::Live {
            (self.freed, self.freed_by) = (known.freed, known.freed_by);
        }
    }

    /// As it was until now: the program's.
    pub(in super::super) fn as_live(mut self) -> Subject {
        self.state = State::Live;
        self.freed_by = 0;
        self
    }

    /// Whether an address lies in its place.
    pub(crate) fn covers(&self, address: usize) -> bool {
        (self.address..self.address + self.bytes).contains(&address)
    }

    /// Whether the program has it.
    pub(crate) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// The kernel's number of the thread that freed it; 0 if it is not known.
    pub(crate) fn freed_thread(&self) -> u32 {
        self.freed.thread
    }

    /// Whether no more is known of its size than the most that it may be.
    pub(crate) fn is_size_unknown(&self) -> bool {
        self.state == State::Overwritten
    }

    /// Whether it was freed, and is kept from being used again.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.state == State::Quarantined
    }

    /// Whether the program had it and has freed it.
    pub(crate) fn is_freed(&self) -> bool {
        self.state.is_freed()
    }

    /// What it is doing, in a word.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state {
            State::New => "never handed out since its slab was opened, as far as was seen",
            State::Untouched => "never handed out since its slab was opened",
            State::Live => "live",
            State::Quarantined => "freed, in quarantine",
            State::Filled | State::Freed => "freed",
            State::Overwritten => "of which nothing is known: that was overwritten",
        }
    }

    /// What it is doing, as the schema of the reports has it.
    pub(crate) fn state_word(&self) -> &'static str {
        match self.state {
            State::New => "unseen",
            State::Untouched => "untouched",
            State::Live => "live",
            State::Quarantined => "quarantined",
            State::Filled | State::Freed => "freed",
            State::Overwritten => "overwritten",
        }
    }

    /// Whether it has neighbours.
    pub(crate) fn is_in_slab(&self) -> bool {
        self.class != LARGE
    }
}
