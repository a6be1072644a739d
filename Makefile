# Builds hakmem with cargo, and installs it.
#
#   make                           builds what is installed
#   make install                   builds it, and installs it under PREFIX
#   make uninstall                 removes what `make install` with the same variables installed
#   make deb                       Debian packages of it, in target/deb: see scripts/deb
#   make help                      this
#
#   PREFIX=/usr/local              where it will be
#   DESTDIR=                       put in front of each path: a root to make a package from
#   LIBDIR=PREFIX/lib              also BINDIR, INCLUDEDIR, DATADIR, MANDIR, DOCDIR, BASHDIR, ZSHDIR,
#                                  FISHDIR, GDBDIR
#   BUILD=                         empty: installs what was built, for a root user without cargo
#   RELEASE= OBSERVED= HAKMEM=     the directories of the two libraries, and the command, where they
#                                  were built otherwise than by `make`
#
# The two libraries are built by commands of their own: cargo would put the features of the
# observed one into both.

PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
DOCDIR ?= $(DATADIR)/doc/hakmem
BASHDIR ?= $(DATADIR)/bash-completion/completions
ZSHDIR ?= $(DATADIR)/zsh/site-functions
FISHDIR ?= $(DATADIR)/fish/vendor_completions.d
GDBDIR ?= $(DATADIR)/gdb/auto-load

CARGO ?= cargo
CARGO_TARGET_DIR ?= target
# Of the command line alone: the environment may have such names for something else.
BUILD = build
RELEASE = $(CARGO_TARGET_DIR)/release
OBSERVED = $(CARGO_TARGET_DIR)/observed
HAKMEM = $(CARGO_TARGET_DIR)/release/hakmem

# The version of the C ABI, which is the number behind `.so`.
ABI := $(shell sed -n 's/^const ABI: u32 = \([0-9]*\);/\1/p' capi/build.rs)
SONAME := libhakmem.so.$(ABI)

HEADERS := hakmem.h hakmem-debug.h
SCRIPTS := hakmem_debugger.py hakmem_structures.py hakmem_gdb.py hakmem_lldb.py
LICENCES := LICENSE-MIT LICENSE-APACHE

# In DESTDIR, in quotes: directories may have blanks in their names.
bin := "$(DESTDIR)$(BINDIR)"
lib := "$(DESTDIR)$(LIBDIR)"
include := "$(DESTDIR)$(INCLUDEDIR)"
man1 := "$(DESTDIR)$(MANDIR)/man1"
doc := "$(DESTDIR)$(DOCDIR)"
bash := "$(DESTDIR)$(BASHDIR)"
zsh := "$(DESTDIR)$(ZSHDIR)"
fish := "$(DESTDIR)$(FISHDIR)"
scripts := "$(DESTDIR)$(DATADIR)/hakmem"
# gdb looks for scripts of a library here, by the library's path.
autoload := "$(DESTDIR)$(GDBDIR)$(LIBDIR)"

# In PREFIX/lib the file finds its prefix by itself, wherever that is moved to.
ifeq ($(LIBDIR),$(PREFIX)/lib)
PC_FIELDS := s|^includedir=.*|includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|
else
PC_FIELDS := s|^prefix=.*|prefix=$(PREFIX)|; s|^libdir=.*|libdir=$(LIBDIR)|; \
    s|^includedir=.*|includedir=$(INCLUDEDIR)|
endif

.PHONY: all build install uninstall deb help
all: build

build:
	$(CARGO) build --release -p hakmem-capi
	$(CARGO) build --profile observed -p hakmem-capi --features observe-all
	$(CARGO) build --release -p hakmem-debug-tools

install: $(BUILD)
	install -d $(bin) $(lib)/pkgconfig $(include) $(man1) $(doc) $(bash) $(zsh) $(fish) $(scripts) $(autoload)
	install -m 644 "$(RELEASE)/libhakmem.so" $(lib)/$(SONAME)
	ln -sfn $(SONAME) $(lib)/libhakmem.so
	install -m 644 "$(RELEASE)/libhakmem.a" $(lib)/libhakmem.a
	install -m 644 "$(OBSERVED)/libhakmem.so" $(lib)/libhakmem-observed.so
	sed -e '/^#/d' -e '$(PC_FIELDS)' capi/hakmem.pc > $(lib)/pkgconfig/hakmem.pc
	chmod 644 $(lib)/pkgconfig/hakmem.pc
	install -m 644 $(HEADERS:%=capi/include/%) $(include)
	install -m 755 "$(HAKMEM)" $(bin)/hakmem
	"$(HAKMEM)" man $(man1)
	"$(HAKMEM)" completions bash > $(bash)/hakmem
	"$(HAKMEM)" completions zsh > $(zsh)/_hakmem
	"$(HAKMEM)" completions fish > $(fish)/hakmem.fish
	chmod 644 $(man1)/hakmem.1 $(man1)/hakmem-*.1 $(bash)/hakmem $(zsh)/_hakmem $(fish)/hakmem.fish
	install -m 644 $(SCRIPTS:%=debug-tools/debuggers/%) $(scripts)
	printf '%s\n' 'gdb.execute("source $(DATADIR)/hakmem/hakmem_gdb.py")' > $(autoload)/$(SONAME)-gdb.py
	chmod 644 $(autoload)/$(SONAME)-gdb.py
	install -m 644 $(autoload)/$(SONAME)-gdb.py $(autoload)/libhakmem-observed.so-gdb.py
	install -m 644 $(LICENCES) CHANGELOG.md $(doc)

uninstall:
	rm -f $(bin)/hakmem $(lib)/$(SONAME) $(lib)/libhakmem.so $(lib)/libhakmem.a
	rm -f $(lib)/libhakmem-observed.so $(lib)/pkgconfig/hakmem.pc
	for header in $(HEADERS); do rm -f $(include)/$$header; done
	rm -f $(man1)/hakmem.1 $(man1)/hakmem-*.1
	rm -f $(bash)/hakmem $(zsh)/_hakmem $(fish)/hakmem.fish
	rm -f $(autoload)/$(SONAME)-gdb.py $(autoload)/libhakmem-observed.so-gdb.py
	rm -rf $(scripts)
	for file in $(LICENCES) CHANGELOG.md; do rm -f $(doc)/$$file; done
	rmdir $(doc) 2>/dev/null || true

deb: $(BUILD)
	RELEASE="$(RELEASE)" OBSERVED="$(OBSERVED)" HAKMEM="$(HAKMEM)" scripts/deb "$(CARGO_TARGET_DIR)/deb"

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile
