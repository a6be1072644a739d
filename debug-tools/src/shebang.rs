//! The first line of a script: `#!interpreter argument`, as the kernel reads it
//! (execve(2), "Interpreter scripts"), and what `env` makes of its argument.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// How much of a file the kernel looks at to tell how to execute it (`BINPRM_BUF_SIZE`).
pub const LOOKED_AT: usize = 256;

/// The interpreter of a script, with the one argument that the kernel hands to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Shebang {
    /// The path of the interpreter, as it stands there.
    pub interpreter: PathBuf,
    /// All that follows on the line.
    pub argument: Option<OsString>,
}

impl Shebang {
    /// Reads it from the first bytes of a file. None if they do not begin with `#!`, or no
    /// interpreter is named.
    pub fn parse(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(LOOKED_AT)];
        let line = head.strip_prefix(b"#!")?;
        let end = line.iter().position(|b| matches!(b, b'\n' | b'\0'));
        let line = line[..end.unwrap_or(line.len())].trim_ascii();
        let blank = line.iter().position(|b| matches!(b, b' ' | b'\t'));
        let (interpreter, argument) = line.split_at(blank.unwrap_or(line.len()));
        let argument = argument.trim_ascii();
        (!interpreter.is_empty()).then(|| Self {
            interpreter: OsStr::from_bytes(interpreter).into(),
            argument: (!argument.is_empty()).then(|| OsStr::from_bytes(argument).into()),
        })
    }

    /// The command that is run in the end if the interpreter is `env`, as in
    /// `#!/usr/bin/env python3` and `#!/usr/bin/env -S NAME=value python3 -u`.
    ///
    /// None where that takes more than reading: with quotes, escapes, variables, or options
    /// other than these. Then `env` itself is what is looked at.
    pub fn command_of_env(&self) -> Option<&OsStr> {
        if self.interpreter.file_name() != Some(OsStr::new("env")) {
            return None;
        }
        let argument = self.argument.as_deref()?.as_bytes();
        let split = ["-S", "-vS", "--split-string="]
            .iter()
            .find_map(|option| argument.strip_prefix(option.as_bytes()));
        let command = match split {
            None => argument,
            Some(words)
                if words
                    .iter()
                    .any(|b| matches!(b, b'\'' | b'"' | b'\\' | b'$')) =>
            {
                return None;
            }
            Some(words) => words
                .split(u8::is_ascii_whitespace)
                .find(|word| !word.is_empty() && !word.contains(&b'='))?,
        };
        let plain = !command.starts_with(b"-") && !command.contains(&b'=');
        plain.then(|| OsStr::from_bytes(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Option<(String, Option<String>)> {
        let text = |text: &OsStr| text.to_str().unwrap().to_owned();
        Shebang::parse(head.as_bytes()).map(|shebang| {
            (
                text(shebang.interpreter.as_os_str()),
                shebang.argument.as_deref().map(text),
            )
        })
    }

    #[test]
    fn is_read_as_the_kernel_reads_it() {
        let one = |interpreter: &str| Some((interpreter.to_owned(), None));
        assert_eq!(parse("#!/bin/sh\necho"), one("/bin/sh"));
        assert_eq!(parse("#! \t/bin/sh \t\necho"), one("/bin/sh"));
        assert_eq!(parse("#!/bin/sh"), one("/bin/sh"));
        assert_eq!(
            parse("#!/bin/awk -f  x \n"),
            Some(("/bin/awk".into(), Some("-f  x".into())))
        );
        for none in [
            "",
            "#",
            "#!",
            "#!\n/bin/sh",
            "#!  ",
            " #!/bin/sh",
            "\x7fELF",
        ] {
            assert_eq!(parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn env_names_a_command() {
        let command = |line: &str| {
            let shebang = Shebang::parse(line.as_bytes()).unwrap();
            shebang
                .command_of_env()
                .map(|c| c.to_str().unwrap().to_owned())
        };
        let python = Some("python3".to_owned());
        assert_eq!(command("#!/usr/bin/env python3"), python);
        assert_eq!(command("#!/usr/bin/env -S python3 -u"), python);
        assert_eq!(command("#!/usr/bin/env -S A=1 B= python3 -u"), python);
        assert_eq!(command("#!/usr/bin/env --split-string=python3 -u"), python);
        for unknown in [
            "#!/usr/bin/env",
            "#!/usr/bin/env -i",
            "#!/usr/bin/env -S",
            "#!/usr/bin/env -S -i python3",
            "#!/usr/bin/env -S 'a b' c",
            "#!/usr/bin/env -S ${X} c",
            "#!/bin/sh python3",
        ] {
            assert_eq!(command(unknown), None, "{unknown}");
        }
    }
}
