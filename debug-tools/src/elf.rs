//! An ELF file, as far as it matters here: for which machine it is, what loads it, what it
//! exports, and its build id.
//!
//! The file is not trusted. It is read in pieces, as they are needed; a broken one is an error.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Object, ObjectSymbol, ReadCache};

/// The first bytes of an ELF file.
pub const MAGIC: [u8; 4] = *b"\x7fELF";

/// How much of the header is the same in every ELF file: identification, type and machine.
const COMMON_HEADER: usize = 20;

/// Why a file cannot be used as an ELF file.
#[derive(Debug)]
pub enum ElfError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It does not begin like an ELF file.
    NotElf,
    /// It is an ELF file, but for another machine, which is named here.
    Foreign(String),
    /// It begins like an ELF file, but is damaged or cut short.
    Broken(object::Error),
}

impl From<object::Error> for ElfError {
    fn from(error: object::Error) -> Self {
        Self::Broken(error)
    }
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::NotElf => write!(f, "it is not an ELF file"),
            Self::Foreign(machine) => write!(f, "it is built for {machine}, not for 64-bit x86-64"),
            Self::Broken(error) => write!(f, "its ELF structure is damaged: {error}"),
        }
    }
}

/// What kind of ELF file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program, whether position-independent or not.
    Program,
    /// A shared object. A static position-independent program without the flag that marks it as
    /// one (`DF_1_PIE`) looks the same.
    SharedObject,
    /// An object file, a core file or the like.
    Other,
}

/// A 64-bit x86-64 ELF file.
#[derive(Debug)]
pub struct Elf {
    cache: ReadCache<File>,
    /// Its kind.
    pub kind: Kind,
    /// The dynamic loader that it asks for (`PT_INTERP`). None in a static program and in most
    /// shared objects.
    pub interpreter: Option<PathBuf>,
}

impl Elf {
    /// Reads the headers of `file`, from its start.
    pub fn read(mut file: File) -> Result<Self, ElfError> {
        check_machine(&mut file)?;
        let cache = ReadCache::new(file);
        let (kind, interpreter) = read_headers(&cache)?;
        Ok(Self {
            cache,
            kind,
            interpreter,
        })
    }

    /// Whether its dynamic symbols define `name`.
    pub fn exports(&self, name: &str) -> Result<bool, ElfError> {
        let file = ElfFile64::<LittleEndian, _>::parse(&self.cache)?;
        Ok(file
            .dynamic_symbols()
            .any(|symbol| symbol.is_definition() && symbol.name() == Ok(name)))
    }
}

/// Looks at the part of the header that does not depend on the machine.
fn check_machine(file: &mut File) -> Result<(), ElfError> {
    let mut header = [0; COMMON_HEADER];
    file.rewind().map_err(ElfError::Unreadable)?;
    let length = read_fully(file, &mut header).map_err(ElfError::Unreadable)?;
    if !header[..length].starts_with(&MAGIC) {
        return Err(ElfError::NotElf);
    }
    let class = elf::FileClass(header[4]);
    let data = elf::DataEncoding(header[5]);
    let machine = [header[18], header[19]];
    let machine = elf::Machine(match data {
        elf::ELFDATA2MSB => u16::from_be_bytes(machine),
        _ => u16::from_le_bytes(machine),
    });
    match (class, data, machine) {
        // One that is cut short within these bytes is told by the parser.
        (elf::ELFCLASS64, elf::ELFDATA2LSB, elf::EM_X86_64) => Ok(()),
        _ if length < COMMON_HEADER => Ok(()),
        _ => Err(ElfError::Foreign(machine_name(class, machine))),
    }
}

fn machine_name(class: elf::FileClass, machine: elf::Machine) -> String {
    let name = match machine {
        elf::EM_386 => "x86",
        elf::EM_X86_64 => "x86-64 (x32)",
        elf::EM_ARM => "Arm",
        elf::EM_AARCH64 => "AArch64",
        elf::EM_RISCV => "RISC-V",
        elf::EM_PPC | elf::EM_PPC64 => "PowerPC",
        elf::EM_MIPS => "MIPS",
        elf::EM_S390 => "S/390",
        elf::EM_LOONGARCH => "LoongArch",
        other => return format!("another machine (ELF machine {})", other.0),
    };
    match class {
        elf::ELFCLASS32 => format!("32-bit {name}"),
        _ => format!("64-bit {name}"),
    }
}

/// Fills `buffer` as far as the file goes; how far that is.
pub fn read_fully(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// The kind and the interpreter, from the header and the program headers.
fn read_headers(cache: &ReadCache<File>) -> Result<(Kind, Option<PathBuf>), object::Error> {
    let header = FileHeader64::<LittleEndian>::parse(cache)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, cache)?;
    let first = |kind| segments.iter().find(|s| s.p_type(endian) == kind);

    let interpreter = match first(elf::PT_INTERP) {
        Some(segment) => segment.interpreter(endian, cache)?,
        None => None,
    };
    let dynamic = match first(elf::PT_DYNAMIC) {
        Some(segment) => segment.dynamic(endian, cache)?.unwrap_or_default(),
        None => &[],
    };
    let marked_as_program = dynamic
        .iter()
        .take_while(|entry| entry.tag(endian) != elf::DT_NULL)
        .any(|entry| {
            entry.tag(endian) == elf::DT_FLAGS_1 && entry.val(endian) & elf::DF_1_PIE.0 != 0
        });
    let kind = match header.e_type(endian) {
        elf::ET_EXEC => Kind::Program,
        elf::ET_DYN if marked_as_program => Kind::Program,
        elf::ET_DYN => Kind::SharedObject,
        _ => Kind::Other,
    };
    let interpreter = interpreter.map(|path| PathBuf::from(OsStr::from_bytes(path)));
    Ok((kind, interpreter))
}

/// The GNU build id of a file. None if it has none.
pub fn build_id(file: File) -> Result<Option<Vec<u8>>, ElfError> {
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache)?;
    Ok(elf.build_id()?.map(<[u8]>::to_vec))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::fs;

    /// The least ELF header that a 32-bit x86 program has.
    pub fn header_of_a_32_bit_program() -> Vec<u8> {
        let mut header = vec![0; 52];
        header[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
        header[16] = 2; // ET_EXEC
        header[18] = 3; // EM_386
        header
    }

    fn read(bytes: &[u8]) -> Result<Elf, ElfError> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        Elf::read(file)
    }

    #[test]
    fn this_test_is_a_dynamic_program() {
        let elf = Elf::read(File::open("/proc/self/exe").unwrap()).unwrap();
        assert_eq!(elf.kind, Kind::Program);
        assert_eq!(
            elf.interpreter.as_deref(),
            Some("/lib64/ld-linux-x86-64.so.2".as_ref())
        );
        assert!(!elf.exports("malloc").unwrap());
    }

    #[test]
    fn the_c_library_is_a_shared_object_that_exports_malloc() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let path = maps
            .lines()
            .filter_map(|line| line.find('/').map(|at| &line[at..]))
            .find(|path| path.ends_with("/libc.so.6"))
            .unwrap();
        let elf = Elf::read(File::open(path).unwrap()).unwrap();
        assert_eq!(elf.kind, Kind::SharedObject);
        assert!(elf.exports("malloc").unwrap());
        assert!(!elf.exports("no_such_function").unwrap());
    }

    #[test]
    fn other_files_are_told_apart() {
        assert!(matches!(read(b""), Err(ElfError::NotElf)));
        assert!(matches!(
            read(b"INPUT(libhakmem.so)"),
            Err(ElfError::NotElf)
        ));
        assert!(matches!(read(b"\x7fELF"), Err(ElfError::Broken(_))));
        let foreign = |header: &[u8]| read(header).unwrap_err().to_string();
        let mut header = header_of_a_32_bit_program();
        assert!(foreign(&header).contains("32-bit x86,"));
        header[4] = 2;
        header[18] = 183;
        assert!(foreign(&header).contains("64-bit AArch64"));
        header[5] = 2;
        header[18..20].copy_from_slice(&[0, 22]);
        assert!(foreign(&header).contains("64-bit S/390"));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_a_panic() {
        let whole = fs::read("/proc/self/exe").unwrap();
        for length in (0..1024).chain((1024..whole.len()).step_by(whole.len() / 16)) {
            if let Ok(elf) = read(&whole[..length]) {
                let _ = elf.exports("malloc");
            }
        }
        // The ELF header and the program headers, each byte of them.
        for at in 0..1024 {
            let mut damaged = whole[..whole.len().min(1 << 16)].to_vec();
            damaged[at] = !damaged[at];
            if let Ok(elf) = read(&damaged) {
                let _ = elf.exports("malloc");
            }
        }
    }
}
