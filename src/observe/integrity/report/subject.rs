//! The block that a report is about, and its neighbours: what is known of them at that moment.

use super::super::record::{BlockRecord, Moment, State};
use crate::observe::{self, LARGE};
use crate::walk;

/// A block, as it is told of.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) address: usize,
    /// Bytes asked for; of a place that was never seen to be handed out those that it has.
    pub(crate) size: usize,
    /// Bytes of its place.
    pub(crate) bytes: usize,
    /// Its class; [`LARGE`] if it has none.
    pub(crate) class: usize,
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
        walk::find(address).map(|found| Subject::from(&found))
    }

    /// The block so many places on.
    pub(crate) fn neighbour(&self, step: isize) -> Option<Subject> {
        let found = walk::find(self.address)?;
        walk::neighbour(&found, step).map(|found| Subject::from(&found))
    }

    fn from(found: &walk::Found) -> Subject {
        let record = found.block.record.map(observe::checked);
        let mut subject = Subject {
            address: found.block.address.as_ptr() as usize,
            size: found.block.bytes,
            bytes: found.block.bytes,
            class: found.block.class,
            slab: found.slab,
            index: found.index,
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
        };
        if let Some(record) = record {
            subject.tell(record);
        }
        subject
    }

    /// Takes over what a record has.
    pub(in super::super) fn tell(&mut self, record: &BlockRecord) {
        let asked = record.asked();
        self.state = asked.state();
        if self.state == State::New {
            return;
        }
        self.size = asked.size();
        self.align_log2 = asked.align_log2();
        self.allocated_by = asked.api();
        self.life = record.life();
        self.allocated = record.allocated();
        if self.state != State::Live {
            (self.freed, self.freed_by) = record.freed();
        }
    }

    /// As it was until now: the program's.
    pub(in super::super) fn as_live(mut self) -> Subject {
        self.state = State::Live;
        self.freed_by = 0;
        self
    }

    /// Whether the program has it.
    pub(crate) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// What it is doing, in a word.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state {
            State::New => "never handed out since its slab was opened, as far as was seen",
            State::Live => "live",
            State::Quarantined => "freed, in quarantine",
            State::Filled | State::Freed => "freed",
        }
    }

    /// What it is doing, as the schema of the reports has it.
    pub(crate) fn state_word(&self) -> &'static str {
        match self.state {
            State::New => "unseen",
            State::Live => "live",
            State::Quarantined => "quarantined",
            State::Filled | State::Freed => "freed",
        }
    }

    /// Whether it has neighbours.
    pub(crate) fn is_in_slab(&self) -> bool {
        self.class != LARGE
    }
}
