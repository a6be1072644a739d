//! What there is to say of an address that is in no block.

use serde_json::json;

use super::Said;
use crate::heap::{Heap, Place};
use crate::image::Image;
use crate::in_module::InModule;
use crate::output;
use crate::symbols::Symbols;

/// Blocks that are further away are no near misses.
const NEAR: u64 = 1 << 20;

pub(super) fn of(heap: &Heap<'_>, address: u64, place: &Place, symbols: &mut Symbols<'_>) -> Said {
    let mut said = Said {
        word: place.word(),
        text: String::new(),
        more: vec![],
        json: json!({}),
    };
    said.text = match place {
        Place::Block { .. } | Place::Guarded { .. } => String::new(),
        Place::SlabTail { slab } => {
            let slab = &heap.slabs[*slab];
            format!(
                "is before the first block or behind the last one of the slab at {:#x}, of {} bytes each",
                slab.start, slab.bytes
            )
        }
        Place::Slot {
            superslab,
            slot,
            is_free,
        } => match is_free {
            true => format!("is in a free slot ({slot}) of the SuperSlab at {superslab:#x}"),
            false => format!(
                "is in a slot ({slot}) of the SuperSlab at {superslab:#x} that a thread has reserved"
            ),
        },
        Place::Stock => "is in a freed unit that waits for its next use".into(),
        Place::Reserved => "is in the arena, where nothing is mapped".into(),
        Place::Structures(purpose) => format!("is in the allocator's own memory: {purpose}"),
        _ => outside(heap.image, address, place, symbols),
    };
    said.json["what"] = said.text.clone().into();
    say_nearest(heap, address, &mut said);
    said
}

/// The live blocks below and above, if they are near.
fn say_nearest(heap: &Heap<'_>, address: u64, said: &mut Said) {
    for (side, near) in ["below", "above"].into_iter().zip(heap.nearest(address)) {
        let Some((slab, index)) = near else { continue };
        let (block, bytes) = (heap.slabs[slab].block(index), heap.slabs[slab].bytes);
        let away = match side {
            "below" => address.saturating_sub(block.saturating_add(bytes - 1)),
            _ => block - address,
        };
        if away <= NEAR {
            let text = format!("{block:#x}, live, {bytes} bytes; {away} bytes away");
            said.more.push((side, text));
            said.json[side] =
                json!({ "address": output::address(block), "bytes": bytes, "distance": away });
        }
    }
}

/// What is at an address that is not the heap's.
fn outside(image: &Image, address: u64, place: &Place, symbols: &mut Symbols<'_>) -> String {
    match place {
        Place::Stack {
            thread,
            from_pointer,
        } => match from_pointer {
            0.. => format!(
                "is on the stack of thread {thread}, {from_pointer} bytes above its stack pointer"
            ),
            _ => format!(
                "is on the stack of thread {thread}, {} bytes below its stack pointer: not in use",
                from_pointer.unsigned_abs()
            ),
        },
        Place::Module { module } => {
            let Some(module) = image.modules.iter().find(|m| m.index == *module) else {
                return "is in a file".into();
            };
            let path = module.path.display();
            let offset = address.wrapping_sub(module.base);
            match InModule::at(image, module, address, symbols, true) {
                Some(InModule::Code(name)) => format!("is code of {path}: {name}"),
                Some(InModule::Data(name)) => format!("is in {path} at {offset:#x}: {name}"),
                None => format!("is in {path} at {offset:#x}"),
            }
        }
        Place::Mapping { name } if name.is_empty() => "is in a mapping without a name".into(),
        Place::Mapping { name } => format!("is in {name}"),
        _ => match address {
            0..0x10000 => "is a null pointer, or near one".into(),
            0x8000_0000_0000.. => "is no address of a program".into(),
            _ => "is not mapped".into(),
        },
    }
}
