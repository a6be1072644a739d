"""What hakmem's commands for gdb and lldb share.

The `hakmem` program answers: it is run on the core file or process that the debugger looks at. A
debugger's own script (hakmem_gdb.py, hakmem_lldb.py) gives a `Debugger`, hands on the words of a command
to `Hakmem.do`, and prints what comes back.
"""

import json
import os
import shutil
import subprocess
import tempfile

import hakmem_structures as structures

HELP = """\
hakmem: what the heap of a program on hakmem holds

  hakmem whatis EXPRESSION...    what these addresses are: live, free, cached, stack, module, ...
  hakmem history EXPRESSION      every life of every block that covered the address, from the trace
  hakmem refs EXPRESSION         who points to the block
  hakmem pointers [EXPRESSION]   what the pointers among its members, or among the frame's variables,
                                 point to
  hakmem slab EXPRESSION         the header of the slab that the address is in, where there is debug
                                 information of the library's own types
  hakmem heap                    a summary: whose, how much, whether it is whole
  hakmem report | verify | leaks | live | stats | threads | registry | sll | info | events | symbolize
                                 as `hakmem COMMAND SOURCE` in a shell, with its options
  hakmem use SOURCE              another source: a core file, pid:N, a trace directory; `-` for the
                                 debugger's own again

An expression is one of the debugger's, without blanks or in quotes; words that begin with -- are
options of the command, which `hakmem help COMMAND` tells in a shell. What is asked of a process is
asked while it is stopped."""

# Commands of which all arguments are expressions, and those that take none.
OF_ADDRESSES = ("whatis", "history", "refs", "symbolize")
PLAIN = (
    "report verify leaks live stats threads registry sll info events".split()
)
WORDS = sorted([*OF_ADDRESSES, *PLAIN, "pointers", "slab", "heap", "use", "help"])


NO_TYPES = "there is no debug information of the allocator's own types: debug builds of Rust programs have it"


class Refused(Exception):
    """What was asked cannot be answered; the text says why, and what to do."""


class Debugger:
    """What a debugger's script has to know."""

    def core(self):
        """The path of the core file that is looked at, or None."""

    def process(self):
        """The number of the process that is looked at, or None."""

    def call(self):
        """How the user has the process call a function."""
        raise NotImplementedError

    def address(self, expression):
        """The number that an expression stands for: a pointer's value, else its address."""
        raise NotImplementedError

    def pointers(self, expression):
        """Names and values of the pointers among the members of an expression, or if it is None
        among the variables of the frame."""
        raise NotImplementedError

    def structure(self, name, address):
        """A structure of the allocator's as a node (hakmem_structures.py), or None where its type is
        not known."""
        raise NotImplementedError


def program():
    """The `hakmem` that belongs to this script: of the same installation, of the same clone, or
    else of the PATH."""
    here = os.path.dirname(os.path.realpath(__file__))
    up = os.path.dirname(os.path.dirname(here))
    places = ["bin/hakmem", "target/release/hakmem", "target/debug/hakmem"]
    there = [path for path in (os.path.join(up, place) for place in places) if os.access(path, os.X_OK)]
    # Of a clone's the one that was built last.
    found = max(there, key=os.path.getmtime, default=None) or shutil.which("hakmem")
    if not found:
        raise Refused("there is no hakmem beside %s, nor on the PATH: install it" % here)
    return found


class Answer:
    """What `hakmem` said, and its exit status."""

    def __init__(self, status, text, notes):
        self.status, self.text, self.notes = status, text, notes

    def objects(self):
        """Its lines, each a JSON object."""
        return [json.loads(line) for line in self.text.splitlines()]


class Hakmem:
    """The command, as one debugger has it."""

    def __init__(self, debugger):
        self.debugger = debugger
        self.named = None

    def do(self, words):
        """What the words ask for, as text."""
        command, arguments = (words[0], words[1:]) if words else ("help", [])
        if command == "help":
            return HELP
        if command == "use":
            return self.use(arguments)
        if command == "heap":
            return self.heap()
        if command == "pointers":
            return self.pointers(arguments)
        if command == "slab":
            return self.slab(arguments)
        options = [word for word in arguments if word.startswith("--")]
        rest = [word for word in arguments if not word.startswith("--")]
        if command in OF_ADDRESSES:
            if not rest:
                raise Refused("hakmem %s takes an expression: an address, a variable" % command)
            rest = ["%#x" % self.debugger.address(word) for word in rest]
        elif command not in PLAIN:
            raise Refused("there is no `hakmem %s` here; there are: %s" % (command, " ".join(WORDS)))
        answer = self.ask(command, rest + options)
        return answer.notes + answer.text

    def use(self, arguments):
        """Names another source."""
        if len(arguments) != 1:
            raise Refused("hakmem use takes a core file, pid:N, a trace directory, or -")
        self.named = None if arguments[0] == "-" else arguments[0]
        return "from now on asked about: %s\n" % (self.named or "what the debugger looks at")

    def source(self):
        """What `hakmem` is asked about."""
        if self.named:
            return self.named
        core = self.debugger.core()
        if core:
            return core
        process = self.debugger.process()
        if not process:
            raise Refused("there is no process and no core file: start the program, or name a "
                          "source: hakmem use SOURCE")
        return "pid:%d" % process

    def ask(self, command, arguments):
        """Runs `hakmem COMMAND SOURCE ARGUMENTS`."""
        source = self.source()
        answer = run(command, source, arguments)
        if answer.status != 2:
            return answer
        why = answer.notes.strip()
        if source.startswith("pid:") and "cannot read process" in why:
            try:
                answer = run_with_memory(command, source, arguments)
            except OSError:
                # PR_SET_PTRACER, PR_SET_PTRACER_ANY.
                why += ("\n  or:    have the process allow it, where it is only a debugger that may read it: "
                        "%s (int) prctl(0x59616d61, -1L)" % self.debugger.call())
            if answer.status != 2:
                return answer
        raise Refused(why)

    def look_up(self, addresses):
        """What each address is: objects as `hakmem whatis --json` has them."""
        if not addresses:
            return []
        words = ["%#x" % address for address in addresses]
        return self.ask("whatis", words + ["--json", "--symbols=off"]).objects()

    def pointers(self, arguments):
        """What pointers point to, one a line."""
        found = self.debugger.pointers(arguments[0] if arguments else None)
        known = self.look_up([value for _, value in found])
        width = max([len(name) for name, _ in found], default=0)
        lines = [
            "%-*s %#x %s\n" % (width, name, value, say(said))
            for (name, value), said in zip(found, known)
        ]
        return "".join(lines) or "no pointers\n"

    def header(self, address):
        """The address of the header of the slab that an address is in."""
        said = self.look_up([address])[0]
        if "header" not in said:
            raise Refused("%#x is in no slab, but: %s" % (address, say(said)))
        return int(said["header"], 16)

    def slab(self, arguments):
        """The header of a slab."""
        if len(arguments) != 1:
            raise Refused("hakmem slab takes an expression: an address, a variable")
        header = self.header(self.debugger.address(arguments[0]))
        node = self.debugger.structure(structures.SLAB, header)
        if node is None:
            raise Refused(NO_TYPES)
        text, members = structures.slab(node)
        return "".join(["%s\n" % text] + ["  %-8s %s\n" % member for member in members])

    def heap(self):
        """The summary."""
        info = self.ask("info", ["--json"]).objects()[0]
        stats = self.ask("stats", ["--json"]).objects()[0]
        checked = self.ask("verify", [])
        what = "process" if info["source"] == "process" else "%s of process" % info["source"]
        lines = ["hakmem %s (%s), %s %s" % (
            info.get("hakmem_version", "?"), info.get("build", "?"), what, info["process"])]
        parts = ["%s %s" % (size(stats[part]), part) for part in ("live", "cached", "free", "metadata")]
        lines.append("%s mapped: %s" % (size(stats["mapped"]), ", ".join(parts)))
        most = sorted(stats["classes"], key=lambda each: -each["live_bytes"])[:5]
        for each in most:
            if each["live"]:
                name = "%d bytes" % each["block_bytes"] if each["block_bytes"] else "large"
                lines.append("  %-12s %8d live, %s" % (name, each["live"], size(each["live_bytes"])))
        lines.append(checked.text.strip().splitlines()[-1])
        if info.get("trace"):
            lines.append("trace: %s" % info["trace"])
        return "\n".join(lines) + "\n"


def run(command, source, arguments, memory=subprocess.DEVNULL, files=()):
    """Runs the program; its standard error is notes."""
    done = subprocess.run(
        [program(), command, source, *arguments],
        stdin=memory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=files,
        text=True, errors="replace", check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def run_with_memory(command, source, arguments):
    """The same for a process that the debugger may read, and the program may not: what the debugger has
    opened is handed on, the memory as standard input and the list of mappings as a file."""
    process = "/proc/%s" % source[len("pid:"):]
    with open(process + "/mem", "rb", buffering=0) as memory, \
            open(process + "/maps", "rb") as maps, tempfile.TemporaryFile() as copy:
        copy.write(maps.read())
        copy.flush()
        os.fchmod(copy.fileno(), 0o644)
        named = "%s,/proc/self/fd/%d" % (source, copy.fileno())
        return run(command, named, arguments, memory, (copy.fileno(),))


def say(said):
    """What an address is, in a few words."""
    if "block" not in said:
        return "%s: %s" % (said["state"], said.get("what", ""))
    offset = " at byte %d" % said["offset"] if said["offset"] else ""
    return "%s: block of %d bytes%s" % (said["state"], said["bytes"], offset)


def size(count):
    """Bytes as people read them."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    value = float(count)
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return "%d B" % count if units[0] == "B" else "%.1f %s" % (value, units[0])
