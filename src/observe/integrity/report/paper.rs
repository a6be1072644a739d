//! Where the lines of a report go: to standard error one by one, and together to the flight
//! recorder.

use crate::observe::report::Line;

/// Bytes of a report that are kept.
const ROOM: usize = 12 << 10;

/// See the head of this file.
pub(super) struct Paper {
    text: [u8; ROOM],
    len: usize,
}

impl Paper {
    pub(super) const BLANK: Paper = Paper {
        text: [0; ROOM],
        len: 0,
    };

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &mut Line) {
        for &byte in line.bytes().iter().chain(b"\n") {
            if self.len < ROOM {
                self.text[self.len] = byte;
                self.len += 1;
            }
        }
        line.write();
    }

    /// What was written.
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }
}
