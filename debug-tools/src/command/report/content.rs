//! What the words in a block look like: text, addresses of blocks, functions, variables, numbers.

use crate::data_symbols;
use crate::event::named;
use crate::heap::{Heap, Place};
use crate::image::Image;
use crate::printable::Printable;
use crate::symbols::Symbols;

/// Words that are told.
const WORDS: u64 = 4;

/// The words of a block from an offset on, each with what it looks like; the block has so many bytes.
pub fn of(
    heap: &Heap<'_>,
    block: u64,
    bytes: u64,
    offset: u64,
    symbols: &mut Symbols<'_>,
) -> String {
    let first = offset / 8;
    let end = (first + WORDS).min(bytes / 8);
    let words = (first..end).filter_map(|index| heap.memory().word(block + 8 * index));
    let said: Vec<String> = words.map(|word| of_word(heap, word, symbols)).collect();
    said.join(", ")
}

fn of_word(heap: &Heap<'_>, word: u64, symbols: &mut Symbols<'_>) -> String {
    let text = word.to_le_bytes();
    let printable = text
        .iter()
        .take_while(|byte| (b' '..=b'~').contains(*byte))
        .count();
    // A short text has its end in the word.
    if printable == 8 || printable > 2 && text[printable..].iter().all(|byte| *byte == 0) {
        let text = String::from_utf8_lossy(&text[..printable]);
        return format!("{word:#x} (text {:?})", text);
    }
    let what = match heap.place(word) {
        Place::Block {
            slab,
            index,
            offset,
            state,
        } => {
            let bytes = heap.slabs[slab].bytes;
            let start = heap.slabs[slab].block(index);
            match offset {
                0 => format!("{}, {bytes} bytes", state.word()),
                _ => format!("{}, byte {offset} of {start:#x}", state.word()),
            }
        }
        Place::Module { module } => match in_module(heap.image, word, module, symbols) {
            Some(name) => name,
            None => return format!("{word:#x}"),
        },
        Place::Stack { thread, .. } => format!("stack of thread {thread}"),
        _ => return format!("{word:#x}"),
    };
    format!("{word:#x} ({what})")
}

/// The function or variable at an address.
fn in_module(
    image: &Image,
    address: u64,
    module: usize,
    symbols: &mut Symbols<'_>,
) -> Option<String> {
    let module = image.modules.iter().find(|m| m.index == module)?;
    if image
        .memory
        .segment(address)
        .is_some_and(|s| s.access.execute)
    {
        let functions = symbols.functions_at_instruction(address, 0);
        return Some(format!("code of {}", named(functions.first()?, false)));
    }
    let name = data_symbols::of(module, address.wrapping_sub(module.base))?;
    Some(format!("data {}", Printable(&name)))
}
