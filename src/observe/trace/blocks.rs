//! Records of blocks: what they say, and how they are written with their stacks.
//!
//! The hooks write a record themselves where the stack is one of those that the thread knows, and
//! all is plain; the rest is here, out of their way.

use super::life::{Life, Shape};
use super::local::Local;
use super::module_file;
use super::session;
use super::state::{ON, state};
use super::writer::Writer;
use super::{clock, is_filtered, say_if_verbose};
use crate::observe::caller::Caller;
use crate::observe::known_stacks::Innermost;
use crate::observe::modules;
use crate::observe::stack;
use crate::observe::{Block, Release, Request};
use core::mem::MaybeUninit;
use hakmem_trace_format::{ADDRESS_MAX, Api, Kind, Record, STACK_NONE, hash_of_frames};

/// A record about a block, but for its value, stack and thread.
#[inline(always)]
pub(super) fn of_block(
    kind: Kind,
    block: &Block<'_, Life>,
    shape: Shape,
    generation: u32,
    caller: Caller,
    now: u64,
) -> Record {
    let address = block.address.as_ptr() as u64;
    // SAFETY: a block that was found in the registry: its map ends far below.
    unsafe { core::hint::assert_unchecked(address <= ADDRESS_MAX) };
    Record::new(kind, Api::Unknown, now, address)
        .with_api_code(caller.api())
        .with_shape(shape.0)
        .with_caller(caller.pc() as u64)
        .with_generation(generation)
}

/// The record of a block that is handed out, whose life begins.
#[inline(always)]
pub(super) fn allocation(block: &Block<'_, Life>, request: &Request, now: u64) -> Record {
    let caller = request.caller;
    let (kind, value) = match caller.other() {
        0 => (Kind::Allocate, block.bytes),
        other => (Kind::ResizeIn, other),
    };
    let shape = Shape::new(request.size, request.align, block.class);
    let generation = block.record.map_or(0, |life| life.begin(shape));
    of_block(kind, block, shape, generation, caller, now).with_value(value as u64)
}

/// The record of a block that is given back.
#[inline(always)]
pub(super) fn free(block: &Block<'_, Life>, release: &Release, now: u64) -> Record {
    let caller = release.caller;
    let kind = match caller.other() {
        0 if release.is_remote => Kind::RemoteFree,
        0 => Kind::Free,
        _ => Kind::ResizeOut,
    };
    let shape = match block.record.and_then(|life| life.shape()) {
        Some(shape) => shape,
        None => Shape::unknown(block.bytes, block.class),
    };
    let generation = block.record.map_or(0, |life| life.generation());
    let record = of_block(kind, block, shape, generation, caller, now);
    record.with_value(caller.other() as u64)
}

#[cold]
#[inline(never)]
pub(super) fn allocated_slow(local: &Local, block: Block<'_, Life>, request: Request) {
    let caller = request.caller;
    if is_filtered() {
        local.begin_if_new();
        let writer = local.writer();
        let is_traced = match caller.other() {
            0 => {
                let (thread, pc) = (writer.thread(), caller.pc());
                let filter = &session::plan().filter;
                filter.takes(request.size, block.class, thread, pc, writer.skip())
            }
            _ => writer.resizes_traced(),
        };
        if let Some(life) = block.record {
            life.leave_out(!is_traced);
        }
        if !is_traced {
            if let Some(life) = block.record {
                life.begin(Shape::new(request.size, request.align, block.class));
            }
            return;
        }
    }
    let record = allocation(&block, &request, clock::now());
    write_with_stack(local, record, caller);
}

#[cold]
#[inline(never)]
pub(super) fn freeing_slow(local: &Local, block: Block<'_, Life>, release: Release) {
    if is_filtered() && !block.record.is_some_and(|life| life.is_traced()) {
        return;
    }
    let record = free(&block, &release, clock::now());
    write_with_stack(local, record, release.caller);
}

/// This thread's writer and the id of the call's stack, if it is at hand.
#[inline(always)]
pub(super) fn known(local: &Local, caller: Caller) -> Option<(&Writer, u32)> {
    let writer = local.writer();
    // SAFETY: the call waits for us.
    let id = unsafe { writer.known.id(innermost(caller)) }?;
    Some((writer, id))
}

#[inline(always)]
fn innermost(caller: Caller) -> Innermost {
    Innermost {
        pc: caller.pc(),
        sp: caller.sp(),
        fp: caller.fp(),
    }
}

/// Writes a record, with the thread and the stack of the call.
#[cold]
#[inline(never)]
pub(super) fn write_with_stack(local: &Local, record: Record, caller: Caller) {
    local.begin_if_new();
    let mut room: stack::Room = [const { MaybeUninit::uninit() }; stack::FRAMES];
    let frames = stack::capture_into(&local.stack, caller, &mut room);
    let writer = local.writer();
    let id = writer.stack_id(hash_of_frames(frames), || add_stack(frames));
    if id != STACK_NONE && state() == ON {
        // Of none but the caller nothing is read.
        let is_off = stack::mode() == stack::Mode::Off;
        let is_own = |address| is_off || local.stack.has(address);
        // SAFETY: the call waits for us; the own stack is mapped.
        unsafe { writer.known.keep(innermost(caller), frames, id, is_own) };
    }
    let record = record.with_stack(id);
    say_if_verbose(&record.with_thread(writer.thread()));
    local.write(record);
}

/// Puts a stack in the table; `None` if there is none to put it in.
#[cold]
#[inline(never)]
fn add_stack(frames: &[u64]) -> Option<u32> {
    let session = session::get()?;
    let id = session.stacks()?.insert(frames);
    modules::meet_stack(frames);
    module_file::update(session);
    (id != STACK_NONE).then_some(id)
}
