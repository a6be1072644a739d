//! What a signal does, as the kernel has it.

/// What `sigaction` is given.
pub use libc::sigaction as Action;

unsafe extern "C" {
    /// libc's `sigaction`, by the name that no library of ours defines.
    #[link_name = "__sigaction"]
    pub(crate) fn set(signal: i32, new: *const Action, old: *mut Action) -> i32;
}
