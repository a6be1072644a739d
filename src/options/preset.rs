//! What `HAKMEM_PROFILE` sets.
//!
//! A variable that is set itself wins over the preset, also where its value is refused.

use super::{DEBUG, PRODUCTION, Setting, Variable};

/// A preset: values for some variables, under one name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Preset {
    /// What `HAKMEM_PROFILE` is set to for it.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub text: &'static str,
    /// What it sets in every build.
    pub(super) settings: &'static [(Setting, u32)],
    /// What it sets beside that in builds with observers: a variable of [`DEBUG`](super::DEBUG),
    /// and its value.
    pub debug: &'static [(&'static str, u32)],
}

impl Preset {
    /// What it sets `variable` to, by its number.
    #[must_use]
    pub fn value(&self, variable: &Variable) -> Option<u32> {
        let mut settings = self.settings.iter();
        let setting = settings.find(|(setting, _)| Some(*setting) == variable.setting);
        let mut debug = self.debug.iter();
        setting.map(|(_, number)| *number).or_else(|| {
            let of_debug = debug.find(|(name, _)| *name == variable.name);
            of_debug.map(|(_, number)| *number)
        })
    }

    /// All that it sets.
    pub fn values(&self) -> impl Iterator<Item = (&'static Variable, u32)> + '_ {
        let all = PRODUCTION.iter().chain(DEBUG);
        all.filter_map(|variable| Some((variable, self.value(variable)?)))
    }
}

/// The presets, in the order of `NAMES`.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "production",
        text: "what a service runs with: the defaults, written down",
        settings: &[
            (Setting::SuperslabLazy, 1),
            (Setting::SuperslabLruCap, 256),
            (Setting::TinyP0Enable, 1),
        ],
        debug: &[("HAKMEM_INTEGRITY_CHECKS", 1)],
    },
    Preset {
        name: "debug",
        text: "everything is recorded and checked, in builds with observers",
        settings: &[],
        debug: &[
            ("HAKMEM_INTEGRITY_CHECKS", 1),
            ("HAKMEM_TINY_P0_LOG", 1),
            ("HAKMEM_TRACE_ALLOCATIONS", 1),
        ],
    },
    Preset {
        name: "low-latency",
        text: "no single call takes long",
        settings: &[
            (Setting::SuperslabLazy, 1),
            (Setting::SuperslabLruCap, 128),
            (Setting::SuperslabPrewarm, 16),
            (Setting::TinySfcCapacity, 64),
            (Setting::TinyTlsCap, 32),
            (Setting::TinyTlsRefill, 4),
        ],
        debug: &[],
    },
    Preset {
        name: "high-throughput",
        text: "the most work done, and memory for it",
        settings: &[
            (Setting::PurgeDelayMs, 1000),
            (Setting::SuperslabLruCap, 512),
            (Setting::SuperslabPrewarm, 16),
            (Setting::TinySfcCapacity, 512),
            (Setting::TinySfcHotClasses, 16),
            (Setting::TinyTlsCap, 256),
            (Setting::TinyTlsRefill, 32),
        ],
        debug: &[],
    },
    Preset {
        name: "memory-efficient",
        text: "the least memory held",
        settings: &[
            (Setting::AllocLearn, 1),
            (Setting::MemLearn, 1),
            (Setting::PoolTlsArenaMbMax, 2),
            (Setting::PurgeDelayMs, 10),
            (Setting::SuperslabLazy, 0),
            (Setting::SuperslabLruCap, 32),
            (Setting::SuperslabSoftCap, 16),
            (Setting::TinyDrainThresh, 16),
            (Setting::TinySfcCapacity, 64),
            (Setting::TinyTlsCap, 32),
        ],
        debug: &[],
    },
];

/// Their names.
pub(super) const NAMES: [&str; PRESETS.len()] = {
    let mut names = [""; PRESETS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = PRESETS[i].name;
        i += 1;
    }
    names
};

/// The most that one sets.
const MOST: usize = 10;

/// What each sets, without the words and without addresses: what the parser keeps.
pub(super) static SETTINGS: [[Option<(Setting, u32)>; MOST]; PRESETS.len()] = {
    let mut settings = [[None; MOST]; PRESETS.len()];
    let mut i = 0;
    while i < settings.len() {
        let mut at = 0;
        while at < PRESETS[i].settings.len() {
            settings[i][at] = Some(PRESETS[i].settings[at]);
            at += 1;
        }
        i += 1;
    }
    settings
};
