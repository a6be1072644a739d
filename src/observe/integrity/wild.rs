//! An access that has nothing to do with a block, as far as is known: one line that says what the
//! address is, and what is near it.

use super::guard::How;
use super::kind::Kind;
use super::report::{self, Finder, Finding, Subject};
use crate::observe::modules;
use crate::observe::report::Line;
use crate::size_class::MIN_ALIGN;
use crate::sys::fatal_signal::{self, Delivery};
use crate::sys::memory::PAGE;
use crate::sys::stack;

/// Below this nothing is ever mapped (`vm.mmap_min_addr`): such an address is null, and something
/// that was added to it.
const NULL_END: usize = 64 << 10;
/// How far from a block, or from a file, is near.
const NEAR: usize = 1 << 20;
/// How far below its stack pointer a program may access a stack that is used up.
const RED: usize = 16 * PAGE;

/// How far from a block an access is its block's, where no memory is.
const BESIDE: usize = PAGE;

/// An access to where no memory is, close to a live block: tells it; says whether it is one.
pub(super) fn beside(delivery: Delivery, how: How, finder: Finder<'_>) -> bool {
    let address = delivery.address();
    let steps = (0..BESIDE).step_by(MIN_ALIGN);
    let live = |at: usize| Subject::of(at).filter(Subject::is_live);
    let nearest = steps
        .flat_map(|step| [address.wrapping_sub(step), address.wrapping_add(step)])
        .find_map(live);
    let Some(block) = nearest.filter(|_| delivery.page_fault().is_some() && how != How::Execution)
    else {
        return false;
    };
    let end = block.address + block.size;
    let is_in_front = address < block.address;
    if !is_in_front && address < end {
        return false;
    }
    let mut sentence = Line::part();
    sentence.text(how.name()).text(b" ");
    if is_in_front {
        sentence
            .number(block.address - address)
            .text(b" bytes in front of");
    } else {
        sentence
            .number(address - end)
            .text(b" bytes behind the end of");
    }
    sentence
        .text(b" a block of ")
        .bytes_at(block.size, block.address)
        .text(b", where there is no memory");
    report::only_tell(&Finding {
        kind: if is_in_front {
            Kind::HeapUnderflow
        } else {
            Kind::HeapOverflow
        },
        sentence: sentence.bytes(),
        address,
        subject: Some(block),
        damage: None,
        finder,
        unknown: b"which block was meant: this one is the nearest",
    });
    true
}

/// Says what it is.
pub(super) fn tell(delivery: Delivery, how: How, thread: u32) {
    let address = delivery.address();
    let (pc, sp, _) = delivery.place();
    let mut line = Line::new();
    line.text(fatal_signal::name(delivery.signal).as_bytes())
        .text(b": ");
    if delivery.page_fault().is_some() && is_used_up(address, sp) {
        line.text(b"the stack of thread ")
            .number(thread as usize)
            .text(b" is used up: ")
            .text(how.name())
            .text(b" at ")
            .address(address)
            .text(b", where it ends");
    } else if delivery.page_fault().is_none() && address == 0 {
        line.text(b"an access through an address that is none, which the processor does not say");
    } else {
        line.text(how.name()).text(b" at ").address(address);
        what_it_is(&mut line, address);
    }
    if how != How::Execution {
        line.text(b"; by ").function(pc, false);
    }
    line.write();
}

/// Whether an access is one of a stack that has no page left: at its pointer, where nothing can be
/// read, and close above is what is in use.
fn is_used_up(address: usize, sp: usize) -> bool {
    let page = address & !(PAGE - 1);
    let is_at_pointer = (sp.saturating_sub(RED)..sp.saturating_add(PAGE)).contains(&address);
    is_at_pointer
        && !stack::is_readable(page)
        && (page..page + 2 * RED).step_by(PAGE).any(stack::is_readable)
}

fn what_it_is(line: &mut Line, address: usize) {
    if address < NULL_END {
        line.text(b", which is null");
        if address > 0 {
            line.text(b" and ").number(address);
        }
    } else if let Some(module) = modules::of(address) {
        line.text(b", in ")
            .foreign(module.path)
            .text(b"+")
            .address(address - module.base)
            .text(b", which does not allow it");
    } else if !near_block(line, address) && !near_module(line, address) {
        line.text(b", which is near no block and no file of code");
    }
}

fn near_block(line: &mut Line, address: usize) -> bool {
    let steps = (0..NEAR).step_by(PAGE);
    let near = steps
        .flat_map(|step| [address.wrapping_sub(step), address.wrapping_add(step)])
        .find_map(Subject::of);
    let Some(block) = near else {
        return false;
    };
    let end = block.address + block.size;
    line.text(b", ");
    if address < block.address {
        line.number(block.address - address)
            .text(b" bytes in front of");
    } else if address >= end {
        line.number(address - end).text(b" bytes behind the end of");
    } else {
        line.text(b"at offset ")
            .number(address - block.address)
            .text(b" of");
    }
    line.text(b" the block that is nearest, of ")
        .bytes_at(block.size, block.address)
        .text(b" (")
        .text(block.state_name().as_bytes())
        .text(b")");
    true
}

fn near_module(line: &mut Line, address: usize) -> bool {
    let mut nearest = (NEAR, None);
    modules::each(|module| {
        let distance = if address < module.start {
            module.start - address
        } else {
            address.saturating_sub(module.end)
        };
        if module.is_loaded() && distance < nearest.0 {
            nearest = (distance, Some(module));
        }
    });
    let (distance, Some(module)) = nearest else {
        return false;
    };
    line.text(b", ")
        .number(distance)
        .text(if address < module.start {
            b" bytes below "
        } else {
            b" bytes above "
        });
    line.foreign(module.path);
    true
}
