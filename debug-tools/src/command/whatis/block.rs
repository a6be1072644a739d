//! What there is to say of a block.

use serde_json::{Value, json};

use super::Said;
use crate::command::kept::Kept;
use crate::heap::{Heap, Slab, State};
use crate::output;
use crate::symbols::Symbols;

/// A line with its name.
type Line = (&'static str, String);

/// Of the block of a slab that an address is in, so many bytes from its start.
pub(super) fn of_slab(
    heap: &Heap<'_>,
    (number, index, offset): (usize, usize, u64),
    state: State,
    symbols: &mut Symbols<'_>,
) -> Said {
    let slab = &heap.slabs[number];
    let mut more = lines(heap, slab, index, state);
    // A word before it, or the first bytes: often meant for the block below.
    if offset < 16 && index > 0 {
        let bits = heap.bits(slab);
        let (below, bytes) = (slab.block(index - 1), slab.bytes);
        let state = heap.state(slab, index - 1, &bits).word();
        more.push((
            "below",
            format!("{below:#x}, {state}, {bytes} bytes, ends here"),
        ));
    }
    let mut json = json!({
        "block": output::address(slab.block(index)),
        "bytes": slab.bytes,
        "offset": offset,
        "class": if slab.is_large() { Value::from("large") } else { Value::from(slab.class) },
        "slab": output::address(slab.start),
        "header": output::address(slab.header),
        "index": index,
        "part": state.part(),
        "owner": heap.owner(slab).map(|owner| owner.thread),
    });
    if let Some(record) = heap.bits(slab).records.get(index).copied() {
        let guards = heap.guards(slab, index, &record);
        let kept = Kept {
            heap,
            record,
            guards,
        };
        if let Some(why) = heap.disagreement(slab, index, state, &record) {
            more.push(("doubtful", why));
        }
        more.extend(kept.lines(symbols));
        json["record"] = kept.json(symbols);
    }
    let place = match offset {
        0 => "begins".to_owned(),
        _ => format!("is byte {offset} of"),
    };
    Said {
        word: state.word(),
        text: format!("{place} a block of {} bytes", slab.bytes),
        more,
        json,
    }
}

/// The block, its slab, whose that is, and who holds the block free.
fn lines(heap: &Heap<'_>, slab: &Slab, index: usize, state: State) -> Vec<Line> {
    let (block, bytes) = (slab.block(index), slab.bytes);
    let class = match slab.is_large() {
        true => "large".to_owned(),
        false => slab.class.to_string(),
    };
    let of_slab = format!(
        "{:#x}, block {index} of {} (header {:#x})",
        slab.start, slab.blocks, slab.header
    );
    let mut lines = vec![
        ("block", format!("{block:#x}, {bytes} bytes, class {class}")),
        ("slab", of_slab),
    ];
    if let Some(owner) = heap.owner(slab) {
        let doubt = match owner.is_busy {
            true => "; it was being changed, so doubt this",
            false => "",
        };
        lines.push(("owner", format!("{}{doubt}", owner.whose())));
    }
    let held = match state {
        State::Cached(held) => heap
            .caches
            .get(held.cache as usize)
            .map(|cache| format!("{} of {}", state.part(), cache.whose())),
        State::Returned => Some("freed by another thread, on its way home".into()),
        _ => None,
    };
    lines.extend(held.map(|held| ("held", held)));
    lines
}

/// An address in the pages of a guarded block.
pub(super) fn guarded(
    heap: &Heap<'_>,
    number: usize,
    offset: i64,
    (is_inside, is_live): (bool, bool),
    symbols: &mut Symbols<'_>,
) -> Said {
    let block = &heap.guarded[number];
    let size = block.record.size;
    let state = if is_live { "live" } else { "freed" };
    let text = match offset {
        _ if is_inside && offset == 0 => format!("begins a guarded block of {size} bytes"),
        _ if is_inside => format!("is byte {offset} of a guarded block of {size} bytes"),
        0.. => format!(
            "is {} bytes behind the end of a guarded block of {size} bytes, {state}",
            offset.unsigned_abs() - size.max(1) + 1
        ),
        _ => format!(
            "is {} bytes in front of a guarded block of {size} bytes, {state}",
            offset.unsigned_abs()
        ),
    };
    let pages = match block.is_closed {
        true => "taken away: the first access is refused".into(),
        false => format!("{:#x} to {:#x}", block.open.0, block.open.1),
    };
    let kept = Kept {
        heap,
        record: block.record,
        guards: if is_live {
            block.guards().to_vec()
        } else {
            vec![]
        },
    };
    let mut more = vec![
        (
            "block",
            format!("{:#x}, {size} bytes, guarded", block.start),
        ),
        ("pages", pages),
    ];
    more.extend(kept.lines(symbols));
    let json = json!({
        "block": output::address(block.start),
        "bytes": size,
        "offset": offset,
        "class": "guarded",
        "record": kept.json(symbols),
    });
    Said {
        word: "",
        text,
        more,
        json,
    }
}
