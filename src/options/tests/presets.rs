//! Presets, and what wins over them.

use std::vec::Vec;

use crate::options::{Builds, DEBUG, Options, PRESETS, Source, resolve};

use super::{entry, numbers, range, read};

#[test]
fn a_preset_sets_what_the_environment_does_not() {
    for preset in PRESETS {
        let (options, warnings) = read(&[&entry("HAKMEM_PROFILE", preset.name)]);
        assert!(warnings.is_empty(), "{warnings:?}");
        for row in numbers().filter(|row| row.name != "HAKMEM_PROFILE") {
            let setting = row.setting.expect("a setting");
            let of_preset = preset.settings.iter().find(|(set, _)| *set == setting);
            let expected = of_preset.map_or(row.default, |(_, value)| Some(*value));
            assert_eq!(
                options.get(setting),
                expected,
                "{} {}",
                preset.name,
                row.name
            );
            if let Some((_, value)) = of_preset {
                assert!(range(row).contains(*value), "{} {}", preset.name, row.name);
            }
        }
        for (name, value) in preset.debug {
            let row = DEBUG.iter().find(|row| row.name == *name).expect(name);
            assert!(range(row).contains(*value), "{} {name}", preset.name);
        }
    }
}

#[test]
fn a_variable_wins_over_the_preset() {
    for environ in [
        ["HAKMEM_TINY_TLS_CAP=99", "HAKMEM_PROFILE=low-latency"],
        ["HAKMEM_PROFILE=low-latency", "HAKMEM_TINY_TLS_CAP=99"],
    ] {
        let environ = environ.map(str::as_bytes);
        let (options, _) = read(&environ);
        assert_eq!(options.tiny_tls_cap, 99);
        assert_eq!(options.tiny_tls_refill, 4);
        let resolved = resolve(environ.into_iter(), Builds::Every);
        let sources: Vec<_> = resolved
            .filter_map(|it| match it.source {
                Source::Variable => Some((it.variable.name, "variable")),
                Source::Preset(preset) => Some((it.variable.name, preset.name)),
                _ => None,
            })
            .collect();
        assert_eq!(
            sources,
            [
                ("HAKMEM_PROFILE", "variable"),
                ("HAKMEM_SUPERSLAB_LAZY", "low-latency"),
                ("HAKMEM_SUPERSLAB_LRU_CAP", "low-latency"),
                ("HAKMEM_SUPERSLAB_PREWARM", "low-latency"),
                ("HAKMEM_TINY_SFC_CAPACITY", "low-latency"),
                ("HAKMEM_TINY_TLS_CAP", "variable"),
                ("HAKMEM_TINY_TLS_REFILL", "low-latency"),
            ]
        );
    }
    // Also one that is refused: the default counts, as its warning says.
    let (options, warnings) = read(&[b"HAKMEM_PROFILE=low-latency", b"HAKMEM_TINY_TLS_CAP=x"]);
    assert_eq!(options.tiny_tls_cap, Options::DEFAULT.tiny_tls_cap);
    assert_eq!(warnings.len(), 1);
}
