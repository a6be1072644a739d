//! What the words in a block look like: text, addresses of blocks, functions, variables, numbers.

use crate::heap::{Heap, Place};
use crate::in_module::InModule;
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
        Place::Module { module } => {
            let module = heap.image.modules.iter().find(|m| m.index == module);
            match module.and_then(|m| InModule::at(heap.image, m, word, symbols, false)) {
                Some(InModule::Code(name)) => format!("code of {name}"),
                Some(InModule::Data(name)) => format!("data {name}"),
                None => return format!("{word:#x}"),
            }
        }
        Place::Stack { thread, .. } => format!("stack of thread {thread}"),
        _ => return format!("{word:#x}"),
    };
    format!("{word:#x} ({what})")
}
