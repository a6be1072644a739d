//! From an address in code to its [`Rule`], by the unwind tables of its file.
//!
//! `.eh_frame_hdr` is a sorted table of functions; it leads to the function's description in
//! `.eh_frame`, a program that says, from the function's first instruction on, where the CFA and
//! the saved registers are. gimli reads the formats; the program is run here, as of all registers
//! only two matter: that takes little stack and no heap.

use super::rule::{Kind, Rule, SavedFp};
use crate::observe::modules::Module;
use gimli::{
    BaseAddresses, CallFrameInstruction as Instruction, EhFrame, EhFrameHdr, EndianSlice,
    Expression, LittleEndian, Operation, Register, UnwindExpression, UnwindSection, X86_64,
};

type Bytes = EndianSlice<'static, LittleEndian>;

/// How many states a program may put aside; compilers use one or two.
const REMEMBERED: usize = 8;
/// Values that an expression may have at a time.
const VALUES: usize = 8;

/// What the program has said so far.
#[derive(Clone, Copy)]
struct Row {
    cfa: Cfa,
    fp: Saved,
    pc: Saved,
}

#[derive(Clone, Copy)]
enum Cfa {
    Plain(Register, i64),
    Computed(UnwindExpression<usize>),
}

#[derive(Clone, Copy)]
enum Saved {
    Kept,
    BelowCfa(i64),
    Computed(UnwindExpression<usize>),
    Undefined,
    Elsewhere,
}

/// A value of an expression: a number, or one that is known when the rule is applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Number(i64),
    /// `sp` or `fp`, and a number.
    Address(Base, i64),
    /// The word at such an address, and a number.
    Word(Base, i64, i64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Sp,
    Fp,
}

/// A file's tables.
struct Tables {
    hdr: EhFrameHdr<Bytes>,
    bases: BaseAddresses,
    module: &'static Module,
}

/// The rule at `address`, in code of `module`; `None` if the tables have nothing there.
pub(super) fn rule(module: &'static Module, address: usize) -> Option<Rule> {
    let tables = Tables::new(module)?;
    let hdr = tables.hdr.parse(&tables.bases, 8).ok()?;
    let (frames, bases) = tables.frames(hdr.eh_frame_ptr().direct().ok()? as usize)?;
    let table = hdr.table()?;
    let fde = table
        .fde_for_address(&frames, &bases, address as u64, EhFrame::cie_from_offset)
        .ok()?;
    if fde.is_signal_trampoline() {
        return Some(Rule::SIGNAL);
    }
    let factors = (
        fde.cie().code_alignment_factor(),
        fde.cie().data_alignment_factor(),
    );
    let mut machine = Machine {
        at: fde.initial_address(),
        wanted: address as u64,
        factors,
        row: Row {
            cfa: Cfa::Plain(X86_64::RSP, 0),
            fp: Saved::Kept,
            pc: Saved::BelowCfa(-8),
        },
        initial: None,
        remembered: [None; REMEMBERED],
        depth: 0,
    };
    let mut instructions = fde.cie().instructions(&frames, &bases);
    while let Some(instruction) = instructions.next().ok()? {
        machine.step(instruction)?;
    }
    machine.at = fde.initial_address();
    machine.initial = Some(machine.row);
    let mut instructions = fde.instructions(&frames, &bases);
    while let Some(instruction) = instructions.next().ok()? {
        if !machine.step(instruction)? {
            break;
        }
    }
    Some(machine.row.rule(&frames, fde.cie().encoding(), address))
}

impl Tables {
    fn new(module: &'static Module) -> Option<Tables> {
        let hdr = module.eh_frame_hdr;
        let bytes = bytes(module, hdr)?;
        Some(Tables {
            hdr: EhFrameHdr::from(bytes),
            bases: BaseAddresses::default().set_eh_frame_hdr(hdr as u64),
            module,
        })
    }

    fn frames(&self, start: usize) -> Option<(EhFrame<Bytes>, BaseAddresses)> {
        let frames = EhFrame::from(bytes(self.module, start)?);
        Some((frames, self.bases.clone().set_eh_frame(start as u64)))
    }
}

/// What is mapped of a module from `start` on, as far as anybody reads: the tables say where they
/// end.
fn bytes(module: &'static Module, start: usize) -> Option<Bytes> {
    if start < module.start || start >= module.end {
        return None;
    }
    // SAFETY: part of a mapped file, of which code is running or was just now; holes between its
    // segments are not read.
    let bytes = unsafe { core::slice::from_raw_parts(start as *const u8, module.end - start) };
    Some(EndianSlice::new(bytes, LittleEndian))
}

/// Runs the program of a function up to an address.
struct Machine {
    at: u64,
    wanted: u64,
    factors: (u64, i64),
    row: Row,
    /// What the part that is common to many functions has said.
    initial: Option<Row>,
    remembered: [Option<Row>; REMEMBERED],
    depth: usize,
}

impl Machine {
    /// Does one instruction; false when the address is reached, `None` if it makes no sense.
    fn step(&mut self, instruction: Instruction<usize>) -> Option<bool> {
        let (code, data) = self.factors;
        let row = &mut self.row;
        match instruction {
            Instruction::SetLoc { address } => self.at = address,
            Instruction::AdvanceLoc { delta } => {
                self.at = self.at.wrapping_add(u64::from(delta).wrapping_mul(code));
            }
            Instruction::DefCfa { register, offset } => {
                row.cfa = Cfa::Plain(register, offset as i64);
            }
            Instruction::DefCfaSf {
                register,
                factored_offset,
            } => row.cfa = Cfa::Plain(register, factored_offset.wrapping_mul(data)),
            Instruction::DefCfaRegister { register } => {
                let Cfa::Plain(_, offset) = row.cfa else {
                    return None;
                };
                row.cfa = Cfa::Plain(register, offset);
            }
            Instruction::DefCfaOffset { offset } => row.move_cfa(offset as i64)?,
            Instruction::DefCfaOffsetSf { factored_offset } => {
                row.move_cfa(factored_offset.wrapping_mul(data))?;
            }
            Instruction::DefCfaExpression { expression } => row.cfa = Cfa::Computed(expression),
            Instruction::Undefined { register } => row.save(register, Saved::Undefined),
            Instruction::SameValue { register } => row.save(register, Saved::Kept),
            Instruction::Offset {
                register,
                factored_offset,
            } => {
                let offset = (factored_offset as i64).wrapping_mul(data);
                row.save(register, Saved::BelowCfa(offset));
            }
            Instruction::OffsetExtendedSf {
                register,
                factored_offset,
            } => row.save(
                register,
                Saved::BelowCfa(factored_offset.wrapping_mul(data)),
            ),
            Instruction::Expression {
                register,
                expression,
            } => row.save(register, Saved::Computed(expression)),
            Instruction::ValOffset { register, .. }
            | Instruction::ValOffsetSf { register, .. }
            | Instruction::ValExpression { register, .. } => row.save(register, Saved::Elsewhere),
            Instruction::Register { dest_register, .. } => {
                row.save(dest_register, Saved::Elsewhere);
            }
            Instruction::Restore { register } => {
                let initial = self.initial?;
                match register {
                    X86_64::RBP => row.fp = initial.fp,
                    X86_64::RA => row.pc = initial.pc,
                    _ => {}
                }
            }
            Instruction::RememberState => {
                *self.remembered.get_mut(self.depth)? = Some(self.row);
                self.depth += 1;
            }
            Instruction::RestoreState => {
                self.depth = self.depth.checked_sub(1)?;
                self.row = self.remembered[self.depth]?;
            }
            _ => {}
        }
        Some(self.at <= self.wanted)
    }
}

impl Row {
    fn save(&mut self, register: Register, saved: Saved) {
        match register {
            X86_64::RBP => self.fp = saved,
            X86_64::RA => self.pc = saved,
            _ => {}
        }
    }

    fn move_cfa(&mut self, to: i64) -> Option<()> {
        let Cfa::Plain(_, offset) = &mut self.cfa else {
            return None;
        };
        *offset = to;
        Some(())
    }

    fn rule(&self, frames: &EhFrame<Bytes>, encoding: gimli::Encoding, pc: usize) -> Rule {
        let value = |expression: &UnwindExpression<usize>| {
            let expression: Expression<Bytes> = expression.get(frames).ok()?;
            evaluate(expression, encoding, pc)
        };
        match self.pc {
            Saved::BelowCfa(-8) => {}
            Saved::Undefined => return Rule::OUTERMOST,
            _ => return Rule::UNKNOWN,
        }
        let fp = match &self.fp {
            // What is lost here was of no use to the caller.
            Saved::Kept | Saved::Undefined => SavedFp::Kept,
            Saved::BelowCfa(offset) => SavedFp::BelowCfa(*offset),
            Saved::Computed(expression) => match value(expression) {
                Some(Value::Address(Base::Fp, offset)) => SavedFp::AtFp(offset),
                _ => return Rule::UNKNOWN,
            },
            Saved::Elsewhere => return Rule::UNKNOWN,
        };
        let cfa = match &self.cfa {
            Cfa::Plain(X86_64::RSP, offset) => Some(Value::Address(Base::Sp, *offset)),
            Cfa::Plain(X86_64::RBP, offset) => Some(Value::Address(Base::Fp, *offset)),
            Cfa::Plain(..) => None,
            Cfa::Computed(expression) => value(expression),
        };
        match cfa {
            Some(Value::Address(Base::Sp, offset)) => Rule::new(Kind::FromSp, offset, 0, fp),
            Some(Value::Address(Base::Fp, offset)) => Rule::new(Kind::FromFp, offset, 0, fp),
            Some(Value::Word(Base::Sp, at, beyond)) => Rule::new(Kind::AtSp, at, beyond, fp),
            Some(Value::Word(Base::Fp, at, beyond)) => Rule::new(Kind::AtFp, at, beyond, fp),
            Some(Value::Number(_)) | None => Rule::UNKNOWN,
        }
    }
}

/// The value of an expression, as far as it is one that a rule can have. That of the procedure
/// linkage table depends on `pc`.
fn evaluate(expression: Expression<Bytes>, encoding: gimli::Encoding, pc: usize) -> Option<Value> {
    let mut values = [Value::Number(0); VALUES];
    let mut len = 0usize;
    let mut operations = expression.operations(encoding);
    while let Some(operation) = operations.next().ok()? {
        let value = match operation {
            Operation::RegisterOffset {
                register, offset, ..
            } => match register {
                X86_64::RSP => Value::Address(Base::Sp, offset),
                X86_64::RBP => Value::Address(Base::Fp, offset),
                X86_64::RA => Value::Number((pc as i64).wrapping_add(offset)),
                _ => return None,
            },
            Operation::UnsignedConstant { value } => Value::Number(value as i64),
            Operation::SignedConstant { value } => Value::Number(value),
            Operation::PlusConstant { value } => {
                len = len.checked_sub(1)?;
                values[len].plus(Value::Number(value as i64))?
            }
            Operation::Deref { size: 8, .. } => {
                len = len.checked_sub(1)?;
                let Value::Address(base, offset) = values[len] else {
                    return None;
                };
                Value::Word(base, offset, 0)
            }
            other => {
                len = len.checked_sub(2)?;
                combine(&other, values[len], values[len + 1])?
            }
        };
        *values.get_mut(len)? = value;
        len += 1;
    }
    values[..len].last().copied()
}

impl Value {
    fn plus(self, other: Value) -> Option<Value> {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => Some(Value::Number(a.wrapping_add(b))),
            (Value::Address(base, a), Value::Number(b))
            | (Value::Number(b), Value::Address(base, a)) => {
                Some(Value::Address(base, a.wrapping_add(b)))
            }
            (Value::Word(base, at, a), Value::Number(b))
            | (Value::Number(b), Value::Word(base, at, a)) => {
                Some(Value::Word(base, at, a.wrapping_add(b)))
            }
            _ => None,
        }
    }
}

fn combine(operation: &Operation<Bytes>, a: Value, b: Value) -> Option<Value> {
    if matches!(operation, Operation::Plus) {
        return a.plus(b);
    }
    let (Value::Number(a), Value::Number(b)) = (a, b) else {
        return None;
    };
    Some(Value::Number(match operation {
        Operation::And => a & b,
        Operation::Ge => i64::from(a >= b),
        Operation::Shl => a.checked_shl(u32::try_from(b).ok()?)?,
        _ => return None,
    }))
}
