#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles the ABI header alone and twice, as every language it promises, without implicit padding.

usage: headers_test.py INCLUDE_FOLDER WORK_FOLDER C_COMPILER CXX_COMPILER
A clang that is installed beside the build's compiler is used too."""
import pathlib
import shutil
import subprocess
import sys

include, work, c_compiler, cxx_compiler = sys.argv[1:]
work = pathlib.Path(work) / "headers"
work.mkdir(parents=True, exist_ok=True)
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]


def compiles(compiler, source, *flags):
    command = [compiler, *STRICT, *flags, "-I", include, "-c", str(source), "-o", str(source) + ".o"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode == 0, " ".join(command) + "\n" + done.stderr


def check(compiler, source, *flags):
    good, text = compiles(compiler, source, *flags)
    if not good:
        sys.exit(text)


def write(name, text):
    path = work / name
    path.write_text(text)
    return path


header = '#include "promptsweep/backend.h"\n'
layer = '#include "promptsweep/backend.hpp"\n'
use = "int psw_use(const psw_record *r); int psw_use(const psw_record *r) { return r->outcome; }\n"
c_source = write("alone.c", header + header + use)
cxx_source = write("alone.cc", header + header + use)
layer_source = write("layer.cc", layer + layer)
both_source = write("both.cc", header + layer)
padded = write("padded.c", "struct p { char c; int i; }; int f(struct p *p); int f(struct p *p) { return p->i; }\n")
throwing = write("throwing.cc", header + "static void f() {}\n"
                 "static void g(psw_plugin_api *a) { a->deinit = f; }\n"
                 "void (*h)(psw_plugin_api *) = g;\n")

clang = shutil.which("clang-16")
c_compilers = [c_compiler] + ([clang] if clang and "clang" not in c_compiler else [])
clangxx = shutil.which("clang++-16")
cxx_compilers = [cxx_compiler] + ([clangxx] if clangxx and "clang" not in cxx_compiler else [])

for compiler in c_compilers:
    for standard in ("c99", "c11", "c17"):
        check(compiler, c_source, "-std=" + standard, "-Wpadded")
    # This test would notice padding.
    assert not compiles(compiler, padded, "-std=c11", "-Wpadded")[0]
for compiler in cxx_compilers:
    for standard in ("c++11", "c++17", "c++20"):
        check(compiler, cxx_source, "-std=" + standard, "-Wpadded")
    for standard in ("c++17", "c++20"):
        check(compiler, layer_source, "-std=" + standard)
        check(compiler, both_source, "-std=" + standard)
        # A table entry that may throw does not compile.
        assert not compiles(compiler, throwing, "-std=" + standard)[0]
print("compiled with", ", ".join(c_compilers + cxx_compilers))
