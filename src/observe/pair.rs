//! Two observers as one. What a build observes with is a list made of such pairs.

use super::caller::Caller;
use super::kept::{self, Keep};
use super::{
    Block, Diverted, Event, Observer, Path, Release, Request, Resize, Sees, Verdict, WatchError,
    Wish,
};
use crate::fault::{Call, Fault};
use core::ptr::NonNull;

/// Both, in turn; the second sees what the first made of it.
impl<A: Observer, B: Observer> Observer for (A, B) {
    type Local = (A::Local, B::Local);
    const NEW: Self::Local = (A::NEW, B::NEW);
    type Record = (A::Record, B::Record);
    type Span = (A::Span, B::Span);
    const ACTIVE: bool = A::ACTIVE || B::ACTIVE;
    const SKIPS_FIRST: bool = A::SKIPS_FIRST || B::SKIPS_FIRST;

    fn set_up() -> Sees {
        let first = A::set_up();
        B::set_up().max(first)
    }

    fn diverts() -> bool {
        A::diverts() || B::diverts()
    }

    #[inline(always)]
    fn tail() -> usize {
        A::tail() + B::tail()
    }

    #[inline(always)]
    fn arena_base() -> usize {
        let base = A::arena_base();
        if base != 0 { base } else { B::arena_base() }
    }

    #[inline(always)]
    fn expects(name: &[u8]) -> bool {
        A::expects(name) || B::expects(name)
    }

    #[inline(always)]
    fn wants(wish: Wish) -> bool {
        A::wants(wish) || B::wants(wish)
    }

    fn exits() {
        A::exits();
        B::exits();
    }

    fn forked() {
        A::forked();
        B::forked();
    }

    const NAMES: usize = A::NAMES + B::NAMES;

    #[inline(always)]
    fn describe(put: fn(&str, usize), record: usize) {
        A::describe(put, record + <B::Record as Keep>::LANES * kept::LANE);
        B::describe(put, record);
    }

    fn began(local: &Self::Local, adopted: bool) {
        A::began(&local.0, adopted);
        B::began(&local.1, adopted);
    }

    fn ended(local: &Self::Local) {
        A::ended(&local.0);
        B::ended(&local.1);
    }

    #[inline(always)]
    fn divert(local: &Self::Local, request: &Request) -> Option<Diverted> {
        A::divert(&local.0, request).or_else(|| B::divert(&local.1, request))
    }

    #[inline(always)]
    fn diverted(address: usize) -> Option<usize> {
        A::diverted(address).or_else(|| B::diverted(address))
    }

    #[inline(always)]
    fn owns(address: usize) -> bool {
        A::owns(address) || B::owns(address)
    }

    #[inline(always)]
    fn resize_diverted(address: usize, size: usize) -> bool {
        A::resize_diverted(address, size) || B::resize_diverted(address, size)
    }

    #[inline(always)]
    fn carved(block: &Block<'_, Self::Record>, is_free: bool) {
        A::carved(&block.first(), is_free);
        B::carved(&block.second(), is_free);
    }

    #[inline(always)]
    fn allocated(local: &Self::Local, block: &Block<'_, Self::Record>, request: &Request) {
        A::allocated(&local.0, &block.first(), request);
        B::allocated(&local.1, &block.second(), request);
    }

    const BRIEF_TAIL: usize = A::BRIEF_TAIL + B::BRIEF_TAIL;

    #[inline(always)]
    fn handed_out(start: usize, bytes: usize, request: &Request) {
        A::handed_out(start, bytes, request);
        B::handed_out(start, bytes, request);
    }

    #[inline(always)]
    fn taken_back(start: usize, bytes: usize, release: &Release) -> bool {
        A::taken_back(start, bytes, release) && B::taken_back(start, bytes, release)
    }

    #[inline(always)]
    fn asked_of(start: usize, bytes: usize, release: &Release) -> Option<usize> {
        let asked = A::asked_of(start, bytes, release)?;
        B::asked_of(start, bytes, release).map(|other| asked.min(other))
    }

    #[inline(always)]
    fn stayed(start: usize, bytes: usize, request: &Request) {
        A::stayed(start, bytes, request);
        B::stayed(start, bytes, request);
    }

    #[inline(always)]
    fn freeing(
        local: &Self::Local,
        block: &Block<'_, Self::Record>,
        release: &Release,
    ) -> Option<NonNull<u8>> {
        if A::freeing(&local.0, &block.first(), release).is_none() {
            // A copy: a reference would have who calls this keep it in memory.
            B::put_off(&local.1, &block.second(), &release.copy());
            return None;
        }
        B::freeing(&local.1, &block.second(), release)
    }

    #[cold]
    #[inline(never)]
    fn put_off(local: &Self::Local, block: &Block<'_, Self::Record>, release: &Release) {
        A::put_off(&local.0, &block.first(), release);
        B::put_off(&local.1, &block.second(), release);
    }

    #[inline(always)]
    fn overdue(local: &Self::Local) -> Option<NonNull<u8>> {
        A::overdue(&local.0).or_else(|| B::overdue(&local.1))
    }

    #[inline(always)]
    fn resizing(local: &Self::Local, block: &Block<'_, Self::Record>, request: &Request) -> Resize {
        A::resizing(&local.0, &block.first(), request).and(B::resizing(
            &local.1,
            &block.second(),
            request,
        ))
    }

    #[inline(always)]
    fn resized(local: &Self::Local, block: &Block<'_, Self::Record>, request: &Request) {
        A::resized(&local.0, &block.first(), request);
        B::resized(&local.1, &block.second(), request);
    }

    #[inline(always)]
    fn allocated_apart(block: &Block<'_, Self::Record>, request: &Request) {
        A::allocated_apart(&block.first(), request);
        B::allocated_apart(&block.second(), request);
    }

    #[inline(always)]
    fn freeing_apart(block: &Block<'_, Self::Record>, release: &Release) {
        A::freeing_apart(&block.first(), release);
        B::freeing_apart(&block.second(), release);
    }

    #[inline(always)]
    fn refused(local: &Self::Local, request: &Request) {
        A::refused(&local.0, request);
        B::refused(&local.1, request);
    }

    #[inline(always)]
    fn marked(text: &[u8], address: usize, value: u64, caller: Caller) {
        A::marked(text, address, value, caller);
        B::marked(text, address, value, caller);
    }

    #[inline(always)]
    fn aborting(call: Call, address: *const u8, fault: Fault) {
        A::aborting(call, address, fault);
        B::aborting(call, address, fault);
    }

    #[inline(always)]
    fn missed() {
        A::missed();
        B::missed();
    }

    #[inline(always)]
    unsafe fn clears(block: *mut u8, size: usize) -> bool {
        // SAFETY: the caller's clause.
        unsafe { A::clears(block, size) || B::clears(block, size) }
    }

    #[inline(always)]
    fn usable(block: &Block<'_, Self::Record>, caller: Caller) -> usize {
        A::usable(&block.first(), caller).min(B::usable(&block.second(), caller))
    }

    #[inline(always)]
    fn event(local: &Self::Local, event: Event<'_>) {
        A::event(&local.0, event);
        B::event(&local.1, event);
    }

    #[inline(always)]
    fn notice(event: Event<'_>) {
        A::notice(event);
        B::notice(event);
    }

    fn watch(rule: &[u8]) -> Result<u32, WatchError> {
        match A::watch(rule) {
            Err(WatchError::NotBuilt) => B::watch(rule),
            result => result,
        }
    }

    fn unwatch(number: u32) -> Result<(), WatchError> {
        match A::unwatch(number) {
            Err(WatchError::NotBuilt) => B::unwatch(number),
            result => result,
        }
    }

    #[inline(always)]
    fn times() -> bool {
        A::times() || B::times()
    }

    #[inline(always)]
    fn span(path: Path) -> Self::Span {
        (A::span(path), B::span(path))
    }

    #[inline(always)]
    fn suspicious(call: Call, address: *const u8, fault: Fault, caller: Caller) -> Verdict {
        match A::suspicious(call, address, fault, caller) {
            Verdict::Ignore => Verdict::Ignore,
            Verdict::Abort => B::suspicious(call, address, fault, caller),
        }
    }

    fn verify() -> usize {
        A::verify() + B::verify()
    }

    #[inline(always)]
    fn leaks() -> usize {
        A::leaks() + B::leaks()
    }

    fn recall(address: usize, tell: &mut dyn FnMut(&[u8], usize)) {
        A::recall(address, tell);
        B::recall(address, tell);
    }
}
