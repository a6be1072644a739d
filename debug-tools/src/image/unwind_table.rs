//! The unwind tables of a program or library (`.eh_frame`): for each place in its code where the caller's
//! registers are.
//!
//! They are read from its file, if that is still the one that was mapped, else from the process's memory:
//! a core file has those of the kernel's own code there (vDSO), and seldom those of files. Nothing in
//! them is trusted; damaged ones end a stack early.

use std::fs;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EhFrameOffset, EndianSlice, EvaluationResult,
    Expression, LittleEndian, Register, RegisterRule, UnwindContext, UnwindExpression,
    UnwindSection, Value,
};
use hakmem_trace_format::reader::Module;
use object::{Object, ObjectSection, ReadCache};

use super::Memory;
use super::frame::KnownRegisters;

type Slice<'b> = EndianSlice<'b, LittleEndian>;

/// Bytes of a table that are read at most.
const BYTES_MAX: u64 = 64 << 20;
/// Steps of an expression.
const STEPS: u32 = 1000;
/// Where a program header says what it is for, and the kind of that of unwind tables.
const PHDR: usize = 56;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const HEADERS_MAX: usize = 64;

/// See the head of this file.
#[derive(Debug)]
pub struct UnwindTable {
    bytes: Vec<u8>,
    bases: BaseAddresses,
    /// What has to be subtracted from an address in the process.
    bias: u64,
    /// Functions by their first address: that, the address behind, and the entry.
    functions: Vec<(u64, u64, usize)>,
}

/// What a step up the stack came to.
pub enum Step {
    /// The caller's registers.
    Caller(Box<KnownRegisters>),
    /// Nobody called this.
    Outermost,
    /// It is not known.
    Unknown,
}

impl UnwindTable {
    /// Of a program or library.
    pub fn of_module(module: &Module, memory: &Memory) -> Option<Self> {
        let of_file = || {
            let is_same = crate::symbols::check(module).ok()?;
            let file = is_same
                .then(|| fs::File::open(&module.path).ok())
                .flatten()?;
            let cache = ReadCache::new(file);
            let elf = object::File::parse(&cache).ok()?;
            let section = elf.section_by_name(".eh_frame")?;
            if section.size() > BYTES_MAX {
                return None;
            }
            let bytes = section.uncompressed_data().ok()?.into_owned();
            let text = elf
                .section_by_name(".text")
                .map_or(0, |text| text.address());
            let bases = BaseAddresses::default()
                .set_eh_frame(section.address())
                .set_text(text);
            Self::new(bytes, bases, module.base)
        };
        of_file().or_else(|| Self::in_memory(module.range.start, memory))
    }

    /// Of an ELF file whose beginning is at an address.
    pub fn in_memory(start: u64, memory: &Memory) -> Option<Self> {
        let header = memory.bytes(start, 64)?;
        let half = |bytes: &[u8], at: usize| {
            Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        let word = |bytes: &[u8], at: usize| {
            Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
        };
        let is_elf = header.starts_with(b"\x7fELF\x02\x01");
        let count = (half(&header, 56)? as u16 as usize).min(HEADERS_MAX);
        let headers = start.checked_add(word(&header, 32)?).filter(|_| is_elf)?;
        let headers = memory.bytes(headers, count * PHDR)?;
        let mut headers = headers.as_chunks::<PHDR>().0.iter();
        let of_tables = headers.find(|header| half(&header[..], 0) == Some(PT_GNU_EH_FRAME))?;
        // The address where it is mapped from offset 0, as it usually is.
        let (address, offset) = (word(of_tables, 16)?, word(of_tables, 8)?);
        let bias = start.wrapping_sub(address.wrapping_sub(offset));
        let index = bias.wrapping_add(address);
        // Version 1, and the pointer to the tables in 4 bytes relative to itself.
        let begin = memory.bytes(index, 8).filter(|b| b[..2] == [1, 0x1b])?;
        let relative = half(&begin, 4)?.cast_signed();
        let tables = index.wrapping_add(4).wrapping_add_signed(relative.into());
        let segment = memory.segment(tables)?;
        let there = segment.start.saturating_add(segment.in_file);
        let length = there.checked_sub(tables)?.min(BYTES_MAX);
        let bytes = memory.bytes(tables, usize::try_from(length).ok()?)?;
        let bases = BaseAddresses::default().set_eh_frame(tables.wrapping_sub(bias));
        Self::new(bytes, bases, bias)
    }

    fn new(bytes: Vec<u8>, bases: BaseAddresses, bias: u64) -> Option<Self> {
        let mut functions = vec![];
        let frames = EhFrame::new(&bytes, LittleEndian);
        let mut entries = frames.entries(&bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else {
                continue;
            };
            if let Ok(function) = partial.parse(EhFrame::cie_from_offset) {
                let (start, length) = (function.initial_address(), function.len());
                functions.push((start, start.saturating_add(length), partial.offset()));
            }
        }
        functions.sort_unstable();
        (!functions.is_empty()).then_some(Self {
            bytes,
            bases,
            bias,
            functions,
        })
    }

    /// The registers of the caller of code at `address`, which lies in this table's program.
    pub fn step(&self, address: u64, registers: &KnownRegisters, memory: &Memory) -> Option<Step> {
        let address = address.wrapping_sub(self.bias);
        let after = self.functions.partition_point(|f| f.0 <= address);
        let (_, end, offset) = *self.functions.get(after.checked_sub(1)?)?;
        if address >= end {
            return None;
        }
        let frames = EhFrame::new(&self.bytes, LittleEndian);
        let function = frames
            .fde_from_offset(&self.bases, EhFrameOffset(offset), EhFrame::cie_from_offset)
            .ok()?;
        let mut context = UnwindContext::new();
        let row = function
            .unwind_info_for_address(&frames, &self.bases, &mut context, address)
            .ok()?;
        let encoding = function.cie().encoding();
        let work = |expression: &UnwindExpression<usize>, initial: Option<u64>| {
            let expression: Expression<Slice<'_>> = expression.get(&frames).ok()?;
            evaluate(expression, encoding, initial, registers, memory)
        };
        let frame = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => registers
                .get(register.0)
                .map(|r| r.wrapping_add_signed(*offset)),
            CfaRule::Expression(expression) => work(expression, None),
        };
        let Some(frame) = frame else {
            return Some(Step::Unknown);
        };
        let mut caller = registers.clone();
        if !function.is_signal_trampoline() {
            caller.forget_what_calls_change();
        }
        caller.set(KnownRegisters::STACK_POINTER, Some(frame));
        for (register, rule) in row.registers() {
            let value = match rule {
                RegisterRule::SameValue => continue,
                RegisterRule::Offset(offset) => memory.word(frame.wrapping_add_signed(*offset)),
                RegisterRule::ValOffset(offset) => Some(frame.wrapping_add_signed(*offset)),
                RegisterRule::Register(Register(other)) => registers.get(*other),
                RegisterRule::Expression(expression) => {
                    work(expression, Some(frame)).and_then(|at| memory.word(at))
                }
                RegisterRule::ValExpression(expression) => work(expression, Some(frame)),
                RegisterRule::Constant(value) => Some(*value),
                _ => None,
            };
            caller.set(register.0, value);
        }
        // A return address that is said to be nowhere is that of a thread's first function.
        match row.register(Register(KnownRegisters::RETURN_ADDRESS)) {
            None | Some(RegisterRule::Undefined) => return Some(Step::Outermost),
            Some(_) => {}
        }
        caller.is_exact = function.is_signal_trampoline();
        match caller.get(KnownRegisters::RETURN_ADDRESS) {
            Some(0) => Some(Step::Outermost),
            Some(_) => Some(Step::Caller(Box::new(caller))),
            None => Some(Step::Unknown),
        }
    }
}

/// The value of an expression.
fn evaluate(
    expression: Expression<Slice<'_>>,
    encoding: gimli::Encoding,
    initial: Option<u64>,
    registers: &KnownRegisters,
    memory: &Memory,
) -> Option<u64> {
    let mut evaluation = expression.evaluation(encoding);
    evaluation.set_max_iterations(STEPS);
    if let Some(initial) = initial {
        evaluation.set_initial_value(initial);
    }
    let mut result = evaluation.evaluate().ok()?;
    loop {
        result = match result {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresMemory { address, size, .. } => {
                let mut bytes = [0; 8];
                let part = bytes.get_mut(..usize::from(size))?;
                if !memory.fill(address, part) {
                    return None;
                }
                let value = Value::Generic(u64::from_le_bytes(bytes));
                evaluation.resume_with_memory(value).ok()?
            }
            EvaluationResult::RequiresRegister { register, .. } => {
                let value = Value::Generic(registers.get(register.0)?);
                evaluation.resume_with_register(value).ok()?
            }
            _ => return None,
        };
    }
    match evaluation.as_result().first()?.location {
        gimli::Location::Address { address } => Some(address),
        gimli::Location::Value {
            value: Value::Generic(value),
        } => Some(value),
        _ => None,
    }
}
