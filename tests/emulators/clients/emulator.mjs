// SPDX-License-Identifier: Apache-2.0
// Starts the emulator whose path is in PROMPTSWEEP_EMULATOR and stops it at the end.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export async function withEmulator(service, options, faults, use) {
  const folder = mkdtempSync(join(tmpdir(), "emulator-"));
  const script = join(folder, "faults.json");
  writeFileSync(script, JSON.stringify({ faults }));
  const child = spawn(process.env.PROMPTSWEEP_EMULATOR, [service, ...options, "--faults", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise((resolve, reject) => {
    lines.once("line", (line) => resolve(line.split(" ")[1]));
    child.once("exit", () => reject(new Error("the emulator ended before it listened")));
  });
  const counts = async () => (await fetch(`${url}/_emulator/counts`)).json();
  try {
    await use(url, counts);
  } finally {
    child.kill();
    rmSync(folder, { recursive: true });
  }
}
