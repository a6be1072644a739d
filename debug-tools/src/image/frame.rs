//! A thread's stack of calls: from its registers up, by unwind tables; along frame pointers through
//! code that has none.
//!
//! ```text
//! registers ─► table of the code ─► where the caller's registers are ─► registers ─► …
//! ```

use std::sync::Arc;

use super::unwind_table::{Step, UnwindTable};
use super::{Image, Thread};

/// The most frames of a stack.
const MOST: usize = 256;

/// A function that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it is: behind the call that it waits for, or at its next instruction.
    pub pc: u64,
    /// Whether it is the latter: of the innermost frame, and of one that a signal interrupted.
    pub is_exact: bool,
}

/// A thread's calls, the innermost first.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The functions.
    pub frames: Vec<Frame>,
    /// Whether the last one is known to be the thread's first.
    pub is_whole: bool,
}

/// KnownRegisters by their numbers in unwind tables, as far as they are known.
#[derive(Clone, Debug)]
pub struct KnownRegisters {
    values: [Option<u64>; 17],
    /// Whether the instruction pointer is at an instruction, not behind a call.
    pub is_exact: bool,
}

impl KnownRegisters {
    /// The frame pointer, by its number.
    pub const FRAME_POINTER: u16 = 6;
    /// The stack pointer.
    pub const STACK_POINTER: u16 = 7;
    /// The instruction pointer: of a caller its return address.
    pub const RETURN_ADDRESS: u16 = 16;

    /// Those of a thread; None if not even its instruction pointer is known.
    fn of(thread: &Thread) -> Option<Self> {
        const NAMES: [&str; 17] = [
            "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
            "r12", "r13", "r14", "r15", "rip",
        ];
        let value = |name: &str| match &thread.registers {
            Some(known) => known.named().find(|(n, _)| *n == name).map(|(_, v)| v),
            None if name == "rsp" => thread.stack_pointer,
            None if name == "rip" => thread.instruction,
            None => None,
        };
        let values = NAMES.map(value);
        values[usize::from(Self::RETURN_ADDRESS)]?;
        Some(Self {
            values,
            is_exact: true,
        })
    }

    /// The value of one, if it is known.
    pub fn get(&self, number: u16) -> Option<u64> {
        self.values.get(usize::from(number)).copied().flatten()
    }

    /// Forgets those that a function may change without keeping them for its caller.
    pub fn forget_what_calls_change(&mut self) {
        const CHANGED: [u16; 9] = [0, 1, 2, 4, 5, 8, 9, 10, 11];
        CHANGED
            .into_iter()
            .for_each(|number| self.set(number, None));
    }

    /// Changes what is known of one.
    pub fn set(&mut self, number: u16, value: Option<u64>) {
        if let Some(place) = self.values.get_mut(usize::from(number)) {
            *place = value;
        }
    }
}

impl Image {
    /// The calls of a thread; none of one of which nothing is known. Of one of a process that runs that
    /// waits in the kernel, as far as two registers lead; it may go on meanwhile.
    pub fn stack(&self, thread: &Thread) -> Stack {
        let mut stack = Stack::default();
        let Some(mut registers) = KnownRegisters::of(thread) else {
            return stack;
        };
        while let Some(pc) = registers.get(KnownRegisters::RETURN_ADDRESS)
            && stack.frames.len() < MOST
        {
            let is_exact = registers.is_exact;
            stack.frames.push(Frame { pc, is_exact });
            let address = if is_exact { pc } else { pc.wrapping_sub(1) };
            let step = self
                .unwind_table(address)
                .and_then(|table| table.step(address, &registers, &self.memory))
                .unwrap_or_else(|| self.without_table(address, &registers));
            let caller = match step {
                Step::Caller(caller) => *caller,
                Step::Outermost => {
                    stack.is_whole = true;
                    break;
                }
                Step::Unknown => break,
            };
            // A caller's frame is above, but where a signal was taken on a stack of its own.
            let pointer = |r: &KnownRegisters| r.get(KnownRegisters::STACK_POINTER).unwrap_or(0);
            if !caller.is_exact && pointer(&caller) <= pointer(&registers) {
                break;
            }
            registers = caller;
        }
        stack
    }

    /// A step from code without unwind tables: a call of an address where no code is, which leaves
    /// its return address on top; or code that keeps a frame pointer, as far as that leads up the
    /// stack to code.
    fn without_table(&self, address: u64, registers: &KnownRegisters) -> Step {
        let mut caller = registers.clone();
        caller.is_exact = false;
        let pointer = registers.get(KnownRegisters::STACK_POINTER);
        if !self.is_code(address) && registers.is_exact {
            let Some(back) = pointer.and_then(|at| self.memory.word(at)) else {
                return Step::Unknown;
            };
            caller.set(KnownRegisters::RETURN_ADDRESS, Some(back));
            caller.set(
                KnownRegisters::STACK_POINTER,
                pointer.map(|at| at.wrapping_add(8)),
            );
            return if self.is_code(back) {
                Step::Caller(Box::new(caller))
            } else {
                Step::Unknown
            };
        }
        let frame = registers.get(KnownRegisters::FRAME_POINTER);
        let Some(frame) = frame.filter(|at| at.is_multiple_of(8) && Some(*at) >= pointer) else {
            return Step::Unknown;
        };
        let Some(&[next, back]) = self
            .memory
            .words(frame, 2)
            .as_deref()
            .and_then(|w| w.first_chunk())
        else {
            return Step::Unknown;
        };
        if !self.is_code(back) {
            return Step::Unknown;
        }
        caller.set(KnownRegisters::RETURN_ADDRESS, Some(back));
        caller.set(KnownRegisters::FRAME_POINTER, Some(next));
        caller.set(KnownRegisters::STACK_POINTER, Some(frame.wrapping_add(16)));
        Step::Caller(Box::new(caller))
    }

    /// Whether an address is in something that can be executed.
    fn is_code(&self, address: u64) -> bool {
        let segment = self.memory.segment(address);
        segment.map_or_else(|| self.module(address).is_some(), |s| s.access.execute)
    }

    /// The unwind table for an address, read when it is first needed.
    fn unwind_table(&self, address: u64) -> Option<Arc<UnwindTable>> {
        let module = self.module(address);
        let start = match module {
            Some(module) => module.range.start,
            None => {
                self.memory
                    .segment(address)
                    .filter(|s| s.access.execute)?
                    .start
            }
        };
        let mut tables = match self.unwind_tables.lock() {
            Ok(tables) => tables,
            Err(poisoned) => poisoned.into_inner(),
        };
        let table = tables.entry(start).or_insert_with(|| {
            let table = match module {
                Some(module) => UnwindTable::of_module(module, &self.memory),
                None => UnwindTable::in_memory(start, &self.memory),
            };
            table.map(Arc::new)
        });
        table.clone()
    }
}
