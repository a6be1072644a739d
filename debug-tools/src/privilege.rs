//! Privilege that a program gains when it is executed.
//!
//! Such a program starts in secure-execution mode (`AT_SECURE`, getauxval(3)): the dynamic loader
//! then ignores every `LD_PRELOAD` entry that holds a slash. The kernel's rule, in brief: the mode
//! is set if the effective user or group after execve differs from the real one before it, or if
//! the file's capabilities add to those of a user other than root. A file system mounted `nosuid`
//! takes all of that away. The `no_new_privs` flag of the process takes away the setuid and setgid
//! bits, and the capabilities too, but a file with capabilities still sets the mode.
//!
//! So a setuid bit alone says nothing: root runs a setuid-root program without any gain, and the
//! preload works.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

/// The extended attribute that holds a file's capabilities.
const CAPABILITIES: &str = "security.capability";
/// The longest form of it: `struct vfs_ns_cap_data`, 24 bytes.
const CAPABILITIES_LENGTH: usize = 24;
/// `VFS_CAP_FLAGS_EFFECTIVE`, in its first word.
const EFFECTIVE: u32 = 1;

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
/// Without it, the setgid bit means something else (mandatory locking, of old).
const GROUP_EXECUTE: u32 = 0o0010;

/// What a program gains by being executed, by which the loader ignores `LD_PRELOAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// It runs as another user: the file's owner, or this process was so already.
    User,
    /// It runs in another group.
    Group,
    /// It gets the file's capabilities.
    Capabilities,
}

impl Privilege {
    /// What this process would gain by executing the file at `path`.
    pub fn gained_by(path: &Path) -> io::Result<Option<Self>> {
        let file = fs::metadata(path)?;
        let caller = Identity::of_this_process();
        let ignored = rustix::fs::statvfs(path)?
            .f_flag
            .contains(StatVfsMountFlags::NOSUID);
        let bits = match rustix::thread::no_new_privs()? {
            true => 0,
            false => file.mode(),
        };
        let grant = match ignored {
            true => Grant::default(),
            false => Grant {
                user: (bits & SETUID != 0).then(|| file.uid()),
                group: (bits & SETGID != 0 && bits & GROUP_EXECUTE != 0).then(|| file.gid()),
                capabilities: has_capabilities(path),
            },
        };
        Ok(grant.to(caller))
    }

    /// In words: what the program does.
    pub fn description(self) -> &'static str {
        match self {
            Self::User => "it runs as another user than the caller (setuid)",
            Self::Group => "it runs in another group than the caller (setgid)",
            Self::Capabilities => "its file grants it capabilities",
        }
    }
}

/// Who executes the program.
#[derive(Clone, Copy)]
struct Identity {
    user: u32,
    effective_user: u32,
    group: u32,
    effective_group: u32,
}

impl Identity {
    fn of_this_process() -> Self {
        Self {
            user: rustix::process::getuid().as_raw(),
            effective_user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getgid().as_raw(),
            effective_group: rustix::process::getegid().as_raw(),
        }
    }
}

/// What the file gives to the one who executes it.
#[derive(Clone, Copy, Default)]
struct Grant {
    user: Option<u32>,
    group: Option<u32>,
    capabilities: bool,
}

impl Grant {
    fn to(self, caller: Identity) -> Option<Privilege> {
        if self.user.unwrap_or(caller.effective_user) != caller.user {
            Some(Privilege::User)
        } else if self.group.unwrap_or(caller.effective_group) != caller.group {
            Some(Privilege::Group)
        } else if self.capabilities && caller.user != 0 {
            Some(Privilege::Capabilities)
        } else {
            None
        }
    }
}

fn has_capabilities(path: &Path) -> bool {
    let mut value = [0; CAPABILITIES_LENGTH];
    match rustix::fs::getxattr(path, CAPABILITIES, &mut value[..]) {
        Ok(length) => grants_capabilities(&value[..length]),
        // No such attribute, or no such thing on this file system.
        Err(_) => false,
    }
}

/// Whether the attribute's value (`struct vfs_cap_data`, words in little endian: flags, then
/// pairs of permitted and inheritable sets) grants anything.
fn grants_capabilities(value: &[u8]) -> bool {
    let mut words = value
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    let flags = words.next().unwrap_or(0);
    flags & EFFECTIVE != 0 || words.step_by(2).take(2).any(|permitted| permitted != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Identity = Identity {
        user: 65534,
        effective_user: 65534,
        group: 65534,
        effective_group: 65534,
    };
    const ROOT: Identity = Identity {
        user: 0,
        effective_user: 0,
        group: 0,
        effective_group: 0,
    };

    #[test]
    fn a_plain_file_gains_nothing() {
        assert_eq!(Grant::default().to(NOBODY), None);
        let own = std::env::current_exe().unwrap();
        assert_eq!(Privilege::gained_by(&own).unwrap(), None);
    }

    #[test]
    fn setuid_gains_unless_it_is_the_same_user() {
        let grant = Grant {
            user: Some(0),
            ..Grant::default()
        };
        assert_eq!(grant.to(NOBODY), Some(Privilege::User));
        assert_eq!(grant.to(ROOT), None);
        let grant = Grant {
            group: Some(42),
            ..Grant::default()
        };
        assert_eq!(grant.to(NOBODY), Some(Privilege::Group));
        assert_eq!(grant.to(ROOT), Some(Privilege::Group));
    }

    #[test]
    fn a_caller_that_is_another_user_already_stays_one() {
        let caller = Identity {
            effective_user: 0,
            ..NOBODY
        };
        assert_eq!(Grant::default().to(caller), Some(Privilege::User));
    }

    #[test]
    fn capabilities_gain_for_all_but_root() {
        let grant = Grant {
            capabilities: true,
            ..Grant::default()
        };
        assert_eq!(grant.to(NOBODY), Some(Privilege::Capabilities));
        assert_eq!(grant.to(ROOT), None);
    }

    #[test]
    fn the_attribute_is_read() {
        let value = |words: [u32; 5]| words.map(u32::to_le_bytes).concat();
        // cap_net_raw=ep, =p, =i, and nothing, in revision 2.
        assert!(grants_capabilities(&value([0x0200_0001, 0x2000, 0, 0, 0])));
        assert!(grants_capabilities(&value([0x0200_0000, 0x2000, 0, 0, 0])));
        assert!(grants_capabilities(&value([0x0200_0000, 0, 0, 1, 0])));
        assert!(!grants_capabilities(&value([0x0200_0000, 0, 0x2000, 0, 0])));
        assert!(!grants_capabilities(&value([0x0200_0000, 0, 0, 0, 0])));
        assert!(!grants_capabilities(b""));
    }
}
