//! A name in the root structure: its letters themselves, so that a table of names has no addresses
//! in it that the loader would have to fill in at each start.

/// Bytes of a name.
pub(crate) const BYTES: usize = 40;

/// A name, padded with zero bytes.
pub(crate) type Name = [u8; BYTES];

/// The name of these letters, fewer than [`BYTES`].
pub(crate) const fn name(letters: &str) -> Name {
    let letters = letters.as_bytes();
    assert!(letters.len() < BYTES);
    let mut name = [0; BYTES];
    let mut at = 0;
    while at < letters.len() {
        name[at] = letters[at];
        at += 1;
    }
    name
}
