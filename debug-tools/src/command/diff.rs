//! `hakmem diff`: which blocks one source has more of than another.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Args;
use hakmem_trace_format::reader::{self, Trace};
use serde_json::{Value, json};

use super::sites::{By, Key, Sites, Stacks, Tally, name};
use crate::answer::{self, Answer, Moment};
use crate::failure::{Failure, Status};
use crate::heap::{Heap, State};
use crate::output::{self, Output};
use crate::progress::Progress;
use crate::source::Source;
use crate::symbols::Symbols;

/// Compare the blocks that are live in two sources
///
/// Two traces by the stacks of calls that asked for the blocks, with functions by name, so that
/// addresses may differ; with a core file or process, by size. The same trace twice, with --from and
/// --to, tells what came between two times.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem diff before/ after/
  hakmem diff --from 1s --to 10s trace/ trace/
  hakmem diff core.1 core.2

Exit status: 0 if nothing differs, 1 if something does, 2 if a source cannot be read or the command line \
is wrong, 3 if a part of a source is missing and the rest was used.")]
pub struct Diff {
    /// The source to compare with
    #[arg(value_name = "A")]
    before: PathBuf,

    /// The source that may have more
    #[arg(value_name = "B")]
    after: PathBuf,

    /// A as it was at this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = answer::parse_moment)]
    from: Option<Moment>,

    /// B as it was at this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = answer::parse_moment)]
    to: Option<Moment>,

    /// What blocks are grouped by [default: site for two traces, else size]
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,

    /// How many groups are printed; 0 for all
    #[arg(long, value_name = "N", default_value_t = 30)]
    top: usize,

    #[command(flatten)]
    answer: Answer,
}

/// What a group has in both.
#[derive(Clone, Copy, Default)]
struct Both {
    before: Tally,
    after: Tally,
}

impl Both {
    fn bytes(&self) -> i128 {
        i128::from(self.after.bytes) - i128::from(self.before.bytes)
    }

    fn blocks(&self) -> i128 {
        i128::from(self.after.blocks) - i128::from(self.before.blocks)
    }
}

impl Diff {
    /// Prints what differs.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let sources = [Source::open(&self.before)?, Source::open(&self.after)?];
        let are_traces = sources
            .iter()
            .all(|source| matches!(source, Source::Trace(_)));
        let by = self
            .by
            .unwrap_or(if are_traces { By::Site } else { By::Size });
        if by.takes_trace() && !are_traces {
            let why = "memory does not say when and by whom blocks were asked for";
            let next = "use --by size or --by thread";
            return Err(Failure::new(
                Status::Usage,
                "this takes two traces",
                why,
                next,
            ));
        }
        let progress = Progress::begin("looking through the records");
        let mut groups: HashMap<Vec<String>, Both> = HashMap::new();
        let moments = [self.from, self.to];
        for (index, (source, moment)) in sources.iter().zip(moments).enumerate() {
            for (name, tally) in self.sites(source, by, moment)? {
                let both = groups.entry(name).or_default();
                let to = if index == 0 {
                    &mut both.before
                } else {
                    &mut both.after
                };
                to.blocks += tally.blocks;
                to.bytes += tally.bytes;
            }
        }
        progress.end();
        let mut groups: Vec<(Vec<String>, Both)> = groups.into_iter().collect();
        groups.retain(|(_, both)| both.bytes() != 0 || both.blocks() != 0);
        groups.sort_by(|(a, x), (b, y)| (y.bytes().abs(), a).cmp(&(x.bytes().abs(), b)));
        self.print(&groups)?;
        let is_truncated = sources.iter().any(Source::is_truncated);
        Ok(answer::status(!groups.is_empty(), is_truncated))
    }

    fn sites(
        &self,
        source: &Source,
        by: By,
        moment: Option<Moment>,
    ) -> Result<Vec<(Vec<String>, Tally)>, Failure> {
        let (sites, trace) = match source {
            Source::Trace(trace) => (sites_of(trace, by, moment), Some(&**trace)),
            Source::Image(image) => {
                let heap = Heap::open(image)?;
                let mut sites = Sites::new(by, None);
                heap.for_each_block(|slab, _, state, _| {
                    let slab = &heap.slabs[slab];
                    if state == State::Live {
                        let thread = || heap.owner(slab).map_or(0, |cache| cache.thread);
                        let key = if by == By::Thread {
                            Key::Thread(thread())
                        } else {
                            Key::Size(slab.bytes)
                        };
                        sites.add(key, slab.bytes, 0);
                    }
                });
                (sites, None)
            }
        };
        let mut symbols = trace.map(|trace| Symbols::new(trace, &self.answer));
        let groups = sites.sorted().into_iter();
        Ok(groups
            .map(|(key, tally)| {
                (
                    name(key, tally.time, &Stacks { trace, heap: None }, &mut symbols),
                    tally,
                )
            })
            .collect())
    }

    fn print(&self, groups: &[(Vec<String>, Both)]) -> Result<(), Failure> {
        let mut output = Output::new();
        let shown = if self.top == 0 {
            groups.len()
        } else {
            self.top.min(groups.len())
        };
        let total = groups.iter().fold((0, 0), |sum, (_, both)| {
            (sum.0 + both.blocks(), sum.1 + both.bytes())
        });
        if self.answer.json {
            let list: Vec<Value> = groups[..shown]
                .iter()
                .map(|(name, both)| {
                    json!({
                        "site": name, "blocks": both.blocks() as i64, "bytes": both.bytes() as i64,
                        "before": { "blocks": both.before.blocks, "bytes": both.before.bytes },
                        "after": { "blocks": both.after.blocks, "bytes": both.after.bytes },
                    })
                })
                .collect();
            output.json(
                &json!({ "blocks": total.0 as i64, "bytes": total.1 as i64, "groups": list }),
            )?;
            return output.end();
        }
        for (name, both) in &groups[..shown] {
            let size = output::bytes(both.bytes().unsigned_abs() as u64);
            let sign = if both.bytes() < 0 { '-' } else { '+' };
            output.line(format_args!(
                "{sign}{size}, {:+} blocks ({} to {})",
                both.blocks(),
                both.before.blocks,
                both.after.blocks
            ))?;
            for line in name {
                output.line(format_args!("    {line}"))?;
            }
        }
        if shown < groups.len() {
            output.line(format_args!(
                "and {} more groups (--top 0 shows all)",
                groups.len() - shown
            ))?;
        }
        output.line(format_args!(
            "together: {:+} blocks, {:+} bytes",
            total.0, total.1
        ))?;
        output.end()
    }
}

/// The live blocks of a trace at a time, in groups.
fn sites_of(trace: &Trace, by: By, moment: Option<Moment>) -> Sites {
    let until = moment.map(|moment| trace.clock().ticks_at(moment.since_start(trace)));
    let sites = Mutex::new(Sites::new(by, Some(trace)));
    trace.for_each_live(&reader::Choice { until }, &|block| {
        let mut sites = sites
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let key = sites.key(trace, &block.record);
        sites.add(key, block.record.size(), block.record.time());
    });
    sites
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
