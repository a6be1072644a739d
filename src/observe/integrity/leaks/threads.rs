//! The threads of the process: stopped while memory is looked at, and where their stacks are in
//! use.
//!
//! A thread that cannot be stopped, because it blocks all signals, goes on. Of one that waits in a
//! system call the kernel says where its stack ends.

use super::mappings::hexadecimal;
use super::room::{Plain, Room};
use crate::decimal::Decimal;
use crate::sys::contents::File;
use crate::sys::halt::{self, Halt, REGISTERS};
use crate::sys::thread;
use core::ffi::CStr;

/// Threads that may come while the others are being stopped.
const MORE: usize = 64;
/// How often it is looked for new threads.
const LOOKS: usize = 20;
/// Bytes below the stack pointer that are in use (the x86-64 ABI's red zone).
const RED_ZONE: usize = 128;

/// A thread.
#[derive(Clone, Copy)]
pub(super) struct Thread {
    pub(super) id: u32,
    /// Where its stack is in use from; 0 if that is not known.
    pub(super) sp: usize,
    /// Words that it holds in registers; 0 for those that are not known.
    pub(super) registers: [usize; REGISTERS],
    /// It was asked to stop.
    is_asked: bool,
    /// It has ended, but for its number.
    is_dead: bool,
}

// SAFETY: numbers.
unsafe impl Plain for Thread {}

/// All threads; the others go on when this is dropped.
pub(super) struct Threads {
    threads: Room<Thread>,
    count: usize,
    halt: Option<Halt>,
    /// A thread goes on.
    pub(super) runs_on: bool,
}

impl Threads {
    /// Stops the other threads. This one's stack is in use from `sp` up, and these registers.
    pub(super) fn stop(sp: usize, registers: &[usize]) -> Option<Threads> {
        let tasks = File::open(c"/proc/self/task")?;
        let mut threads = Threads {
            threads: Room::new(2 * tasks.directories().unwrap_or(0) + MORE)?,
            count: 0,
            halt: None,
            runs_on: false,
        };
        let own = thread::id();
        threads.add(own);
        threads.threads[0].sp = sp;
        for (place, &register) in threads.threads[0].registers.iter_mut().zip(registers) {
            *place = register;
        }
        for _ in 0..LOOKS {
            tasks.rewind();
            let before = threads.count;
            tasks.for_each_name(|name| {
                if let Some(id) = number(name) {
                    threads.meet(id);
                }
            });
            if threads.count == before {
                break;
            }
            if let Some(halt) = &threads.halt {
                halt.wait(is_there);
            }
        }
        threads.look();
        Some(threads)
    }

    /// Its own memory, which is to be left out.
    pub(super) fn range(&self) -> (usize, usize) {
        self.threads.range()
    }

    pub(super) fn all(&self) -> &[Thread] {
        &self.threads[..self.count]
    }

    fn add(&mut self, id: u32) -> Option<&mut Thread> {
        let Some(place) = self.threads.get_mut(self.count) else {
            self.runs_on = true;
            return None;
        };
        place.id = id;
        self.count += 1;
        Some(place)
    }

    /// Asks a thread to stop that was not met before.
    fn meet(&mut self, id: u32) {
        if self.all().iter().any(|thread| thread.id == id) {
            return;
        }
        let condition = Condition::of(id);
        let halt = match &self.halt {
            Some(halt) => Some(halt),
            None => {
                self.halt = halt::begin();
                self.halt.as_ref()
            }
        };
        let is_asked = condition == Condition::Listens && halt.is_some_and(|halt| halt.ask(id));
        if let Some(thread) = self.add(id) {
            thread.is_asked = is_asked;
            thread.is_dead = condition == Condition::Dead;
        }
    }

    /// Finds out where the stacks of the others are in use.
    fn look(&mut self) {
        for number in 1..self.count {
            let thread = &mut self.threads[number];
            if thread.is_dead {
                continue;
            }
            let halt = self.halt.as_ref().filter(|_| thread.is_asked);
            if let Some(state) = halt.and_then(|halt| halt.state(thread.id)) {
                thread.sp = state.sp - RED_ZONE;
                thread.registers = state.registers;
            } else if is_there(thread.id) {
                self.runs_on = true;
                thread.ask_kernel();
            }
        }
    }
}

impl Thread {
    /// `/proc/self/task/…/syscall`: number, arguments, stack pointer and program counter of a
    /// system call that waits.
    fn ask_kernel(&mut self) {
        let mut text = [0; 256];
        let len = read(self.id, b"/syscall", &mut text);
        let words = text[..len].trim_ascii().split(|&byte| byte == b' ');
        let mut before = 0;
        let mut last = 0;
        let numbers = words.filter_map(|word| hexadecimal(word.strip_prefix(b"0x")?));
        for (place, number) in numbers.enumerate() {
            if let Some(register) = self.registers.get_mut(place) {
                *register = number;
            }
            (before, last) = (last, number);
        }
        if before != 0 && last != 0 {
            self.sp = before - RED_ZONE;
        }
    }
}

/// What a thread does with signals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Listens,
    /// It blocks those that nobody uses, and perhaps waits for them.
    Deaf,
    /// It has ended, and its number is kept.
    Dead,
}

impl Condition {
    fn of(id: u32) -> Condition {
        let mut text = [0; 4096];
        let len = read(id, b"/status", &mut text);
        let field = |name: &[u8]| {
            let mut lines = text[..len].split(|&byte| byte == b'\n');
            lines
                .find_map(|line| line.strip_prefix(name))
                .map(<[u8]>::trim_ascii)
        };
        if field(b"State:").is_some_and(|state| state.starts_with(b"Z") || state.starts_with(b"X"))
        {
            return Condition::Dead;
        }
        // The signals from the 34th on are the program's.
        const REAL_TIME: usize = !0 << 33;
        // Who waits for a signal blocks it, which does not show meanwhile (rt_sigtimedwait).
        let mut call = [0; 8];
        let len = read(id, b"/syscall", &mut call);
        if call[..len].starts_with(b"128 ") {
            return Condition::Deaf;
        }
        match field(b"SigBlk:").and_then(hexadecimal) {
            Some(blocked) if blocked & REAL_TIME == 0 => Condition::Listens,
            _ => Condition::Deaf,
        }
    }
}

/// Reads a file about a thread; says how many bytes.
fn read(id: u32, file: &[u8], buffer: &mut [u8]) -> usize {
    let Some(file) = open(id, file) else {
        return 0;
    };
    let mut len = 0;
    loop {
        match file.read(&mut buffer[len..]) {
            // The end of the file, or of the buffer.
            0 => return len,
            read => len += read,
        }
    }
}

fn is_there(id: u32) -> bool {
    open(id, b"/stat").is_some()
}

fn open(id: u32, file: &[u8]) -> Option<File> {
    const DIRECTORY: &[u8] = b"/proc/self/task/";
    let mut path = [0u8; 64];
    let digits = Decimal::new(u64::from(id));
    let parts = [DIRECTORY, digits.bytes(), file];
    for (place, &byte) in path.iter_mut().zip(parts.iter().copied().flatten()) {
        *place = byte;
    }
    File::open(CStr::from_bytes_until_nul(&path).ok()?)
}

fn number(name: &[u8]) -> Option<u32> {
    core::str::from_utf8(name).ok()?.parse().ok()
}

/// In a fork's child.
pub(super) fn forked() {
    halt::forked();
}
