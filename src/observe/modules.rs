//! Which files' code is mapped where: not known yet.

/// A file that is mapped.
pub(crate) struct Module<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) build_id: &'a [u8],
    /// What is added to the file's addresses.
    pub(crate) base: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Calls `each` for every file that is mapped now.
pub(crate) fn each(_: impl FnMut(&Module<'_>)) {}

/// Changes when the files do.
pub(crate) fn generation() -> u64 {
    0
}
