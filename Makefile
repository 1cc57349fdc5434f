# SPDX-License-Identifier: LGPL-2.1-or-later
# The front door. Meson and Ninja do the work; dev/ has what developers run every day.
#   make demo      install what is needed, build, and watch a guest being snapshotted, changed and reverted
#   make test      install what is needed, build, run every test
#   make bench     print each speed as a ratio to its bare minimum
#   make install   honours PREFIX SYSCONFDIR LOCALSTATEDIR RUNSTATEDIR DESTDIR

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
LOCALSTATEDIR ?= /var
RUNSTATEDIR ?= /run
BUILD ?= build

all: deps-build
	dev/build $(BUILD)

demo: deps
	dev/build $(BUILD)
	dev/demo $(BUILD)

test: deps
	dev/check all

bench: deps
	dev/build $(BUILD)-release --buildtype=release
	bench/run $(BUILD)-release

install: deps-build
	dev/build $(BUILD)-install --buildtype=release --prefix=$(PREFIX) --sysconfdir=$(SYSCONFDIR) \
	  --localstatedir=$(LOCALSTATEDIR) -Drunstatedir=$(RUNSTATEDIR)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)-install --no-rebuild --quiet

deps:
	@dev/deps

deps-build:
	@dev/deps build

clean:
	rm -rf $(BUILD) $(BUILD)-*

.PHONY: all demo test bench install deps deps-build clean
