#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""power_cut_test.py TRACED_WRITER: a result is on the disk soon after it was accepted.

Traces the writer's system calls. For each result: after "put N" the bytes of row N are written to
the store's log and then a sync of the log returns. The promise is 100 ms; under strace and on a
busy machine the limit here is wide, but a store that waits for more rows, for flush() or for its
end fails.

A file that is replaced is never torn and does not come back (D30): its bytes are synced before the
rename, and the folder, as that of a new folder, before the writer goes on. Exit 77 (skipped) where strace is absent or may not trace."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT_S = 0.9  # the writer ends one second after the last put
SYNC = r"f(?:data)?sync\(\d+<[^>]*-wal>"


def trace(writer, folder):
    log = folder / "trace"
    calls = "trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat"
    command = ["strace", "-f", "-ttt", "-T", "-y", "-s", "70000", "-e", calls, "-o", str(log)]
    done = subprocess.run(command + [writer, str(folder / "arm.sqlite"), str(folder / "marker")],
                          capture_output=True, text=True)
    if not log.exists() or "ptrace" in done.stderr.lower():
        return None
    assert done.returncode == 0, (done.returncode, done.stderr)
    return log.read_text(errors="replace").splitlines()


def durable_times(lines):
    """When each row was put, and when the first sync that began after its bytes were written
    returned 0."""
    put, written, durable = {}, set(), {}
    syncing = {}  # thread: rows that were written when its sync began
    syncs = 0
    for line in lines:
        thread, time, call = line.split(maxsplit=2)
        time = float(time)
        if found := re.match(r"write\(\d+<[^>]*marker>, \"put (\d+);", call):
            put[int(found[1])] = time
        elif re.match(r"pwrite64\(\d+<[^>]*-wal>", call):
            written |= {int(n) for n in re.findall(r"<row (\d+)>", call)}
        elif re.match(SYNC, call) and "unfinished" in call:
            syncing[thread] = set(written)
        elif re.match(SYNC, call) or re.match(r"<\.\.\. f(data)?sync resumed>", call):
            rows = syncing.pop(thread, None) if "resumed" in call else set(written)
            result = re.search(r"\)\s+= 0 <([\d.]+)>$", call)
            if rows is None or not result:
                continue  # the sync of another file
            syncs += 1
            end = time if "resumed" in call else time + float(result[1])
            for row in rows:
                durable.setdefault(row, end)
    return put, durable, syncs


def missing_syncs(lines):
    """What the artifact of the writer lacks: the steps of a durable replacement, in their order."""
    steps = [r"mkdir(at)?\(.*results", r"fsync\(\d+<[^>]*>\)\s+= 0", r"write\(\d+<[^>]*/results/[^>]*>, \"<artifact>",
             r"fsync\(\d+<[^>]*/results/[^>]*>\)\s+= 0", r"rename.*/results/report\.json",
             r"fsync\(\d+<[^>]*/results>\)\s+= 0", r"write\(\d+<[^>]*marker>, \"done"]
    calls = iter(line.split(maxsplit=2)[2] for line in lines)
    for number, step in enumerate(steps):
        if not any(re.match(step, call) for call in calls):
            return steps[number:]
    return []


def check_the_checker():
    """A log without syncs, and one whose sync came before the bytes, must not pass."""
    lines = ['1 10.0 write(3</f/marker>, "put 0;", 6) = 6 <0.1>',
             '2 10.1 fdatasync(4</f/arm.sqlite-wal>) = 0 <0.2>',
             '2 10.4 pwrite64(4</f/arm.sqlite-wal>, "\\0<row 0>", 9, 0) = 9 <0.1>']
    assert durable_times(lines) == ({0: 10.0}, {}, 1), durable_times(lines)
    whole = ['1 1.0 mkdir("/f/results", 0777) = 0 <0.1>', '1 1.1 fsync(5</f>) = 0 <0.1>',
             '1 1.2 write(5</f/results/.report.json.1>, "<artifact>", 10) = 10 <0.1>',
             '1 1.3 fsync(5</f/results/.report.json.1>) = 0 <0.1>',
             '1 1.4 rename("/f/results/.report.json.1", "/f/results/report.json") = 0 <0.1>',
             '1 1.5 fsync(5</f/results>) = 0 <0.1>', '1 1.6 write(3</f/marker>, "done", 4) = 4 <0.1>']
    assert not missing_syncs(whole)
    for without in range(len(whole)):
        assert missing_syncs(whole[:without] + whole[without + 1:]), without
    assert missing_syncs(whole[:3] + [whole[4], whole[3]] + whole[5:]), "renamed before it was synced"
    lines += ['2 10.6 fdatasync(4</f/arm.sqlite-wal> <unfinished ...>',
              '2 10.9 <... fdatasync resumed>) = 0 <0.3>']
    assert durable_times(lines) == ({0: 10.0}, {0: 10.9}, 2), durable_times(lines)


def main():
    check_the_checker()
    if not shutil.which("strace"):
        print("skipped: strace is not installed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        lines = trace(sys.argv[1], pathlib.Path(folder))
    if lines is None:
        print("skipped: strace may not trace here")
        return 77
    assert not missing_syncs(lines), missing_syncs(lines)
    put, durable, syncs = durable_times(lines)
    assert len(put) == 40, put
    missing = sorted(set(put) - set(durable))
    assert not missing, f"never on the disk: rows {missing}"
    delays = [durable[row] - put[row] for row in put]
    print(f"40 rows durable after {max(delays) * 1000:.0f} ms at most, in {syncs} syncs")
    assert max(delays) < LIMIT_S, sorted(delays)
    assert syncs < 40, "a sync a row: no group commit"
    return 0


sys.exit(main())
