//! Functions that are passed structures of the kernel's, whose sizes are known: what it reads is looked
//! at before, what it fills in afterwards.

use super::around::{Done, around};
use super::before::{Passed, before};
use super::names::name;
use core::mem::size_of;
use hakmem_alloc::c_abi::Call;

/// `struct timespec`, and `struct timeval`; two of them; one signal set as the kernel has it.
const TIME: usize = size_of::<libc::timespec>();
const TIMES: usize = 2 * TIME;
const SIGNALS: usize = 8;
const STAT: usize = size_of::<libc::stat>();
const STATFS: usize = size_of::<libc::statfs>();
const LIMIT: usize = size_of::<libc::rlimit>();
const EVENT: usize = size_of::<libc::epoll_event>();
const NUMBER: usize = size_of::<libc::c_int>();
const USAGE: usize = size_of::<libc::rusage>();

/// More of them no call can have.
const MOST: usize = 1 << 20;

/// What is read, if there is something.
fn read(call: Call, address: usize, len: usize) {
    if address != 0 {
        let _ = call.readable(address, len);
    }
}

/// As [`read`], of so many of `size` bytes.
fn read_all(call: Call, address: usize, count: usize, size: usize) {
    if 0 < count && count <= MOST {
        read(call, address, count * size);
    }
}

/// A set of descriptors, as far as the kernel reads it.
fn read_set(call: Call, address: usize, descriptors: usize) {
    let descriptors = descriptors as u32 as usize;
    read_all(call, address, descriptors.div_ceil(8), 1);
}

/// What `poll` has filled in.
fn polled(done: Done, passed: &Passed) {
    if passed[1] <= MOST {
        done.filled(passed[0], passed[1] * size_of::<libc::pollfd>());
    }
}

/// Defines functions that read structures: at which argument, and how large they are.
macro_rules! reads {
    ($($name:ident $($at:literal: $len:expr),*;)*) => {
        before! {$(
            /// A function that reads structures.
            fn $name of list |call, passed| {$( read(call, passed[$at], $len); )*};
        )*}
    };
}

/// Defines functions that fill structures in; before `>` stands where a name is, if there is one, and
/// what is read.
macro_rules! fills {
    ($($name:ident $(name $path:literal)? $(read $from:literal: $bytes:expr)? => $($at:literal: $len:expr),*;)*) => {
        around! {$(
            /// A function that fills structures in.
            fn $name of list |call, passed| {
                $( name(call, passed[$path]); )?
                $( read(call, passed[$from], $bytes); )?
            }, |done| {$( done.filled(passed[$at], $len); )*};
        )*}
    };
}

reads! {
    clock_settime 1: TIME;
    utime 1: TIME; utimes 1: TIMES; lutimes 1: TIMES; futimes 1: TIMES; futimens 1: TIMES;
    futimesat 2: TIMES; utimensat 2: TIMES;
    setrlimit 1: LIMIT; setrlimit64 1: LIMIT;
}

before! {
    /// `epoll_ctl` of Linux, which does not look at an event that is removed.
    fn epoll_ctl of list |call, passed| {
        if passed[1] as u32 != libc::EPOLL_CTL_DEL as u32 {
            read(call, passed[3], EVENT);
        }
    };

    /// POSIX `setgroups`.
    fn setgroups of list |call, passed| read_all(call, passed[1], passed[0], NUMBER);

    /// `sched_setaffinity` of Linux.
    fn sched_setaffinity of list |call, passed| read_all(call, passed[2], passed[1], 1);

    /// System V's `semop`.
    fn semop of list |call, passed| {
        read_all(call, passed[1], passed[2], size_of::<libc::sembuf>());
    };

    /// System V's `msgsnd`: a number in front of the text.
    fn msgsnd of list |call, passed| read_all(call, passed[1], passed[2].saturating_add(8), 1);

    /// POSIX `select`.
    fn select of list |call, passed| {
        (1..4).for_each(|at| read_set(call, passed[at], passed[0]));
        read(call, passed[4], TIME);
    };
}

fills! {
    stat name 0 => 1: STAT; stat64 name 0 => 1: STAT;
    lstat name 0 => 1: STAT; lstat64 name 0 => 1: STAT;
    fstat => 1: STAT; fstat64 => 1: STAT;
    fstatat name 1 => 2: STAT; fstatat64 name 1 => 2: STAT;
    __xstat name 1 => 2: STAT; __xstat64 name 1 => 2: STAT;
    __lxstat name 1 => 2: STAT; __lxstat64 name 1 => 2: STAT;
    __fxstat => 2: STAT; __fxstat64 => 2: STAT;
    __fxstatat name 2 => 3: STAT; __fxstatat64 name 2 => 3: STAT;
    statx name 1 => 4: size_of::<libc::statx>();
    statfs name 0 => 1: STATFS; statfs64 name 0 => 1: STATFS;
    fstatfs => 1: STATFS; fstatfs64 => 1: STATFS;
    pipe => 0: 2 * NUMBER; pipe2 => 0: 2 * NUMBER;
    waitpid => 1: NUMBER; wait => 0: NUMBER; wait3 => 0: NUMBER, 2: USAGE; wait4 => 1: NUMBER, 3: USAGE;
    nanosleep read 0: TIME => 1: 0;
    clock_nanosleep read 2: TIME => 3: 0;
    setitimer read 1: TIMES => 2: TIMES; getitimer => 1: TIMES;
    timer_settime read 2: TIMES => 3: TIMES; timerfd_settime read 2: TIMES => 3: TIMES;
    getrlimit => 1: LIMIT; getrlimit64 => 1: LIMIT;
    prlimit read 2: LIMIT => 3: LIMIT; prlimit64 read 2: LIMIT => 3: LIMIT;
    getrusage => 1: USAGE;
    uname => 0: size_of::<libc::utsname>();
    sysinfo => 0: size_of::<libc::sysinfo>();
    times => 0: size_of::<libc::tms>();
}

around! {
    /// POSIX `poll`, which fills in what it has read.
    fn poll of list |call, passed| (), |done| polled(done, passed);

    /// `ppoll` of Linux.
    fn ppoll of list |call, passed| {
        read(call, passed[2], TIME);
        read(call, passed[3], SIGNALS);
    }, |done| polled(done, passed);

    /// `epoll_wait` of Linux.
    fn epoll_wait of list |call, passed| (), |done| {
        done.came_of(passed[1], EVENT, passed[2] as u32 as usize);
    };

    /// `epoll_pwait` of Linux.
    fn epoll_pwait of list |call, passed| read(call, passed[4], SIGNALS), |done| {
        done.came_of(passed[1], EVENT, passed[2] as u32 as usize);
    };

    /// POSIX `getcwd`; null for a place is one of libc's.
    fn getcwd of list |call, passed| (), |done| done.path(passed[0], passed[1]);

    /// `getcwd` with `_FORTIFY_SOURCE`.
    fn __getcwd_chk of list |call, passed| (), |done| done.path(passed[0], passed[1]);
}
