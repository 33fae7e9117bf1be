// Process: what both processes of a stream have in common: settings pinned, entry in shared memory,
// errors recorded, a clean way in and out.
#pragma once

#include <functional>

#include "worker/worker.hpp"
#include "pg/postgres.hpp"
#include "stream/shared.hpp"

namespace bitvelocity::stream {

// How long a stop may take to bring what was read to the sink.
inline constexpr std::int64_t kStopUs = 5'000'000;

enum class Role { kDecoder, kDeliverer };

// Gives values their text form, whatever somebody set for the database (ALTER DATABASE SET reaches
// workers). Raises.
void PinSettings();

// The body of a stream process: connects to the database, pins the settings that give values their
// text form, publishes pid and latch, runs `body`; an error is recorded in the entry and passed on
// to the worker, which logs it and backs off.
void RunProcess(const worker::ServiceStart& start, Role role,
                const std::function<void(Entry*)>& body);

}  // namespace bitvelocity::stream
