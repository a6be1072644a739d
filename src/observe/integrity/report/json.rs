//! A report as a line of JSON, in the file that `HAKMEM_REPORT` names.

use super::finding::Finding;

pub(super) fn set_up() {}
pub(super) fn write(_: &Finding<'_>) {}
