// Signals: what only the task runner needs of the loop. Main thread of a worker process.
#pragma once

namespace bitvelocity::worker {

// While on, SIGTERM also cancels the statement that runs, so that a task ends with an ERROR (57014)
// that its runner catches, instead of a FATAL.
void SetCancelOnStop(bool cancel);

}  // namespace bitvelocity::worker
