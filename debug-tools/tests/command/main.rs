//! Tests of the `hakmem` command from outside.

mod config;
mod history;
mod library;
mod observed;
mod refusals;
mod run;
mod support;
