//! Tests of the format: what one side writes, the other reads, whatever happened to it in between.

mod damage;
mod history;
mod live;
mod page;
mod record;
mod session;
mod stacks;
mod support;
mod torn;
