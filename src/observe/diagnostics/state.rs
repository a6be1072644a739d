//! The state from which a thread allocates, as a table: a row for each class that it uses.

use super::super::{Cache, ClassState, Occasion};
use super::Area;
use crate::size_class::CLASSES;
use crate::sys::stderr::Line;

/// The columns behind the thread, and how wide they are.
const COLUMNS: [(&str, usize); 13] = [
    ("bytes", 7),
    ("front", 7),
    ("of", 6),
    ("list", 6),
    ("of", 6),
    ("batch", 6),
    ("heat", 6),
    ("hot", 5),
    ("slab", 16),
    ("used", 6),
    ("free", 6),
    ("partial", 9),
    ("free", 7),
];
/// Where the first of them begins.
const FIRST: usize = 26;

/// Shows a cache.
pub(super) fn show(cache: &dyn Cache, occasion: Occasion) {
    if occasion == Occasion::Forked {
        return;
    }
    let why: &[u8] = match occasion {
        Occasion::ThreadEnds => b" ends",
        Occasion::Exit => b" at exit",
        _ => b" now",
    };
    let thread = Line::new().number(u64::from(cache.thread()));
    let used = |state: &ClassState| {
        state.front + state.list + state.partial + state.held_back != 0 || state.current.is_some()
    };
    let states = || (0..CLASSES).map(|class| cache.class(class));
    let held_back: usize = states().map(|state| state.held_back).sum();
    Area::State
        .line()
        .text(b"thread ")
        .text(thread.bytes())
        .text(why)
        .text(b", its cache is ")
        .text(cache.whose().as_bytes())
        .text(b"; blocks to be sent home: ")
        .number(held_back as u64)
        .write();
    if !states().any(|state| used(&state)) {
        return;
    }
    let mut line = Area::State.line().text(b"thread").to(FIRST);
    for (name, width) in COLUMNS {
        line = line.right(width, &Line::new().text(name.as_bytes()));
    }
    line.write();
    for state in states().filter(used) {
        row(&thread, &state);
    }
}

fn row(thread: &Line, state: &ClassState) {
    let (start, used, free) = match state.current {
        Some((start, counts)) => (
            Line::new().address(start),
            Line::new().number(counts.used as u64),
            Line::new().number(counts.free as u64),
        ),
        None => [const { Line::new() }; 3]
            .map(|line| line.text(b"-"))
            .into(),
    };
    let number = |number: usize| Line::new().number(number as u64);
    let hot: &[u8] = if state.hot { b"yes" } else { b"no" };
    let cells = [
        number(state.bytes),
        number(state.front),
        number(state.capacity),
        number(state.list),
        number(state.list_capacity),
        number(state.batch),
        number(state.heat),
        Line::new().text(hot),
        start,
        used,
        free,
        number(state.partial),
        number(state.partial_free),
    ];
    let mut line = Area::State.line().text(thread.bytes()).to(FIRST);
    for (cell, (_, width)) in cells.iter().zip(COLUMNS) {
        line = line.right(width, cell);
    }
    line.write();
}
