// SPDX-License-Identifier: Apache-2.0
// The instants right before and after a durable write, where a test kills the process. A program
// built without tests has none of this.
//
//   PROMPTSWEEP_FAULT_AT=N      the N-th instant of this process (from 1) is its last: SIGKILL
//   PROMPTSWEEP_FAULT_TRACE=F   appends the name of every instant to the file F
#pragma once

namespace promptsweep {

#ifdef PROMPTSWEEP_FAULT_POINTS
// Thread-safe. `name` says what is about to happen or has happened: "commit.before".
void fault_point(const char* name);
#else
inline void fault_point(const char*) {}
#endif

}  // namespace promptsweep
