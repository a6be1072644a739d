//! The function or variable at an address of a program's or library's file.

use hakmem_trace_format::reader::Module;

use crate::data_symbols;
use crate::event::named;
use crate::image::Image;
use crate::symbols::Symbols;

/// What has a name there.
pub enum InModule {
    /// A function.
    Code(String),
    /// A variable, with the offset in it.
    Data(String),
}

impl InModule {
    /// What is at an address of the module, by its name; of a function with file and line, if that is
    /// wanted.
    pub fn at(
        image: &Image,
        module: &Module,
        address: u64,
        symbols: &mut Symbols<'_>,
        with_line: bool,
    ) -> Option<Self> {
        let segment = image.memory.segment(address);
        if segment.is_some_and(|segment| segment.access.execute) {
            let functions = symbols.functions_at_instruction(address, 0);
            return Some(Self::Code(named(functions.first()?, with_line)));
        }
        let name = data_symbols::of(module, address.wrapping_sub(module.base))?;
        Some(Self::Data(name))
    }
}
