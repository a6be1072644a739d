//! Functions that start programs: what the kernel reads of their names, arguments and environment.

use super::before::{Passed, before};
use super::names::name;
use hakmem_alloc::c_abi::{Call, is_there};

/// More texts than any program is started with.
const MOST: usize = 1 << 20;

/// Looks at a list of texts, as far as it is there: the kernel refuses another one.
fn texts(call: Call, list: usize) {
    const WORD: usize = size_of::<usize>();
    if list == 0 || !list.is_multiple_of(WORD) {
        return;
    }
    for at in (list..).step_by(WORD).take(MOST) {
        if !is_there(at, WORD) || call.readable(at, WORD) < WORD {
            return;
        }
        // SAFETY: a word that can be read.
        match unsafe { *(at as *const usize) } {
            0 => return,
            text => name(call, text),
        }
    }
}

/// Looks at a program's name and lists.
fn program(call: Call, path: usize, lists: [usize; 2]) {
    name(call, path);
    lists.into_iter().for_each(|list| texts(call, list));
}

before! {
    /// POSIX `execv`.
    fn execv of list |call, passed| program(call, passed[0], [passed[1], 0]);

    /// POSIX `execve`.
    fn execve of list |call, passed| program(call, passed[0], [passed[1], passed[2]]);

    /// POSIX `execvp`.
    fn execvp of list |call, passed| program(call, passed[0], [passed[1], 0]);

    /// GNU `execvpe`.
    fn execvpe of list |call, passed| program(call, passed[0], [passed[1], passed[2]]);

    /// POSIX `fexecve`.
    fn fexecve of list |call, passed| program(call, 0, [passed[1], passed[2]]);

    /// POSIX `execl`: the first arguments, and those behind them lie on the stack.
    fn execl of list |call, passed| first_texts(call, passed);

    /// POSIX `execlp`.
    fn execlp of list |call, passed| first_texts(call, passed);

    /// POSIX `execle`.
    fn execle of list |call, passed| first_texts(call, passed);

    /// POSIX `posix_spawn`.
    fn posix_spawn of list |call, passed| program(call, passed[1], [passed[4], passed[5]]);

    /// POSIX `posix_spawnp`.
    fn posix_spawnp of list |call, passed| program(call, passed[1], [passed[4], passed[5]]);
}

/// The texts in registers, up to the null that ends them.
fn first_texts(call: Call, passed: &Passed) {
    let texts = passed.iter().take_while(|text| **text != 0);
    texts.for_each(|text| name(call, *text));
}
