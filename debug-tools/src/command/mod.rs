//! The subcommands, one a file.

mod completions;
mod config;
mod demo;
mod diff;
mod events;
mod history;
mod info;
mod joined;
mod kept;
mod leaks;
mod live;
mod man;
mod refs;
mod registry;
mod report;
mod run;
mod sites;
mod sll;
mod stats;
mod symbolize;
mod threads;
mod verify;
mod whatis;

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;

/// What `hakmem` was asked to do.
#[derive(Subcommand)]
pub enum Command {
    Run(run::Run),
    Demo(demo::Demo),
    Info(info::Info),
    Report(report::Report),
    History(history::History),
    Config(config::Config),
    Whatis(whatis::Whatis),
    Events(events::Events),
    Live(live::Live),
    Leaks(leaks::Leaks),
    Refs(refs::Refs),
    Verify(verify::Verify),
    Sll(sll::Sll),
    Registry(registry::Registry),
    Stats(stats::Stats),
    Threads(threads::Threads),
    Diff(diff::Diff),
    Symbolize(symbolize::Symbolize),
    Man(man::Man),
    Completions(completions::Completions),
}

impl Command {
    /// Does it. The exit status on success is the command's own.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Run(run) => run.execute(),
            Self::Demo(demo) => demo.execute(),
            Self::Info(info) => info.execute(),
            Self::Report(report) => report.execute(),
            Self::History(history) => history.execute(),
            Self::Config(config) => config.execute(),
            Self::Whatis(whatis) => whatis.execute(),
            Self::Events(events) => events.execute(),
            Self::Live(live) => live.execute(),
            Self::Leaks(leaks) => leaks.execute(),
            Self::Refs(refs) => refs.execute(),
            Self::Verify(verify) => verify.execute(),
            Self::Sll(sll) => sll.execute(),
            Self::Registry(registry) => registry.execute(),
            Self::Stats(stats) => stats.execute(),
            Self::Threads(threads) => threads.execute(),
            Self::Diff(diff) => diff.execute(),
            Self::Symbolize(symbolize) => symbolize.execute(),
            Self::Man(man) => man.execute(),
            Self::Completions(completions) => completions.execute(),
        }
    }
}
