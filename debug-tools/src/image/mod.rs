//! A process, as its core file or `/proc` shows it: its memory, threads and mapped files.
//!
//! ```text
//! core_file.rs  from an ELF core
//! process.rs    from a process that runs
//! refusal.rs    why it cannot be read
//! memory.rs     addresses, and the bytes there
//! modules.rs    the programs and libraries among the mapped files
//! frame.rs      the calls of a thread
//! unwind_table.rs  what leads from a call to its caller
//! ```

mod core_file;
mod frame;
mod memory;
mod modules;
mod process;
pub mod refusal;
mod unwind_table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hakmem_trace_format::reader::Module;

pub use frame::{Frame, Stack};
pub use memory::{Access, Memory, Segment};

use crate::failure::Failure;
use unwind_table::UnwindTable;

/// The process.
#[derive(Debug)]
pub struct Image {
    /// What it was read from, as the user named it.
    pub source: String,
    /// Its number; 0 if not known.
    pub pid: u32,
    /// Whether it still runs, as far as one knows.
    pub is_process: bool,
    /// The short name of its program.
    pub name: String,
    /// Its arguments, with blanks between.
    pub command_line: String,
    /// The path of its program, if that is known.
    pub exe: Option<PathBuf>,
    /// Its memory.
    pub memory: Memory,
    /// Its threads; in a core file first the one that ended it.
    pub threads: Vec<Thread>,
    /// Files that were mapped.
    pub files: Vec<MappedFile>,
    /// Those of them that have code.
    pub modules: Vec<Module>,
    /// What ended it.
    pub signal: Option<Signal>,
    /// What could not be read, or not be understood.
    pub notes: Vec<String>,
    /// Those that have been read, by where their program or library begins.
    unwind_tables: Mutex<HashMap<u64, Option<Arc<UnwindTable>>>>,
}

/// A thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// The kernel's number of it.
    pub tid: u32,
    /// Its name; empty if not known.
    pub name: String,
    /// The signal that it was about to take; 0 if none.
    pub signal: u16,
    /// Its registers, if they are known.
    pub registers: Option<Registers>,
    /// Its stack pointer, where the registers are not known.
    pub stack_pointer: Option<u64>,
    /// Its instruction pointer, where the registers are not known.
    pub instruction: Option<u64>,
}

impl Thread {
    /// Where its stack is used down to.
    pub fn stack_pointer(&self) -> Option<u64> {
        self.registers
            .as_ref()
            .map(Registers::stack_pointer)
            .or(self.stack_pointer)
    }
}

/// The registers of a thread on x86-64, in the order of `struct user_regs_struct`.
#[derive(Clone, Debug)]
pub struct Registers([u64; Registers::COUNT]);

impl Registers {
    /// How many there are.
    pub const COUNT: usize = 27;
    /// Their names.
    pub const NAMES: [&'static str; Self::COUNT] = [
        "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx",
        "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds",
        "es", "fs", "gs",
    ];

    fn new(values: &[u64]) -> Option<Self> {
        Some(Self(values.try_into().ok()?))
    }

    /// Each with its name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::NAMES.into_iter().zip(self.0)
    }

    /// The instruction pointer.
    pub fn instruction(&self) -> u64 {
        self.0[16]
    }

    /// The stack pointer.
    pub fn stack_pointer(&self) -> u64 {
        self.0[19]
    }
}

/// A part of a file that is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedFile {
    /// Its first address.
    pub start: u64,
    /// The address behind it.
    pub end: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// The file.
    pub path: String,
}

/// The signal that ended a process.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// Why it came (`si_code`).
    pub code: i32,
    /// The address that was accessed, for those that have one.
    pub address: u64,
}

impl Image {
    fn new(source: String) -> Self {
        Self {
            source,
            pid: 0,
            is_process: false,
            name: String::new(),
            command_line: String::new(),
            exe: None,
            memory: Memory::none(),
            threads: vec![],
            files: vec![],
            modules: vec![],
            signal: None,
            notes: vec![],
            unwind_tables: Mutex::default(),
        }
    }

    /// With its memory, and what is found in it.
    fn complete(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self.modules = modules::of(&self.memory, &self.files);
        if self.exe.is_none() {
            // The kernel maps the program first, below its libraries or beside its heap.
            let is_program = |m: &&Module| {
                let file = m.path.file_name().unwrap_or_default().as_encoded_bytes();
                let name = self.name.as_bytes();
                !name.is_empty() && file.starts_with(name)
            };
            let program = self
                .modules
                .iter()
                .find(is_program)
                .or(self.modules.first());
            self.exe = program.map(|module| module.path.clone());
        }
        self
    }

    /// Of a core file.
    pub fn of_core(path: &Path) -> Result<Self, Failure> {
        core_file::open(path)
    }

    /// Of a process that runs; with a file that has the list of its mappings, its memory is read from
    /// standard input.
    pub fn of_process(pid: u32, handed: Option<&Path>) -> Result<Self, Failure> {
        process::open(pid, handed)
    }

    /// The mapped file at an address.
    pub fn file(&self, address: u64) -> Option<&MappedFile> {
        self.files
            .iter()
            .find(|file| (file.start..file.end).contains(&address))
    }

    /// The file whose code or data is at an address.
    pub fn module(&self, address: u64) -> Option<&Module> {
        self.modules
            .iter()
            .find(|module| module.range.contains(&address))
    }

    /// The thread whose stack an address is in, with the segment: the one whose stack pointer is
    /// in the same segment, below or nearest.
    pub fn stack_of(&self, address: u64) -> Option<(&Thread, &Segment)> {
        let segment = self.memory.segment(address)?;
        let inside = self.threads.iter().filter_map(|thread| {
            let pointer = thread
                .stack_pointer()
                .filter(|pointer| segment.holds(*pointer))?;
            Some((pointer > address, pointer.abs_diff(address), thread))
        });
        let (.., thread) = inside.min_by_key(|(above, distance, _)| (*above, *distance))?;
        Some((thread, segment))
    }

    /// Whether anything of what was there is missing.
    pub fn is_truncated(&self) -> bool {
        self.memory.missing() > 0 || !self.notes.is_empty()
    }
}
