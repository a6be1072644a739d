//! Names for data: the variable of a program or library at an address.

use std::fs::File;

use hakmem_trace_format::reader::Module;
use object::{Object, ObjectSymbol, ReadCache, SymbolKind};

use crate::printable::Printable;

/// The variable at an address of the module's file, with the offset in it, by the file's symbols.
pub fn of(module: &Module, address: u64) -> Option<String> {
    let metadata = std::fs::metadata(&module.path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let cache = ReadCache::new(File::open(&module.path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let is_same = module.build_id.is_empty()
        || file
            .build_id()
            .ok()
            .flatten()
            .is_some_and(|id| id == module.build_id);
    if !is_same {
        return None;
    }
    let covers = |symbol: &object::Symbol<'_, '_, &ReadCache<File>>| {
        symbol.kind() == SymbolKind::Data
            && address
                .checked_sub(symbol.address())
                .is_some_and(|offset| offset < symbol.size())
    };
    let symbol = file
        .symbols()
        .find(covers)
        .or_else(|| file.dynamic_symbols().find(covers))?;
    let name = symbol.name().ok()?;
    let of_cpp = cpp_demangle::Symbol::new(name)
        .ok()
        .and_then(|name| name.demangle().ok());
    let demangled = of_cpp.unwrap_or_else(|| format!("{:#}", rustc_demangle::demangle(name)));
    let name = Printable(&demangled).to_string();
    match address - symbol.address() {
        0 => Some(name),
        offset => Some(format!("{name}+{offset}")),
    }
}
