// Launcher: the one static worker. Starts a scheduler for every database that has the extension.
//
//   unknown --probe--> starting --attached--> running --exit--> (installed? back-off, starting :
//   forgotten)
//
// A probe is a scheduler that finds no extension and exits. Databases are probed once at start
// (never templates, never those that refuse connections) and again when a CREATE or DROP EXTENSION,
// CREATE or ALTER DATABASE commits. Has no database; reads pg_database only. Runs in its own
// process.
#pragma once

namespace bitvelocity::worker {

// Registers the static worker; while shared_preload_libraries is processed.
void InstallLauncher();

}  // namespace bitvelocity::worker
