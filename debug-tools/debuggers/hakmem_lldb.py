"""hakmem in lldb: `command script import hakmem_lldb.py`, then `hakmem help`.

Commands `hakmem ...`; summaries for the allocator's own structures, where there is debug information
of them.
"""

import os
import shlex
import sys

import lldb

# From beside this file, and leaving nothing there.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
import hakmem_debugger as shared
import hakmem_structures as structures

sys.dont_write_bytecode = writes
sys.path.pop(0)


class Lldb(shared.Debugger):
    """What lldb looks at."""

    def __init__(self, debugger):
        self.debugger = debugger

    def target(self):
        return self.debugger.GetSelectedTarget()

    def there(self):
        process = self.target().GetProcess()
        return process if process.IsValid() else None

    def core(self):
        process = self.there()
        if not process or "core" not in process.GetPluginName():
            return None
        if hasattr(process, "GetCoreFile"):
            path = process.GetCoreFile().fullpath
            if path:
                return path
        # Older versions do not say; it may stand on their command line.
        with open("/proc/self/cmdline", encoding="utf-8", errors="replace") as file:
            words = file.read().split("\0")
        for word, behind in zip(words, words[1:] + [""]):
            if word in ("-c", "--core"):
                return behind
            if word.startswith("--core="):
                return word[len("--core="):]
        raise shared.Refused("this lldb does not say which core file it reads: hakmem use FILE")

    def process(self):
        process = self.there()
        # A process that has ended keeps its number.
        ended = not process or process.GetState() in (lldb.eStateExited, lldb.eStateUnloaded)
        return None if ended else process.GetProcessID()

    def call(self):
        return "expression"

    def frame(self):
        return self.there() and self.there().GetSelectedThread().GetSelectedFrame()

    def evaluate(self, expression):
        try:
            return int(expression, 0)
        except ValueError:
            pass
        frame = self.frame()
        value = frame.EvaluateExpression(expression) if frame else None
        if value is None or not value.IsValid() or value.GetError().Fail():
            why = value.GetError().GetCString() if value is not None else "no frame is selected"
            raise shared.Refused("%s: %s" % (expression, why))
        return value

    def address(self, expression):
        value = self.evaluate(expression)
        if isinstance(value, int):
            return value
        inner = single(value)
        if inner is not None and (inner.GetType().IsPointerType() or is_integer(inner)):
            return inner.GetValueAsUnsigned()
        if value.GetLoadAddress() != lldb.LLDB_INVALID_ADDRESS:
            return value.GetLoadAddress()
        raise shared.Refused("it is no pointer, and lies nowhere in memory")

    def pointers(self, expression):
        if expression is None:
            frame = self.frame()
            if not frame or not frame.IsValid():
                raise shared.Refused("no frame is selected")
            values = list(frame.GetVariables(True, True, False, True))
        else:
            value = self.evaluate(expression)
            if isinstance(value, int):
                raise shared.Refused("%s is a number, and has no members" % expression)
            if value.GetType().IsPointerType():
                value = value.Dereference()
            values = members(value)
        named = ((value.GetName(), single(value)) for value in values)
        return [(name, value.GetValueAsUnsigned()) for name, value in named
                if value is not None and value.GetType().IsPointerType()]

    def structure(self, name, address):
        target = self.target()
        kind = target.FindFirstType(name)
        if not kind.IsValid():
            return None
        return Node(target.CreateValueFromAddress("structure", lldb.SBAddress(address, target), kind))


def members(value):
    return [value.GetChildAtIndex(i) for i in range(value.GetNumChildren())]


def is_integer(value):
    return bool(value.GetType().GetTypeFlags() & lldb.eTypeIsInteger)


def single(value):
    """What is inside of structures that hold one value each, or None."""
    while value.GetType().GetCanonicalType().GetTypeClass() & (lldb.eTypeClassStruct | lldb.eTypeClassClass):
        sized = [each for each in members(value) if each.GetByteSize() > 0]
        if len(sized) != 1:
            return None
        value = sized[0]
    return value


class Node:
    """A value, for what the summaries share."""

    def __init__(self, value):
        self.value = value

    def field(self, name):
        return Node(self.value.GetChildMemberWithName(name))

    def number(self):
        return single(self.value).GetValueAsUnsigned()

    def word(self, address):
        error = lldb.SBError()
        word = self.value.GetProcess().ReadUnsignedFromMemory(address, 8, error)
        if error.Fail():
            raise shared.Refused(error.GetCString())
        return word


def summary(value, _):
    """Of a structure of the allocator's, on one line."""
    value = value.GetNonSyntheticValue()
    describe = structures.PRINTED[value.GetType().GetUnqualifiedType().GetName()]
    text, parts = describe(Node(value))
    return text + "".join("; %s %s" % part for part in parts)


HAKMEM = {}


def hakmem(debugger, argument, result, _):
    """What the heap of a program on hakmem holds; `hakmem help` says more."""
    known = HAKMEM.setdefault(debugger.GetID(), shared.Hakmem(Lldb(debugger)))
    try:
        text = known.do(shlex.split(argument))
    except (shared.Refused, ValueError) as refused:
        result.SetError(str(refused))
        return
    result.AppendMessage(text.rstrip("\n"))


def __lldb_init_module(debugger, _):
    name = __name__
    debugger.HandleCommand("command script add -f %s.hakmem hakmem" % name)
    for kind in structures.PRINTED:
        debugger.HandleCommand('type summary add --expand -F %s.summary "%s"' % (name, kind))
