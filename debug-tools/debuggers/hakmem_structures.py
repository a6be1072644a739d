"""What the allocator's own structures say, where debug information describes them.

A *node* is a value of the debugger's: `node.field(name)` is a member, `node.number()` its number,
whatever wrappers are around it (Cell, atomics), and `node.word(address)` 8 bytes of the program's memory.
"""

SLAB = "hakmem_alloc::slab::Slab"
KINDS = ["closed", "blocks", "large, in slots", "large, a mapping"]


def slab(node):
    """A summary of a Slab, and its members in words."""
    constant = node.field("constant")
    number = lambda name: constant.field(name).number()
    kind, blocks = number("kind"), number("blocks")
    used, fresh = node.field("used").number(), node.field("fresh").number()
    kind_name = KINDS[kind] if kind < len(KINDS) else "kind %d" % kind
    members = [("start", "%#x" % number("start")), ("kind", kind_name)]
    if kind != 1:
        members.append(("pages", str(number("pages"))))
        return "slab at %#x: %s" % (number("start"), kind_name), members
    words = lambda name: [node.word(number(name) + 8 * i) for i in range((blocks + 63) // 64)]
    free = bits(words("free"))
    members += [("class", str(number("class"))), ("slots", str(number("slots"))),
                ("owner", "%#x" % number("owner")), ("fresh", "from block %d on" % fresh),
                ("free", ranges(free)), ("remote", ranges(bits(words("remote"))))]
    text = "slab at %#x: class %d, %d blocks, %d used, %d free" % (
        number("start"), number("class"), blocks, used, len(free))
    return text, members


def superslab(node):
    """The same of a SuperSlab."""
    base = node.field("base").number()
    free, clean = (bits([node.field(name).number()]) for name in ("free", "clean"))
    text = "SuperSlab at %#x: %d of 32 slots free" % (base, len(free))
    return text, [("free", ranges(free)), ("clean", ranges(clean))]


def free_list(node):
    """The same of a FreeList."""
    head, length = node.field("head").number(), node.field("len").number()
    return "%d blocks from %#x" % (length, head) if length else "no blocks", []


PRINTED = {
    SLAB: slab,
    "hakmem_alloc::superslab::SuperSlab": superslab,
    "hakmem_alloc::block::FreeList": free_list,
}


def bits(words):
    """The numbers of the bits that are set."""
    return [64 * i + bit for i, word in enumerate(words) for bit in range(64) if word >> bit & 1]


def ranges(numbers):
    """Numbers as ranges: 0-3 7."""
    found = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    texts = [str(a) if a == b else "%d-%d" % (a, b) for a, b in found]
    return " ".join(texts) or "none"
