//! All rules of all files that are loaded, compared with gimli's rows.

use super::*;
use crate::observe::modules;

/// Room for gimli's own evaluation of the tables.
struct Storage;

impl gimli::UnwindContextStorage<usize> for Storage {
    type Rules = [(gimli::Register, gimli::RegisterRule<usize>); 192];
    type Stack = [gimli::UnwindTableRow<usize, Self>; 8];
}

/// What gimli's row says, where it is something that a rule can say without an expression.
fn of_row(row: &gimli::UnwindTableRow<usize, Storage>) -> Option<rule::Rule> {
    use gimli::{CfaRule, RegisterRule, X86_64};
    use rule::{Kind, Rule, SavedFp};
    match row.register(X86_64::RA) {
        Some(RegisterRule::Offset(-8)) => {}
        Some(RegisterRule::Undefined) => return Some(Rule::OUTERMOST),
        _ => return None,
    }
    let fp = match row.register(X86_64::RBP) {
        None | Some(RegisterRule::SameValue | RegisterRule::Undefined) => SavedFp::Kept,
        Some(RegisterRule::Offset(offset)) => SavedFp::BelowCfa(offset),
        _ => return None,
    };
    match *row.cfa() {
        CfaRule::RegisterAndOffset {
            register: X86_64::RSP,
            offset,
        } => Some(Rule::new(Kind::FromSp, offset, 0, fp)),
        CfaRule::RegisterAndOffset {
            register: X86_64::RBP,
            offset,
        } => Some(Rule::new(Kind::FromFp, offset, 0, fp)),
        CfaRule::RegisterAndOffset { .. } => Some(Rule::UNKNOWN),
        CfaRule::Expression(_) => None,
    }
}

/// Every row of every function of what is loaded here, libc and libgcc among it.
#[test]
fn the_rules_are_gimli_s() {
    use gimli::{BaseAddresses, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, UnwindSection};
    modules::refresh();
    let (mut compared, mut unknown, mut computed) = (0, 0, 0);
    modules::each(|module| {
        let is_ours = module.path.ends_with(b"come.so") || module.path.ends_with(b"go.so");
        if !module.is_loaded() || module.eh_frame_hdr == 0 || is_ours {
            return;
        }
        let bytes = |start: usize| {
            // SAFETY: of a mapped file, as in unwind_table.rs.
            let bytes =
                unsafe { core::slice::from_raw_parts(start as *const u8, module.end - start) };
            EndianSlice::new(bytes, LittleEndian)
        };
        let hdr_at = module.eh_frame_hdr as u64;
        let bases = BaseAddresses::default().set_eh_frame_hdr(hdr_at);
        let hdr = EhFrameHdr::from(bytes(module.eh_frame_hdr));
        let hdr = hdr.parse(&bases, 8).expect("a header");
        let start = hdr.eh_frame_ptr().direct().expect("an address");
        let bases = bases.set_eh_frame(start);
        let frames = EhFrame::from(bytes(start as usize));
        let table = hdr.table().expect("a table");
        let mut functions = table.iter(&bases);
        let mut context = std::boxed::Box::new(gimli::UnwindContext::<usize, Storage>::new_in());
        while let Some((_, fde)) = functions.next().expect("a table") {
            let offset = table.pointer_to_offset(fde).expect("an offset");
            let fde = frames
                .fde_from_offset(&bases, offset, EhFrame::cie_from_offset)
                .expect("a function");
            if fde.is_signal_trampoline() {
                let rule = unwind_table::rule(module, fde.initial_address() as usize);
                assert_eq!(rule, Some(rule::Rule::SIGNAL));
                continue;
            }
            let mut rows = fde.rows(&frames, &bases, &mut context).expect("rows");
            while let Some(row) = rows.next_row().expect("a row") {
                if row.start_address() == row.end_address() {
                    continue;
                }
                for address in [row.start_address(), row.end_address() - 1] {
                    let ours = unwind_table::rule(module, address as usize).expect("a rule");
                    match of_row(row) {
                        Some(theirs) => assert_eq!(ours, theirs, "{address:#x}"),
                        None => computed += 1,
                    }
                    compared += 1;
                    unknown += usize::from(ours == rule::Rule::UNKNOWN);
                }
            }
        }
    });
    std::println!("{compared} places, {unknown} without a rule, {computed} by expressions");
    assert!(compared > 10_000 && unknown * 100 < compared);
}
