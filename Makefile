# SPDX-License-Identifier: Apache-2.0
# Two commands do everything on a fresh Debian 12 machine, as root or with sudo:
#   make demo   set-up, build, a sweep over two toy models
#   make test   set-up, build, all tests
# What is there already is not done again.

.DEFAULT_GOAL := help
.PHONY: help setup build demo test faults clean

help:
	@echo "make demo   set up, build, and sweep the demonstration models"
	@echo "make test   set up, build, and run all tests"
	@echo "make faults kill sweeps at 220 moments and run them again (about half an hour)"
	@echo "make build  set up and build what users get (build/release)"

setup:
	@tools/setup_debian.sh

build: setup
	@cmake --preset release -DPROMPTSWEEP_TESTS=OFF --log-level=NOTICE
	@cmake --build --preset release

demo: build
	@tools/demo.sh

test:
	@tools/setup_debian.sh --test
	@cmake --preset dev --log-level=NOTICE
	@cmake --build --preset dev
	@ctest --preset dev -LE campaign --output-on-failure

faults:
	@tools/setup_debian.sh --test
	@cmake --preset dev --log-level=NOTICE
	@cmake --build --preset dev
	@PROMPTSWEEP_FAULTS=220 ctest --preset dev -R fault --output-on-failure --verbose

clean:
	rm -rf build
