//! What integrity says of a program: its findings, as lines and as JSON.

use serde_json::Value;

use crate::{Allocator, Outcome, Run, Scratch, compile, watched};
use std::fs;

/// A finding, as it was told on standard error.
#[derive(Clone, Debug)]
pub struct Finding {
    /// `double-free`, …
    pub kind: String,
    /// What stands behind the kind.
    pub sentence: String,
    /// The lines behind the first one.
    pub lines: Vec<String>,
}

impl Finding {
    /// Whether the sentence or a line has `what`.
    pub fn says(&self, what: &str) -> bool {
        self.sentence.contains(what) || self.lines.iter().any(|line| line.contains(what))
    }

    /// The function names in the stack behind the line that begins with `heading`.
    pub fn stack(&self, heading: &str) -> Vec<String> {
        watched::stack_behind(&self.lines, heading)
    }

    /// The rule that the report advises to watch with.
    pub fn rule(&self) -> Option<&str> {
        let line = self
            .lines
            .iter()
            .find(|line| line.contains("HAKMEM_WATCH='"))?;
        line.split('\'').nth(1)
    }
}

/// `programs/integrity.c`, compiled with optimisations, with all checks on.
pub fn checked(case: &str) -> Run {
    Run::new(compile::optimized_program("integrity.c"))
        .arg(case)
        .allocator(Allocator::Observed)
        .env("HAKMEM_INTEGRITY_CHECKS", "1")
}

/// What was found in a run.
pub fn findings(outcome: &Outcome) -> Vec<Finding> {
    let lines = watched::lines(outcome);
    let mut findings: Vec<Finding> = Vec::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix("ERROR ") {
            let (kind, sentence) = rest.split_once(": ").expect("a kind and a sentence");
            findings.push(Finding {
                kind: kind.to_owned(),
                sentence: sentence.to_owned(),
                lines: Vec::new(),
            });
        } else if let Some(finding) = findings.last_mut() {
            finding.lines.push(line);
        }
    }
    findings
}

/// The one finding of a run that it ends.
#[track_caller]
pub fn the_finding(run: Run) -> (Outcome, Finding) {
    let outcome = run.output();
    outcome.aborted();
    let mut found = findings(&outcome);
    assert_eq!(found.len(), 1, "{}", outcome.report());
    (outcome, found.remove(0))
}

/// The kinds of what was found.
pub fn kinds(outcome: &Outcome) -> Vec<String> {
    findings(outcome)
        .into_iter()
        .map(|finding| finding.kind)
        .collect()
}

/// The findings of a run as JSON, with the run.
pub fn as_json(run: Run) -> (Outcome, Vec<Value>) {
    let scratch = Scratch::new();
    let file = scratch.file("report");
    let outcome = run.env("HAKMEM_REPORT", &file).output();
    let text = fs::read_to_string(&file).unwrap_or_default();
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    (outcome, text.lines().map(parse).collect())
}
