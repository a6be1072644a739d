//! A JSON object under construction, without allocating: one line, cut to a whole object where it
//! does not fit.

use crate::decimal::Decimal;
use crate::observe::report::place::Place;

/// Bytes of a line.
const ROOM: usize = 32 << 10;
/// Bytes that are kept for the ends of what has begun.
const RESERVE: usize = 64;
/// Objects in one another, the outermost among them.
const DEPTH: usize = 8;

/// See the head of this file.
pub(super) struct Object {
    text: [u8; ROOM],
    len: usize,
    /// How many objects are open, and whether the innermost has a member.
    open: usize,
    has_member: [bool; DEPTH],
}

impl Object {
    pub(super) const EMPTY: Object = Object {
        text: [0; ROOM],
        len: 0,
        open: 0,
        has_member: [false; DEPTH],
    };

    /// Begins anew.
    pub(super) fn begin_line(&mut self) {
        self.len = 0;
        self.open = 0;
        self.enter();
    }

    /// All of it, with a line's end.
    pub(super) fn line(&mut self) -> &[u8] {
        while self.open > 0 {
            self.end();
        }
        self.text[self.len] = b'\n';
        &self.text[..=self.len]
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.len + bytes + RESERVE < ROOM
    }

    /// Writes what there is room for: callers have asked.
    fn digits(&mut self, number: usize) {
        self.raw(Decimal::new(number as u64).bytes());
    }

    fn raw(&mut self, bytes: &[u8]) {
        let end = (self.len + bytes.len()).min(ROOM - 1);
        let fits = end - self.len;
        self.text[self.len..end].copy_from_slice(&bytes[..fits]);
        self.len = end;
    }

    fn enter(&mut self) {
        self.raw(b"{");
        self.has_member[self.open.min(DEPTH - 1)] = false;
        self.open += 1;
    }

    /// The name of a member, if it will fit with `bytes` of its value.
    fn member(&mut self, name: &str, bytes: usize) -> bool {
        if !self.has_room(name.len() + 4 + bytes) {
            return false;
        }
        let level = self.open.clamp(1, DEPTH) - 1;
        if core::mem::replace(&mut self.has_member[level], true) {
            self.raw(b",");
        }
        self.raw(b"\"");
        self.raw(name.as_bytes());
        self.raw(b"\":");
        true
    }

    /// Begins an object that is a member of this one.
    pub(super) fn begin(&mut self, name: &str) {
        if self.member(name, 2) {
            self.enter();
        } else {
            // What is in it will not fit either; its end has to find something open.
            self.open += 1;
            self.has_member[self.open.min(DEPTH) - 1] = true;
            self.raw(b",\"cut\":{");
        }
    }

    /// Ends the innermost object.
    pub(super) fn end(&mut self) {
        self.raw(b"}");
        self.open = self.open.saturating_sub(1);
    }

    pub(super) fn number(&mut self, name: &str, number: usize) {
        if self.member(name, 20) {
            self.digits(number);
        }
    }

    pub(super) fn flag(&mut self, name: &str, is_set: bool) {
        if self.member(name, 5) {
            self.raw(if is_set { b"true" } else { b"false" });
        }
    }

    /// An address, as text: numbers of 64 bits are not safe in JSON.
    pub(super) fn address(&mut self, name: &str, address: usize) {
        if self.member(name, 20) {
            self.quoted_address(address);
        }
    }

    fn quoted_address(&mut self, address: usize) {
        self.raw(b"\"0x");
        let digits = (usize::BITS - address.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            self.raw(&[b"0123456789abcdef"[address >> (4 * digit) & 15]]);
        }
        self.raw(b"\"");
    }

    /// Text; what is no printable ASCII is escaped as if it were Latin-1.
    pub(super) fn text(&mut self, name: &str, text: &[u8]) {
        if self.member(name, 6 * text.len() + 2) {
            self.quoted(text);
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        self.raw(b"\"");
        for &byte in text {
            match byte {
                b'"' | b'\\' => self.raw(&[b'\\', byte]),
                b' '..=b'~' => self.raw(&[byte]),
                _ => {
                    let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
                    self.raw(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
                }
            }
        }
        self.raw(b"\"");
    }

    /// Bytes of memory, two digits each.
    pub(super) fn bytes(&mut self, name: &str, start: usize, len: usize) {
        if !self.member(name, 2 * len + 2) {
            return;
        }
        self.raw(b"\"");
        for at in start..start + len {
            // SAFETY: bytes of a block's place, as the caller has found them.
            let byte = unsafe { (at as *const u8).read_volatile() };
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
            self.raw(&[digit(byte >> 4), digit(byte)]);
        }
        self.raw(b"\"");
    }

    /// Return addresses, the innermost first: an array of objects.
    pub(super) fn stack(&mut self, name: &str, frames: &[u64], first_returns: bool) {
        /// What a frame takes at most, but for its names.
        const FRAME: usize = 120;
        if !self.member(name, 2) {
            return;
        }
        self.raw(b"[");
        for (number, &frame) in frames.iter().enumerate() {
            let returns = number > 0 || first_returns;
            let pc = frame as usize;
            let place = Place::of(pc);
            let before = Place::of(pc.wrapping_sub(usize::from(returns)));
            let function = before.and_then(|place| place.function());
            let names = place.as_ref().map_or(0, |place| place.path().len())
                + function
                    .as_ref()
                    .map_or(0, |function| function.name().len());
            if !self.has_room(FRAME + 6 * names) {
                break;
            }
            if number > 0 {
                self.raw(b",");
            }
            self.raw(b"{\"pc\":");
            self.quoted_address(pc);
            if let Some(place) = &place {
                self.raw(b",\"module\":");
                self.quoted(place.path());
                self.raw(b",\"offset\":");
                self.quoted_address(place.offset);
            }
            if let Some(function) = &function {
                self.raw(b",\"function\":");
                self.quoted(function.name());
                self.raw(b",\"within\":");
                self.digits(function.offset + usize::from(returns));
            }
            self.raw(b"}");
        }
        self.raw(b"]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;
    use std::string::String;

    fn line(object: &mut Object) -> String {
        String::from_utf8(object.line().to_vec()).expect("ASCII")
    }

    #[test]
    fn members_are_written_as_json_has_them() {
        let mut object = Box::new(Object::EMPTY);
        object.begin_line();
        object.text("a", b"x\"\\\n\xff");
        object.begin("b");
        object.number("n", 0);
        object.address("p", 0x7f00);
        object.begin("empty");
        object.end();
        object.end();
        object.number("last", 18);
        let expected = "{\"a\":\"x\\\"\\\\\\u000a\\u00ff\",\"b\":{\"n\":0,\"p\":\"0x7f00\",\"empty\":{}},\"last\":18}\n";
        assert_eq!(line(&mut object), expected);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_all_is_closed() {
        let mut object = Box::new(Object::EMPTY);
        object.begin_line();
        object.begin("first");
        for _ in 0..ROOM {
            object.text("t", b"0123456789");
        }
        object.begin("second");
        object.number("n", 1);
        let text = line(&mut object);
        assert!(text.len() < ROOM && text.ends_with("}\n"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
