//! Names for program counters: which file's code it was says the trace, which function, the file.
//!
//! A file that is not there any more, or is another one by its build id, is said once and not asked:
//! then the name is that of the file, with the offset in it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::rc::Rc;

use blazesym::symbolize::Builder;
use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Symbolizer};
use hakmem_trace_format::reader::{Module, Trace};

use crate::answer::{Answer, When};
use crate::elf;
use crate::failure::say;
use crate::image::{Frame, Image};
use crate::printable::Printable;

/// A function at a program counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, demangled; what is known of the place if it has none.
    pub name: String,
    /// The file that it was mapped from.
    pub module: Option<PathBuf>,
    /// Source file and line of the call in it.
    pub source: Option<(PathBuf, u32)>,
}

/// Who knows which file's code was where.
pub trait CodeMap {
    /// The file whose code was at `pc` at a time in ticks.
    fn module_of(&self, pc: u64, time: u64) -> Option<&Module>;
}

impl CodeMap for Trace {
    fn module_of(&self, pc: u64, time: u64) -> Option<&Module> {
        Trace::module_of(self, pc, time)
    }
}

impl CodeMap for Image {
    fn module_of(&self, pc: u64, _: u64) -> Option<&Module> {
        self.module(pc)
    }
}

/// The names of the program counters of a trace or an image.
pub struct Symbols<'t> {
    map: &'t dyn CodeMap,
    /// None if names are not wanted.
    symbolizer: Option<Symbolizer>,
    /// By the module's index: whether its file can be asked.
    usable: HashMap<usize, bool>,
    /// By the module's index and the address in it.
    known: HashMap<(usize, u64, u64), Rc<[Function]>>,
}

impl<'t> Symbols<'t> {
    /// As the answer is wanted; without names they are files and offsets.
    pub fn new(map: &'t dyn CodeMap, answer: &Answer) -> Self {
        let symbolizer = || {
            let builder: Builder = Symbolizer::builder();
            match &answer.debug_dir[..] {
                [] => builder.build(),
                directories => builder.set_debug_dirs(Some(directories)).build(),
            }
        };
        Self {
            map,
            symbolizer: (answer.symbols == When::Auto).then(symbolizer),
            usable: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The functions that return to `pc`, at a time in ticks: more than one where calls have been
    /// inlined, innermost first. There is at least one.
    pub fn functions(&mut self, pc: u64, time: u64) -> Rc<[Function]> {
        self.functions_at(pc, pc.saturating_sub(1), pc, time)
    }

    /// The functions whose instruction is at `pc`, as of a crash.
    pub fn functions_at_instruction(&mut self, pc: u64, time: u64) -> Rc<[Function]> {
        self.functions_at(pc.saturating_add(1), pc, pc, time)
    }

    /// The functions of a frame of a stack, at a time in ticks.
    pub fn functions_of(&mut self, frame: &Frame, time: u64) -> Rc<[Function]> {
        match frame.is_exact {
            true => self.functions_at_instruction(frame.pc, time),
            false => self.functions(frame.pc, time),
        }
    }

    /// Of the return address `pc`, whose call is at `call`; without a name it is `shown`.
    fn functions_at(&mut self, pc: u64, call: u64, shown: u64, time: u64) -> Rc<[Function]> {
        let Some(module) = self.map.module_of(call, time) else {
            return [unnamed(format!("{shown:#x}"), None)].into();
        };
        let address = pc.wrapping_sub(module.base);
        let shown = shown.wrapping_sub(module.base);
        let key = (module.index, address, shown);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let named = self.usable(module).then(|| self.ask(module, address));
        let functions = named.flatten().unwrap_or_else(|| {
            let file = module.path.file_name().unwrap_or(module.path.as_os_str());
            let name = format!("{}+{shown:#x}", file.to_string_lossy());
            [unnamed(name, Some(module.path.clone()))].into()
        });
        self.known.insert(key, functions.clone());
        functions
    }

    /// The functions at the call before an address of the file. None if it has no name for it.
    fn ask(&self, module: &Module, address: u64) -> Option<Rc<[Function]>> {
        let source = Source::Elf(Elf::new(&module.path));
        // A return address is behind the call, and may be the next function's.
        let call = Input::VirtOffset(address.checked_sub(1)?);
        let symbolizer = self.symbolizer.as_ref()?;
        let symbol = symbolizer
            .symbolize_single(&source, call)
            .ok()?
            .into_sym()?;
        let function = |name: &str, code: Option<&CodeInfo>| Function {
            name: name.to_owned(),
            module: Some(module.path.clone()),
            source: code.and_then(|code| Some((code.to_path().into_owned(), code.line?))),
        };
        let inlined = symbol.inlined.iter().rev();
        let mut functions: Vec<Function> = inlined
            .map(|f| function(&f.name, f.code_info.as_ref()))
            .collect();
        functions.push(function(&symbol.name, symbol.code_info.as_deref()));
        Some(functions.into())
    }

    /// Whether the module's file is there and still the same.
    fn usable(&mut self, module: &Module) -> bool {
        if self.symbolizer.is_none() {
            return false;
        }
        if let Some(usable) = self.usable.get(&module.index) {
            return *usable;
        }
        let usable = match check(module) {
            Ok(usable) => usable,
            Err(why) => {
                let path = module.path.to_string_lossy();
                let path = Printable(&path);
                say(format_args!("hakmem: note: no names from {path}: {why}"));
                false
            }
        };
        self.usable.insert(module.index, usable);
        usable
    }
}

fn unnamed(name: String, module: Option<PathBuf>) -> Function {
    Function {
        name,
        module,
        source: None,
    }
}

/// Whether a module's file can be asked for names. Fails if it cannot, and that is worth saying.
pub fn check(module: &Module) -> Result<bool, String> {
    // Code of the kernel's, and of nobody's.
    if !module.path.is_absolute() && !module.path_is_cut {
        return Ok(false);
    }
    if module.path_is_cut {
        return Err("its path was too long for the trace".into());
    }
    // A pipe or a device would keep the command waiting.
    let is_file = fs::metadata(&module.path).map(|file| file.is_file());
    if !is_file.map_err(|error| error.to_string())? {
        return Err("it is not a regular file".into());
    }
    if module.build_id.is_empty() {
        return Ok(true);
    }
    let file = File::open(&module.path).map_err(|error| error.to_string())?;
    let id = elf::build_id(file).map_err(|error| error.to_string())?;
    if id.as_ref() == Some(&module.build_id) {
        return Ok(true);
    }
    let hex = |id: &[u8]| {
        id.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let here = id.as_deref().map_or("none".into(), hex);
    let was = hex(&module.build_id);
    Err(format!(
        "it is not the file that was mapped: its build id is {here}, and was {was}"
    ))
}
