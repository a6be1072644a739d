//! A list of SuperSlabs' records, linked through the records themselves.

use super::record::SharedMeta;
use core::cell::Cell;

/// A list of records through one of their two pairs of links, `LINK`.
pub(super) struct List<const LINK: usize = 0> {
    front: Next,
    back: Next,
}

/// A record's neighbours on a list.
pub(super) struct Link {
    before: Cell<Next>,
    after: Cell<Next>,
}

type Next = Option<&'static SharedMeta>;

impl Link {
    pub(super) const fn new() -> Self {
        Link {
            before: Cell::new(None),
            after: Cell::new(None),
        }
    }
}

impl<const LINK: usize> List<LINK> {
    pub(super) const EMPTY: Self = List {
        front: None,
        back: None,
    };

    pub(super) fn front(&self) -> Option<&'static SharedMeta> {
        self.front
    }

    pub(super) fn back(&self) -> Option<&'static SharedMeta> {
        self.back
    }

    pub(super) fn push_front(&mut self, meta: &'static SharedMeta) {
        let link = &meta.links[LINK];
        link.before.set(None);
        link.after.set(self.front);
        match self.front {
            Some(front) => front.links[LINK].before.set(Some(meta)),
            None => self.back = Some(meta),
        }
        self.front = Some(meta);
    }

    pub(super) fn push_back(&mut self, meta: &'static SharedMeta) {
        let link = &meta.links[LINK];
        link.after.set(None);
        link.before.set(self.back);
        match self.back {
            Some(back) => back.links[LINK].after.set(Some(meta)),
            None => self.front = Some(meta),
        }
        self.back = Some(meta);
    }

    /// Puts a record behind another, nearer to the back.
    pub(super) fn insert_behind(&mut self, before: &'static SharedMeta, meta: &'static SharedMeta) {
        let Some(after) = before.links[LINK].after.get() else {
            return self.push_back(meta);
        };
        let link = &meta.links[LINK];
        link.before.set(Some(before));
        link.after.set(Some(after));
        after.links[LINK].before.set(Some(meta));
        before.links[LINK].after.set(Some(meta));
    }

    pub(super) fn remove(&mut self, meta: &SharedMeta) {
        let link = &meta.links[LINK];
        match link.before.get() {
            Some(before) => before.links[LINK].after.set(link.after.get()),
            None => self.front = link.after.get(),
        }
        match link.after.get() {
            Some(after) => after.links[LINK].before.set(link.before.get()),
            None => self.back = link.before.get(),
        }
    }

    /// The records as they stand; the list may be changed once the iteration has ended.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &'static SharedMeta> + use<LINK> {
        core::iter::successors(self.front, |meta| meta.links[LINK].after.get())
    }

    /// As [`List::newest_first`], from the other end.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = &'static SharedMeta> + use<LINK> {
        core::iter::successors(self.back, |meta| meta.links[LINK].before.get())
    }
}
